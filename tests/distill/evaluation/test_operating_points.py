"""Operating points of an evaluation: chosen on one subset, scored on another, all in its files."""

import csv
import math
import re
from collections import defaultdict
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import pytest

import wsistore
from distill.errors import DistillError, SubsetError, UsageError
from distill.evaluation import scoring
from distill.evaluation.net_benefit import net_benefit_csv
from distill.evaluation.operating_points import mean_points, thresholds_of
from distill.evaluation.operating_rule import OperatingRule
from distill.evaluation.plan import EvaluationRequest, plan_evaluation
from distill.evaluation.predictions import Predictions
from distill.evaluation.scoring import BootstrapSettings
from distill.runs.run import Run
from tests.distill.evaluating import CLASSES, command, make_run, make_store, rows, strict

RULE = ("--operating-point", "sensitivity=0.95", "--choose-on", "val")
Row = dict[str, str]


def split_rows() -> list[tuple[str, str, str, str, str]]:
    """As `rows`, with p5 to p7 for validation, one patient a class; one of their crops no label."""
    found = []
    for number, (crop, slide, patient, label, subset) in enumerate(rows()):
        if patient in ("p5", "p6", "p7"):
            subset = "val"
        found.append((crop, slide, patient, "" if number == 11 else label, subset))
    return found


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_store(tmp_path_factory.mktemp("points") / "store", split_rows())


