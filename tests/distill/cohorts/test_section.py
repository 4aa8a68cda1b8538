"""The report over cohorts: every number computed anew from the CSV files beside the page."""

import csv
import shutil
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean, median

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sk

from distill.evaluation import Predictions, scoring
from tests.distill.cohorts.fabricated import CLASSES, QUICK, RUNS, change, make_cohorts
from tests.distill.commands import distill, done

Row = dict[str, str]
COHORTS = ("home", "b")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cohorts")
    make_cohorts(folder)
    return folder


def report(folder: Path, *more: object) -> list[object]:
    runs = [folder / name for name in RUNS]
    return ["report", *runs, folder / "store", "--cohort", f"b={folder / 'away'}", *more]


@pytest.fixture(scope="module")
def out(made: Path) -> Path:
    done(*report(made, "--out", made / "out"))
    return made / "out"


def read(file: Path) -> list[Row]:
    with file.open(encoding="utf-8", newline="") as opened:
        return list(csv.DictReader(opened))


def said(text: str) -> str:
    return " ".join(text.split())


def answers(out: Path, cohort: str, runs: str) -> list[Predictions]:
    """The answers of the runs of a row, from the CSV file beside the page."""
    table = pd.read_csv(out / "tables" / f"cohort-answers-{cohort}.csv")
    found = []
    for name in runs.split(" + "):
        rows = table[table["run"] == name].reset_index(drop=True)
        chances = rows[[f"p_{label}" for label in CLASSES]].to_numpy()
        predicted = np.array([CLASSES.index(label) for label in rows["predicted"]])
        found.append(Predictions("crop", CLASSES, rows, chances, predicted))
    return found


def hand_made(one: Predictions) -> dict[str, float]:
    """The headline scores, by scikit-learn and by a loop over bins."""
    truth = np.array([CLASSES.index(label) for label in one.table["label"]])
    sure = one.probabilities.max(1)
    right = one.predicted == truth
    gap = 0.0
    for k in range(15):
        inside = (sure > k / 15) & (sure <= (k + 1) / 15)
        if inside.any():
            gap += inside.mean() * abs(sure[inside].mean() - right[inside].mean())
    each = range(len(CLASSES))
    return {
        "accuracy": fmean(((truth == k) == (one.predicted == k)).mean() for k in each),
        "F1": sk.f1_score(truth, one.predicted, average="macro"),
        "AUROC": fmean(sk.roc_auc_score(truth == k, one.probabilities[:, k]) for k in each),
        "ECE": gap,
    }


PLACES = {
    "accuracy": ("macro", "one_vs_rest_accuracy"),
    "F1": ("macro", "f1"),
    "AUROC": ("macro", "auroc"),
    "ECE": ("overall", "expected_calibration_error"),
}


def ends(row: Row, cohort: str) -> list[float]:
    return [float(row[f"{cohort}{end}"]) for end in ("", "_low", "_high")]


def entry(block: dict[str, dict[str, dict[str, object]]], title: str) -> list[float]:
    group, name = PLACES[title]
    found = block[group][name]
    return [found["value"], *found["interval"]]  # type: ignore[misc, list-item]


def test_scores_and_their_intervals(out: Path) -> None:
    rows = read(out / "tables" / "cohort-scores.csv")
    assert len(rows) == 3 * len(PLACES)
    for row in rows:
        for cohort in COHORTS:
            each = answers(out, cohort, row["runs"])
            wanted = fmean(hand_made(one)[row["score"]] for one in each)
            assert ends(row, cohort)[0] == pytest.approx(wanted, abs=1e-12)
            block = scoring.mean_score(each, QUICK)
            assert block is not None
            assert ends(row, cohort) == pytest.approx(entry(block, row["score"]), abs=1e-12)


def test_differences_are_paired_within_each_cohort(out: Path) -> None:
    rows = read(out / "tables" / "cohort-differences.csv")
    pairs = {(row["method"], row["minus"]) for row in rows}
    assert pairs == {
        ("Baseline at 1.25×", "Teacher at 10×"), ("KD at 1.25×", "Teacher at 10×"),
        ("KD at 1.25×", "Baseline at 1.25×"),
    }  # fmt: skip
    runs = {row["method"]: row["runs"] for row in read(out / "tables" / "cohort-scores.csv")}
    for row in rows:
        for cohort in COHORTS:
            one, other = (answers(out, cohort, runs[row[key]]) for key in ("method", "minus"))
            block = scoring.mean_difference(one, other, QUICK)["crops"]
            assert ends(row, cohort) == pytest.approx(entry(block, row["score"]), abs=1e-12)


