"""The table of net benefit beside metrics.json, computed anew from predictions.csv."""

import csv
from collections import defaultdict
from pathlib import Path
from statistics import fmean

import pytest

from distill.evaluation.net_benefit import net_benefit_csv
from distill.evaluation.scoring import BootstrapSettings
from tests.distill.report.fabricate import CLASSES, answers, make_store

HOW = BootstrapSettings(draws=100)
Row = dict[str, str]


def read(text: str) -> list[Row]:
    return list(csv.DictReader(text.splitlines()))


def cases_of(table: list[Row], kind: str) -> list[Row]:
    """Labelled crops, or patients by the mean probability of all of their crops."""
    if kind == "crops":
        return [row for row in table if row["label"]]
    groups = defaultdict(list)
    for row in table:
        groups[row["patient"]].append(row)
    found = []
    for crops in groups.values():
        means = {f"p_{name}": str(fmean(float(row[f"p_{name}"]) for row in crops))
                 for name in CLASSES}  # fmt: skip
        labels = {row["label"] for row in crops} - {""}
        if len(labels) == 1:
            found.append({"label": labels.pop(), **means})
    return found


def test_the_table_follows_from_the_predictions(tmp_path: Path) -> None:
    given = answers(make_store(tmp_path / "store", patients=12), 1.5, 0, "5x")
    given.table.loc[:2, "label"] = None
    predictions = read(given.csv().decode())
    table = read(net_benefit_csv(given, HOW, "mean").decode())
    assert len(table) == 2 * 3 * 99
    assert [row["threshold"] for row in table[:99]] == [repr(k / 100) for k in range(1, 100)]
    for row in table:
        cases, threshold = cases_of(predictions, row["kind"]), float(row["threshold"])
        mine = [case["label"] == row["class"] for case in cases]
        called = [float(case[f"p_{row['class']}"]) >= threshold for case in cases]
        hits = sum(m and c for m, c in zip(mine, called, strict=True))
        false = sum(called) - hits
        odds = threshold / (1 - threshold)
        assert (int(row["true_positives"]), int(row["false_positives"])) == (hits, false)
        assert (int(row["cases"]), int(row["of_class"])) == (len(cases), sum(mine))
        benefit = hits / len(cases) - false / len(cases) * odds
        everyone = sum(mine) / len(cases) - (len(cases) - sum(mine)) / len(cases) * odds
        assert float(row["net_benefit"]) == pytest.approx(benefit, abs=1e-12)
        assert float(row["treat_all"]) == pytest.approx(everyone, abs=1e-12)
        low, high = float(row["net_benefit_low"]), float(row["net_benefit_high"])
        assert low - 1e-12 <= benefit <= high + 1e-12
        assert row["draws"] == "100"


def test_a_class_without_a_case_has_empty_cells(tmp_path: Path) -> None:
    given = answers(make_store(tmp_path / "store", patients=12), 1.5, 0, "5x")
    given.table.loc[given.table["label"] == "normal", "label"] = None
    rows = [row for row in read(net_benefit_csv(given, HOW, "mean").decode())
            if row["class"] == "normal"]  # fmt: skip
    assert len(rows) == 2 * 99
    for row in rows:
        assert (row["of_class"], row["draws"], row["net_benefit"]) == ("0", "0", "")
        assert (row["treat_all"], row["net_benefit_low"]) == ("", "")
