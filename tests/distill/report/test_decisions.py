"""Net benefit in the report: means over seeds, paired differences, pictures by level."""

import csv
import re
from collections import defaultdict
from pathlib import Path
from statistics import fmean

import pytest

from distill.evaluation.net_benefit import net_benefit_csv
from distill.evaluation.predictions import Predictions
from tests.distill.commands import done
from tests.distill.report.fabricate import CLASSES, QUICK

NAMES = ("teacher", "baseline-1.25x-0", "kd-train-1.25x-0", "kd-train-1.25x-1")
Row = dict[str, str]
Curves = dict[tuple[str, str, str], Row]


@pytest.fixture(scope="module")
def out(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("decisions") / "out"
    done("report", *(made / name for name in NAMES), made / "store", "--out", folder)
    return folder


@pytest.fixture(scope="module")
def own(made: Path) -> dict[str, Curves]:
    """What net_benefit.csv of each run has by kind, class and threshold."""
    found = {}
    for name in NAMES:
        answers = Predictions.read(made / name / "evaluation" / "main-test" / "predictions.csv")
        table = csv.DictReader(net_benefit_csv(answers, QUICK, "mean").decode().splitlines())
        found[name] = {(row["kind"], row["class"], row["threshold"]): row for row in table}
    return found


def read(file: Path) -> list[Row]:
    with file.open(encoding="utf-8", newline="") as opened:
        return list(csv.DictReader(opened))


def test_rows_are_the_means_of_their_runs(out: Path, own: dict[str, Curves]) -> None:
    table = read(out / "tables" / "net-benefit.csv")
    assert len(table) == 3 * 2 * len(CLASSES) * 99
    for row in table:
        each = [own[name][row["kind"], row["class"], row["threshold"]]
                for name in row["runs"].split(" + ")]  # fmt: skip
        for mine, theirs in (("net_benefit", "net_benefit"), ("treat_all", "treat_all"),
                             ("true_positives", "true_positives"), ("of_the_class", "of_class"),
                             ("false_positives", "false_positives")):  # fmt: skip
            mean = fmean(float(one[theirs]) for one in each)
            assert float(row[mine]) == pytest.approx(mean, abs=1e-12)
        if len(each) == 1:
            for end in ("low", "high"):
                alone = float(each[0][f"net_benefit_{end}"])
                assert float(row[f"net_benefit_{end}"]) == pytest.approx(alone, abs=1e-12)


def test_differences_at_all_thresholds_and_those_shown(out: Path, own: dict[str, Curves]) -> None:
    table = read(out / "tables" / "net-benefit-differences.csv")
    assert len(table) == 2 * 2 * len(CLASSES) * 99
    shown = {
        (row["method"], row["kind"], row["class"]): row
        for row in read(out / "tables" / "net-benefit-minus-teacher.csv")
    }
    for row in table:
        key = row["kind"], row["class"], row["threshold"]
        each = [float(own[name][key]["net_benefit"]) for name in row["runs"].split(" + ")]
        wanted = fmean(each) - float(own["teacher"][key]["net_benefit"])
        assert float(row["difference"]) == pytest.approx(wanted, abs=1e-12)
        percent = round(100 * float(row["threshold"]))
        if percent in (5, 10, 20, 30, 50):
            cells = shown[row["method"], row["kind"], row["class"]]
            for end in ("", "_low", "_high"):
                assert cells[f"at_{percent}_percent{end}"] == row[f"difference{end}"]


def test_there_is_a_picture_for_each_class_at_each_level(out: Path, own: dict[str, Curves]) -> None:
    page = (out / "index.html").read_text(encoding="utf-8")
    titles = re.findall(r"<h3>(Net benefit: [^<]*)</h3>", page)
    assert titles == [f"Net benefit: {name}, 1.25×" for name in CLASSES]
    values = defaultdict(list)
    for step in ("0.1", "0.2", "0.5"):
        values["Teacher at 10×"].append(own["teacher"]["crops", CLASSES[0], step]["net_benefit"])
        values["all called"].append(own["teacher"]["crops", CLASSES[0], step]["treat_all"])
    for name, numbers in values.items():
        said = ", ".join(f"{100 * float(n):.1f}".replace("-", "−") for n in numbers)
        assert f"{name} {said}" in page