def test_what_the_cohorts_are(out: Path) -> None:
    facts = {row["what"]: row for row in read(out / "tables" / "cohorts.csv")}
    for cohort in COHORTS:
        (one,) = answers(out, cohort, "teacher")
        labeled = one.table[one.table["label"].notna()]
        assert int(facts["patients"][cohort]) == labeled["patient"].nunique()
        assert int(facts["slides"][cohort]) == labeled["slide"].nunique()
        assert int(facts["crops"][cohort]) == len(labeled)
        for label in CLASSES:
            its = labeled["patient"][labeled["label"] == label].nunique()
            assert int(facts[f"patients of {label}"][cohort]) == its
    assert facts["unknown classes"] == {
        "what": "unknown classes", "home": "none (rule: refuse)",
        "b": "tumor: 3 crops (rule: leave-out)",
    }  # fmt: skip
    assert facts["absent classes"]["b"] == "none (rule: keep)"
    assert facts["same patient ids"]["b"] == "other people"
    distances = read(out / "tables" / "cohort-distances.csv")
    for row in distances:
        if row["what"] == "µm per pixel":
            (one, *_) = answers(out, "b", row["runs"])
            assert float(row["b"]) == median(one.table["mpp"])
        if row["what"] == "colour distance":
            assert row["b"] == ""  # these runs recorded none
    page = (out / "index.html").read_text(encoding="utf-8")
    text = said(page)
    assert "Crops of classes that the run does not know, left out: tumor: 3." in text
    for name in ("cohort-scores", "cohort-differences", "cohort-reliability-02"):
        assert (out / "figures" / f"{name}.svg").exists()
    for name in ("cohort-answers-b", "cohort-colors"):
        assert f'href="tables/{name}.csv"' in page
    assert "### Each method on each cohort" in (out / "report.md").read_text(encoding="utf-8")
    assert "p000" not in (out / "tables" / "cohort-answers-b.csv").read_text()


def test_without_cohorts_the_page_says_nothing_of_them(made: Path, tmp_path: Path) -> None:
    runs: Sequence[object] = [made / name for name in RUNS]
    done("report", *runs, made / "store", "--out", tmp_path / "out")
    assert 'id="cohorts"' not in (tmp_path / "out" / "index.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("entries", "wanted"),
    [
        ({"weights_sha256": "0"}, "is not of the run's present weights"),
        ({"format": "distill-evaluation/2"}, "is not of distill-cohort-evaluation/1"),
        ({"aggregate": "area"}, "evaluated with different aggregate"),
        ({"calibration": {"temperature": 2.0, "subset": "val", "of": "home"}},
         "evaluated with different calibration"),
    ],
)  # fmt: skip
def test_evaluations_that_do_not_belong_together_are_refused(
    made: Path, tmp_path: Path, entries: dict[str, object], wanted: str
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(made, folder)
    change(folder / "kd-1.25x-1" / "cohorts" / "b" / "main-test" / "metrics.json", **entries)
    refused = distill(*report(folder, "--out", tmp_path / "out"))
    assert refused.exit_code == 1
    assert wanted in said(refused.output)
    assert f"--cohort b={folder / 'away'} --cohort-split b=main" in said(refused.output)
    assert not (tmp_path / "out").exists()


def test_rules_and_temperatures_must_be_of_one_kind(made: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(made, folder)
    files = [folder / name / "cohorts" / "b" / "main-test" / "metrics.json" for name in RUNS]
    fitted = {"temperature": 2.0, "subset": "val", "of": "home"}
    for file in files:
        change(file, calibration=fitted)
    refused = distill(*report(folder, "--out", tmp_path / "out"))
    assert refused.exit_code == 1
    assert "has another temperature at home than it had" in said(refused.output)
    for file in files:
        change(file, calibration={**fitted, "of": "cohort"})
    done(*report(folder, "--out", tmp_path / "out"))
    facts = {row["what"]: row for row in read(tmp_path / "out" / "tables" / "cohorts.csv")}
    assert (facts["temperature"]["home"], facts["temperature"]["b"]) == (
        "none", "fitted here, on val",
    )  # fmt: skip
    shutil.rmtree(folder / "teacher" / "cohorts")
    refused = distill(*report(folder, "--out", tmp_path / "other"))
    assert refused.exit_code == 1
    assert "not evaluated on test of split main of cohort b; run: distill evaluate" in said(
        refused.output
    )
