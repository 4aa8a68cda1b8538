"""Evaluations that cannot be mixed are refused, with the command that mends it."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import wsistore
from distill.deferral.pair import Pair, read_pair, seen_patients, unseen_pair
from distill.errors import RunError, SubsetError, UsageError
from distill.evaluation.predictions import Predictions
from distill.files import encode
from tests.distill.report.fabricate import QUICK, answers, evaluate, make_run


@pytest.fixture
def copied(pair_folder: Path, tmp_path: Path) -> Path:
    shutil.copytree(pair_folder, tmp_path, dirs_exist_ok=True)
    return tmp_path


def read(folder: Path, subset: str = "test", teacher: str = "teacher") -> Pair:
    store = wsistore.open(folder / "store")
    return read_pair(folder / "student", folder / teacher, store, "main", subset)


def calibrated(folder: Path, name: str, subset: str, temperature: float | None) -> None:
    """Let an evaluation be one at a temperature, with what it does to probabilities."""
    level, skill = {"student": ("1.25x", 1.2), "teacher": ("10x", 3.0)}[name]
    given = answers(folder / "store", skill, 0, level, subset=subset)
    about: dict[str, Any] | None = None
    if temperature is not None:
        chances = given.probabilities ** (1 / temperature)
        chances /= chances.sum(1, keepdims=True)
        given = Predictions("crop", given.classes, given.table, chances, given.predicted)
        about = {"subset": "val", "crops": 28, "temperature": temperature,
                 "nll_before": 1.0, "nll_after": 0.9}  # fmt: skip
    evaluate(folder / name, folder / "store", given, QUICK, subset, calibration=about)


def test_a_run_not_evaluated_is_named_with_the_command(copied: Path) -> None:
    shutil.rmtree(copied / "teacher" / "evaluation" / "main-val")
    pair, store = read(copied), wsistore.open(copied / "store")
    with pytest.raises(RunError) as raised:
        unseen_pair(pair, store, "main", "val")
    assert str(raised.value) == (
        f"{copied}/teacher: not evaluated on val of split main; run: distill evaluate "
        f"{copied}/teacher {copied}/store --split main --subset val"
    )


def test_one_run_cannot_be_both(copied: Path) -> None:
    with pytest.raises(UsageError, match="cannot defer to itself"):
        read(copied, teacher="student")


def test_other_classes_are_refused(copied: Path) -> None:
    classes = ("celiac sprue", "non-specific duodenitis", "normal", "other")
    make_run(copied / "wide", copied / "store", "teacher", "10x", 3.0, classes=classes)
    with pytest.raises(UsageError, match="a teacher of the student's classes"):
        read(copied, teacher="wide")


def test_other_crops_are_refused(copied: Path) -> None:
    given = answers(copied / "store", 3.0, 0, "10x")
    left = given.select(np.arange(1, len(given.table)))
    evaluate(copied / "teacher", copied / "store", left, QUICK)
    with pytest.raises(RunError, match="different crops of test: s000/0 has an answer of one"):
        read(copied)


def test_evaluations_of_other_weights_are_refused(copied: Path) -> None:
    (copied / "student" / "weights.safetensors").write_bytes(b"trained again")
    with pytest.raises(RunError, match=r"present weights; run: distill evaluate .* --overwrite"):
        read(copied)


def test_the_reported_subset_chooses_no_threshold(copied: Path) -> None:
    with pytest.raises(UsageError, match="--choose-on test is the subset to be reported"):
        unseen_pair(read(copied), wsistore.open(copied / "store"), "main", "test")


def test_a_patient_in_both_subsets_is_refused(copied: Path) -> None:
    for name in ("student", "teacher"):
        file = copied / name / "evaluation" / "main-val" / "predictions.csv"
        table = pd.read_csv(file, dtype=str, keep_default_na=False)
        table.replace({"patient": {"p030": "p000"}}).to_csv(file, index=False)
        # scores do not know patients by name, so the evaluation is still whole
    with pytest.raises(SubsetError, match="patient p000 is in val and in test"):
        unseen_pair(read(copied), wsistore.open(copied / "store"), "main", "val")


def test_patients_that_trained_a_run_choose_no_threshold_and_are_told_of(copied: Path) -> None:
    store = wsistore.open(copied / "store")
    for subset in ("val", "test"):
        given = answers(copied / "store", 3.0, 0, "10x", subset=subset)
        evaluate(copied / "teacher", copied / "store", given, QUICK, subset, training_patients=3)
    pair = read(copied)
    with pytest.raises(SubsetError, match=r"teacher was trained on 3 patients of val, where"):
        unseen_pair(pair, store, "main", "val")
    assert seen_patients(pair) == [
        f"{copied}/teacher: patients that it was trained on: 3; scores and confidence are too good"
    ]


def test_the_temperature_of_the_reported_subset_is_applied_to_the_other(copied: Path) -> None:
    for name, temperature in (("student", 1.7), ("teacher", 0.6)):
        calibrated(copied, name, "test", temperature)
    store = wsistore.open(copied / "store")
    plain, found = read(copied, "val"), unseen_pair(read(copied), store, "main", "val")
    for before, after, temperature in (
        (plain.first, found.first, 1.7),
        (plain.second, found.second, 0.6),
    ):
        wanted = before.probabilities ** (1 / temperature)
        wanted /= wanted.sum(1, keepdims=True)
        assert after.probabilities == pytest.approx(wanted, rel=1e-12)
        assert (after.predicted == before.predicted).all()


def test_equal_temperatures_need_no_change(copied: Path) -> None:
    for name in ("student", "teacher"):
        for subset in ("test", "val"):
            calibrated(copied, name, subset, 1.7)
    store = wsistore.open(copied / "store")
    found = unseen_pair(read(copied), store, "main", "val")
    assert (found.first.probabilities == read(copied, "val").first.probabilities).all()


@pytest.mark.parametrize("here", [None, 0.6])
def test_other_temperatures_are_refused(copied: Path, here: float | None) -> None:
    for name in ("student", "teacher"):
        calibrated(copied, name, "test", here)
        calibrated(copied, name, "val", 1.7)
    store = wsistore.open(copied / "store")
    with pytest.raises(RunError, match="student has other temperatures on val and on test"):
        unseen_pair(read(copied), store, "main", "val")


def test_runs_evaluated_in_different_ways_are_refused(copied: Path) -> None:
    calibrated(copied, "student", "test", 1.7)
    with pytest.raises(RunError, match="evaluated with different calibration; run: distill evalu"):
        read(copied)


def test_a_damaged_evaluation_is_refused(copied: Path) -> None:
    file = copied / "student" / "evaluation" / "main-test" / "metrics.json"
    metrics = json.loads(file.read_text())
    metrics["macro"]["f1"]["value"] += 0.01
    file.write_bytes(encode(metrics))
    with pytest.raises(RunError, match="do not belong together"):
        read(copied)