@pytest.fixture(scope="module")
def evaluated(store: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two runs, evaluated with operating points and a temperature of the same subset."""
    folder = tmp_path_factory.mktemp("runs")
    runs = [make_run(folder / f"run{seed}", store, seed=seed) for seed in (1, 5)]
    done = command(*runs, store, *RULE, "--calibrate", "val", "--draws", 300)
    assert done.exit_code == 0, done.output
    (folder / "output").write_text(done.output, encoding="utf-8")
    return runs


def read(file: Path) -> list[Row]:
    with file.open(encoding="utf-8", newline="") as opened:
        return list(csv.DictReader(opened))


def by(table: list[Row], kind: str) -> list[Row]:
    """Slides or patients as mean probabilities of all of their crops."""
    if kind == "crops":
        return table
    groups = defaultdict(list)
    for row in table:
        groups[row[kind[:-1]]].append(row)
    found = []
    for crops in groups.values():
        labels = {row["label"] for row in crops} - {""}
        means = {
            f"p_{name}": str(fmean(float(row[f"p_{name}"]) for row in crops)) for name in CLASSES
        }
        found.append({"label": labels.pop() if len(labels) == 1 else "", **means})
    return found


def labeled(table: list[Row], kind: str) -> list[Row]:
    return [row for row in by(table, kind) if row["label"]]


def test_thresholds_are_recomputed_from_the_table_of_the_crops_they_were_chosen_on(
    evaluated: list[Path],
) -> None:
    for run in evaluated:
        folder = run / "evaluation" / "main-test"
        chosen_on = read(folder / "choosing.csv")
        assert {row["patient"] for row in chosen_on} == {"p5", "p6", "p7"}
        assert sum(not row["label"] for row in chosen_on) == 1
        points = read(folder / "operating_points.csv")
        assert [(row["kind"], row["class"]) for row in points] == [
            (kind, name) for kind in ("crops", "slides", "patients") for name in CLASSES
        ]
        for row in points:
            cases = labeled(chosen_on, row["kind"])
            name = row["class"]
            best = (-1.0, -1.0, math.nan)
            for threshold in [float(case[f"p_{name}"]) for case in cases]:
                called = [float(case[f"p_{name}"]) >= threshold for case in cases]
                mine = [case["label"] == name for case in cases]
                hits = sum(c and m for c, m in zip(called, mine, strict=True))
                sensitivity = hits / sum(mine)
                specificity = 1 - (sum(called) - hits) / (len(mine) - sum(mine))
                if sensitivity >= 0.95:
                    best = max(best, (specificity, sensitivity, threshold))
            assert float(row["threshold"]) == pytest.approx(best[2], abs=1e-15)
            assert float(row["chosen_specificity"]) == pytest.approx(best[0], abs=1e-15)
            assert float(row["chosen_sensitivity"]) == best[1]
            assert int(row["chosen_cases"]) == sum(case["label"] == name for case in cases)
            assert row["rule"] == "sensitivity=0.95"


def test_scores_are_recomputed_from_the_predictions_and_the_thresholds(
    evaluated: list[Path],
) -> None:
    for run in evaluated:
        folder = run / "evaluation" / "main-test"
        for row in read(folder / "operating_points.csv"):
            cases, name = labeled(read(folder / "predictions.csv"), row["kind"]), row["class"]
            mine = np.array([case["label"] == name for case in cases])
            called = np.array(
                [float(case[f"p_{name}"]) >= float(row["threshold"]) for case in cases]
            )
            assert (int(row["cases"]), int(row["others"])) == (mine.sum(), (~mine).sum())
            wanted = {
                "sensitivity": (mine & called).sum() / mine.sum(),
                "specificity": (~mine & ~called).sum() / (~mine).sum(),
                "ppv": (mine & called).sum() / called.sum() if called.any() else None,
                "npv": (~mine & ~called).sum() / (~called).sum() if (~called).any() else None,
                "flagged": called.mean(),
            }
            for score, value in wanted.items():
                if value is None:
                    assert row[score] == ""
                else:
                    assert float(row[score]) == pytest.approx(value, abs=1e-12)
                    assert float(row[f"{score}_low"]) <= float(row[f"{score}_high"])


def test_metrics_and_csv_say_the_same_and_no_score_of_another_kind_changes(
    evaluated: list[Path], store: Path, tmp_path: Path
) -> None:
    folder = evaluated[0] / "evaluation" / "main-test"
    metrics = strict(folder / "metrics.json")
    points = metrics["operating_points"]
    assert (points["rule"], points["subset"], points["positive"]) == (
        "sensitivity=0.95",
        "val",
        None,
    )
    assert points["crops"]["chosen_on"] == {"crops": 5, "slides": 5, "patients": 3}
    assert points["patients"]["chosen_on"] == {"patients": 3}
    assert points["patients"]["scored"] == {"patients": 5}
    assert points["crops"]["bootstrap"] == metrics["bootstrap"]
    for row in read(folder / "operating_points.csv"):
        entry = points[row["kind"]]["per_class"][row["class"]]
        assert float(row["threshold"]) == entry["chosen"]["threshold"]
        for score in ("sensitivity", "specificity", "ppv", "npv", "flagged"):
            value, interval = entry[score]["value"], entry[score]["interval"]
            assert row[score] == ("" if value is None else repr(value))
            assert row[f"{score}_low"] == ("" if interval is None else repr(interval[0]))
    plain = make_run(tmp_path / "run1", store, seed=1)
    assert command(plain, store, "--calibrate", "val", "--draws", 300).exit_code == 0
    without = strict(plain / "evaluation" / "main-test" / "metrics.json")
    assert "operating_points" not in without
    del metrics["operating_points"]
    assert without == metrics | {"calibration": without["calibration"]}


def test_the_terminal_shows_every_point(evaluated: list[Path]) -> None:
    text = (evaluated[0].parent / "output").read_text(encoding="utf-8")
    assert "run1: operating points, sensitivity=0.95 on val" in text
    assert "run5: operating points, sensitivity=0.95 on val" in text
    said = " ".join(text.split())
    assert "the highest specificity at a sensitivity of at least 95 % on val" in said
    for run in evaluated:
        folder = run / "evaluation" / "main-test"
        for row in read(folder / "operating_points.csv"):
            assert f"{float(row['threshold']):.4f}" in text
            assert f"{100 * float(row['flagged']):.2f}" in text


def test_a_later_evaluation_without_points_leaves_none_behind(
    evaluated: list[Path], store: Path, tmp_path: Path
) -> None:
    run = make_run(tmp_path / "run", store)
    assert (
        command(run, store, *RULE, "--draws", 9, "--positive", "b", "--net-benefit").exit_code == 0
    )
    folder = run / "evaluation" / "main-test"
    assert {row["class"] for row in read(folder / "operating_points.csv")} == {"b"}
    answers = Predictions.read(folder / "predictions.csv")
    curves = net_benefit_csv(answers, BootstrapSettings(draws=9), "mean")
    assert (folder / "net_benefit.csv").read_bytes() == curves
    assert command(run, store, "--draws", 9, "--overwrite").exit_code == 0
    there = {file.name for file in folder.iterdir()}
    assert there == {"predictions.csv", "slides.csv", "patients.csv", "metrics.json"}


def test_a_difference_of_two_runs_at_their_own_thresholds_is_paired(
    evaluated: list[Path],
) -> None:
    how = BootstrapSettings(draws=300)
    answers, metrics = [], []
    for run in evaluated:
        folder = run / "evaluation" / "main-test"
        answers.append(Predictions.read(folder / "predictions.csv"))
        metrics.append(strict(folder / "metrics.json"))
    for kind in scoring.KINDS:
        pairs = [
            (one, thresholds_of(found, f"{kind}s"))
            for one, found in zip(answers, metrics, strict=True)
        ]
        found = mean_points(pairs[1:], pairs[:1], kind, how, "mean")
        same = mean_points(pairs[:1], pairs[:1], kind, how, "mean")
        alone = mean_points(pairs[:1], [], kind, how, "mean")
        assert found is not None
        assert same is not None
        assert alone is not None
        for name in CLASSES:
            first, second = (one["operating_points"][f"{kind}s"]["per_class"][name]
                             for one in metrics)  # fmt: skip
            for score in ("sensitivity", "specificity", "flagged"):
                entry = found["per_class"][name][score]
                assert entry["value"] == second[score]["value"] - first[score]["value"]
                assert same["per_class"][name][score]["interval"] == [0.0, 0.0]
                assert alone["per_class"][name][score] == first[score]


@pytest.fixture
def plan(store: Path, tmp_path: Path) -> Any:
    run = Run.open(make_run(tmp_path / "run", store))
    opened = wsistore.open(store)

    def plan(**more: Any) -> Any:
        return plan_evaluation(run, opened, EvaluationRequest("main", "test", **more))

    return plan


@pytest.mark.parametrize(
    ("more", "kind", "message"),
    [
        ({"choose_on": None}, UsageError, "needs a subset that is not scored.*--choose-on val"),
        ({"choose_on": "test"}, UsageError, "--choose-on test is the subset to be scored"),
        ({"choose_on": "train"}, UsageError, "say nothing about new patients"),
        ({"choose_on": "exam"}, SubsetError, "has no .exam."),
        ({"positive": "d"}, UsageError, "--positive d is no class of .*run: a, odd"),
        ({"operating_point": None}, UsageError, "--choose-on has no effect without --operating-p"),
        (
            {"operating_point": None, "choose_on": None, "positive": "b"},
            UsageError,
            "--positive has no effect without",
        ),
    ],
)
def test_what_cannot_choose_is_refused_before_any_work(
    plan: Any, more: dict[str, Any], kind: type[DistillError], message: str
) -> None:
    given = {"operating_point": OperatingRule("youden"), "choose_on": "val"} | more
    with pytest.raises(kind, match=message):
        plan(**given)


def test_patients_that_choose_are_not_scored_and_their_crops_have_labels(tmp_path: Path) -> None:
    for change, message in (
        (lambda row: (*row[:2], "p0", *row[3:]), r"patient p0 is in val and in test.*--choose-on"),
        (lambda row: (*row[:3], "", row[4]), r"no labelled crop is in val of split main"),
    ):
        changed = [change(row) if row[4] == "val" else row for row in split_rows()]
        home = tmp_path / message[:5].strip()
        store = make_store(home / "store", changed)
        done = command(make_run(home / "run", store), store, *RULE)
        assert (done.exit_code, bool(done.exception)) == (1, True)
        assert re.search(message, " ".join(done.output.split()))


def test_a_class_that_validation_lacks_has_no_threshold_and_says_so(tmp_path: Path) -> None:
    changed = [(*r[:4], "train" if r[2] == "p7" else r[4]) for r in split_rows()]
    store = make_store(tmp_path / "store", changed)
    run = make_run(tmp_path / "run", store)
    done = command(run, store, *RULE, "--draws", 9)
    assert done.exit_code == 0, done.output
    found = strict(run / "evaluation" / "main-test" / "metrics.json")["operating_points"]
    entry = found["crops"]["per_class"]["b"]
    assert entry["chosen"] is None
    assert entry["sensitivity"] == {"value": None, "interval": None}
    assert entry["cases"] == 3
    said = " ".join(done.output.split())
    assert (
        "No threshold, for val lacks the class or all others: b (crops, slides, patients)." in said
    )
    row = next(
        row for row in read(run / "evaluation" / "main-test" / "operating_points.csv")
        if row["class"] == "b"
    )  # fmt: skip
    assert (row["threshold"], row["sensitivity"], row["cases"]) == ("", "", "3")


def test_wrong_rules_exit_as_wrong_usage(store: Path, tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", store)
    done = command(run, store, "--operating-point", "sensitivity", "--choose-on", "val")
    assert done.exit_code == 2
    assert "is no rule; give sensitivity=0.95" in done.output
    assert not (run / "evaluation").exists()
