"""Every number behind the pictures of answers, computed anew from predictions.csv by hand."""

import csv
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean

import numpy as np
import pytest
from sklearn import metrics

from tests.distill.commands import done

NAMES = ("teacher", "baseline-1.25x-0", "baseline-1.25x-1", "kd-train-1.25x-0", "kd-train-1.25x-1",
         "kd-aux1-1.25x-0")  # fmt: skip
Row = dict[str, str]


def read(file: Path) -> list[Row]:
    with file.open(encoding="utf-8", newline="") as opened:
        return list(csv.DictReader(opened))


@pytest.fixture(scope="module")
def out(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recomputed") / "out"
    done("report", *(made / name for name in NAMES), made / "store", "--out", folder)
    return folder


def predictions(made: Path, runs: str) -> Iterator[list[Row]]:
    """Each run's labelled crops."""
    for name in runs.split(" + "):
        rows = read(made / name / "evaluation" / "main-test" / "predictions.csv")
        yield [row for row in rows if row["label"]]


def test_confusion_counts_and_shares(made: Path, out: Path) -> None:
    tables = defaultdict(dict)
    for row in read(out / "tables" / "confusion.csv"):
        tables[row["runs"]][row["truth"], row["predicted"]] = row
    assert len(tables) == 4
    for runs, cells in tables.items():
        counted = Counter(
            (row["label"], row["predicted"]) for rows in predictions(made, runs) for row in rows
        )
        whole = Counter(truth for truth, _ in counted.elements())
        assert {key: int(row["crops"]) for key, row in cells.items()} == {
            key: counted[key] for key in cells
        }
        for (truth, _), row in cells.items():
            assert float(row["share_of_truth"]) == pytest.approx(int(row["crops"]) / whole[truth])


def test_roc_curves_pass_through_every_threshold_and_their_area_is_auroc(
    made: Path, out: Path
) -> None:
    curves = defaultdict(list)
    for row in read(out / "tables" / "roc.csv"):
        rates = float(row["false_positive_rate"]), float(row["true_positive_rate"])
        curves[row["runs"], row["class"]].append(rates)
    assert len(curves) == 4 * 3
    for (runs, name), points in curves.items():
        areas = []
        for rows in predictions(made, runs):
            mine = [row["label"] == name for row in rows]
            chances = [float(row[f"p_{name}"]) for row in rows]
            areas.append(metrics.roc_auc_score(mine, chances))
            if " + " not in runs:
                x, y, _ = metrics.roc_curve(mine, chances, drop_intermediate=False)
                found = set(zip(x.tolist(), y.tolist(), strict=True))
                assert set(points) <= found
        x, y = np.array(points).T
        assert np.trapezoid(y, x) == pytest.approx(fmean(areas), abs=1e-12)
    text = (out / "index.html").read_text(encoding="utf-8")
    rows = next(predictions(made, "teacher"))
    area = metrics.roc_auc_score(
        [row["label"] == "normal" for row in rows], [float(row["p_normal"]) for row in rows]
    )
    assert f"normal: {100 * area:.1f}" in text


def test_bins_of_confidence_and_the_calibration_error_that_they_give(made: Path, out: Path) -> None:
    runs = defaultdict(list)
    for row in read(out / "tables" / "reliability.csv"):
        runs[row["runs"], row["run"]].append(row)
    assert sorted(name for _, name in runs) == sorted(NAMES)
    errors = defaultdict(list)
    for (whole, name), bins in runs.items():
        assert len(bins) == 15
        (rows,) = predictions(made, name)
        sure = [(float(row[f"p_{row['predicted']}"]), row["predicted"] == row["label"])
                for row in rows]  # fmt: skip
        gap = 0.0
        for k, row in enumerate(bins):
            inside = [one for one in sure if k / 15 < one[0] <= (k + 1) / 15]
            assert (float(row["above"]), float(row["up_to"])) == (k / 15, (k + 1) / 15)
            assert int(row["crops"]) == len(inside)
            assert int(row["right"]) == sum(hit for _, hit in inside)
            if inside:
                confidence, share = (fmean(values) for values in zip(*inside, strict=True))
                assert float(row["mean_confidence"]) == pytest.approx(confidence, abs=1e-12)
                assert float(row["share_right"]) == pytest.approx(share, abs=1e-12)
                gap += len(inside) / len(rows) * abs(confidence - share)
            else:
                assert (row["mean_confidence"], row["share_right"]) == ("", "")
        errors[whole].append(gap)
    shown = {row["runs"]: row["ece"] for row in read(out / "tables" / "overall.csv")
             if row["kind"] == "crops"}  # fmt: skip
    assert {whole: pytest.approx(fmean(found)) for whole, found in errors.items()} == {
        whole: float(error) for whole, error in shown.items()
    }
