"""Reports of answers: the unit drawn, slides and patients, paired differences, absent classes."""

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sk

from distill.errors import SubsetError
from distill.evaluation.metrics import bootstrap
from distill.evaluation.predictions import Predictions
from distill.evaluation.scoring import (
    BootstrapSettings,
    aligned,
    difference,
    mean_difference,
    mean_score,
    score,
)

CLASSES = ("a", "b", "c")
QUICK = BootstrapSettings(draws=50)


def answers(
    truth: Any, predicted: Any, patient: Any, sure: float = 0.8, classes: Any = CLASSES
) -> Predictions:
    """Crops of one slide a patient, `sure` of the class predicted; truth −1 is no label."""
    patient, predicted = np.asarray(patient), np.asarray(predicted, dtype=np.intp)
    probabilities = np.full((len(predicted), len(classes)), (1 - sure) / (len(classes) - 1))
    probabilities[np.arange(len(predicted)), predicted] = sure
    label = [None if k < 0 else classes[k] for k in truth]
    table = pd.DataFrame(
        {
            "crop": [f"s/{n}" for n in range(len(predicted))],
            "slide": [f"s{p}" for p in patient],
            "patient": [f"p{p}" for p in patient],
            "label": pd.Series(label, dtype=object),
            "area_mm2": 1.0,
        }
    )
    return Predictions("crop", tuple(classes), table, probabilities, predicted)


def test_patients_who_are_right_or_wrong_throughout_widen_the_interval() -> None:
    patient = np.repeat(np.arange(30), 20)  # every third is missed in all of its 20 crops
    given = answers(np.ones(600, int), np.where(patient % 3 == 0, 0, 1), patient)
    width = {}
    for unit in ("patient", "crop"):
        report = score(given, BootstrapSettings(unit))
        assert report["overall"]["accuracy"]["value"] == pytest.approx(2 / 3)
        assert report["confusion"] == [[0, 0, 0], [200, 400, 0], [0, 0, 0]]
        assert report["bootstrap"]["unit"] == unit
        width[unit] = np.ptp(report["overall"]["accuracy"]["interval"])
    assert width["patient"] / width["crop"] == pytest.approx(20**0.5, rel=0.15)


def test_a_class_without_a_case_is_null_and_left_out_of_the_means() -> None:
    report = score(
        answers([0, 0, 1, 1], [0, 2, 1, 1], range(4)), BootstrapSettings(draws=500), paper=True
    )
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    assert report["absent_classes"] == ["c"]
    for entry in report["per_class"]["c"].values():
        assert entry == {"value": None, "interval": None, "draws": 0}
    assert report["macro"]["recall"]["value"] == pytest.approx((0.5 + 1) / 2)
    assert report["overall"]["balanced_accuracy"] == report["macro"]["recall"]
    assert report["macro"]["paper_accuracy"]["value"] == pytest.approx((4 / 5 + 4 / 4) / 2)
    # Some draws hold patients of one class only: they define no score of the other, and no AUROC.
    drawn = [report["per_class"]["a"][name]["draws"] for name in ("recall", "auroc")]
    assert 0.9 * 500 < drawn[0] < 500
    assert drawn[1] < drawn[0]


def test_the_papers_accuracy_is_there_only_where_asked_for() -> None:
    assert "paper_accuracy" not in score(answers([0, 1], [0, 1], [0, 1]), QUICK)["macro"]


def test_slides_and_patients_are_scored_by_the_mean_of_their_crops() -> None:
    # Patient 0: two of three crops right. 1: mixed labels. 2: unlabelled. 3: its unlabelled crop
    # counts, and decides.
    patient = [0, 0, 0, 1, 1, 2, 3, 3, 3]
    truth = [0, 0, 0, 0, 1, -1, 1, -1, -1]
    predicted = [0, 0, 1, 0, 1, 0, 1, 2, 2]
    report = score(answers(truth, predicted, patient), QUICK)
    assert report["scored"] == {"crops": 6, "slides": 3, "patients": 3}
    for kind in ("slides", "patients"):
        block = report[kind]
        assert block["left_out"] == {"unlabelled": 1, "mixed_labels": 1}
        assert block["confusion"] == [[1, 0, 0], [0, 0, 1], [0, 0, 0]]
        assert block["overall"]["accuracy"]["value"] == 0.5
        assert block["bootstrap"]["unit"] == "patient"
    assert report["slides"]["scored"] == {"slides": 2, "patients": 2}
    assert report["patients"]["scored"] == {"patients": 2}
    by_crop = score(answers(truth, predicted, patient), BootstrapSettings("crop", 50))
    units = [by_crop[kind]["bootstrap"]["unit"] for kind in ("slides", "patients")]
    assert units == ["slide", "patient"]


def test_one_unit_has_no_interval_and_none_is_said_so() -> None:
    lone = score(answers([0, 0, 1], [0, 0, 1], [0, 0, 0]), BootstrapSettings("crop", 50))
    assert lone["slides"] == {
        "left_out": {"unlabelled": 0, "mixed_labels": 1},
        "scored": {"slides": 0},
    }
    single = score(answers([0, 0], [0, 0], [0, 0]), BootstrapSettings("crop", 50))["slides"]
    assert single["overall"]["accuracy"] == {"value": 1.0, "interval": None, "draws": 0}


def test_a_paired_difference_is_that_of_explicitly_resampled_patients() -> None:
    rng = np.random.default_rng(0)
    patient = rng.integers(12, size=200)
    truth = rng.integers(3, size=200)
    first = np.where(rng.random(200) < 0.6, truth, rng.integers(3, size=200))
    second = np.where(rng.random(200) < 0.8, first, truth)
    one, other = answers(truth, first, patient), answers(truth, second, patient)
    found = difference(other, one, BootstrapSettings(draws=4000))["crops"]
    f1 = {"average": "macro", "labels": [0, 1, 2], "zero_division": 0}
    gain = sk.f1_score(truth, second, **f1) - sk.f1_score(truth, first, **f1)
    assert found["macro"]["f1"]["value"] == pytest.approx(gain, abs=1e-12)
    drawn = []
    crops = [np.flatnonzero(patient == p) for p in range(12)]
    for _ in range(600):
        picked = np.concatenate([crops[p] for p in rng.integers(12, size=12)])
        drawn.append((second[picked] == truth[picked]).mean() - (first == truth)[picked].mean())
    interval = found["overall"]["accuracy"]["interval"]
    assert interval == pytest.approx(np.quantile(drawn, [0.025, 0.975]), abs=0.012)
    alone = [
        score(run, BootstrapSettings(draws=4000))["overall"]["accuracy"] for run in (one, other)
    ]
    unpaired = np.sqrt(sum(np.ptp(run["interval"]) ** 2 for run in alone))
    assert np.ptp(interval) < 0.8 * unpaired


def test_a_difference_takes_the_crops_of_both_and_any_order_of_classes() -> None:
    truth, patient = [0, 1, 2, 0], [0, 1, 2, 3]
    one = answers(truth, [0, 1, 2, 1], patient)
    turned = answers([2, 1, 0, 2], [2, 1, 0, 1], patient, classes=("c", "b", "a"))
    for twin in (turned, one.select(np.array([3, 1, 0, 2]))):
        same = difference(twin, one, QUICK)
        for kind in ("crops", "slides", "patients"):
            for group in ("overall", "macro"):
                for name, entry in same[kind][group].items():
                    assert entry["value"] == pytest.approx(0, abs=1e-15), name
                    assert entry["interval"] == pytest.approx([0, 0], abs=1e-15), name
    fewer = one.select(np.array([True, True, True, False]))
    for pair in ((fewer, one), (one, fewer)):
        assert difference(*pair, QUICK)["crops"]["scored"]["crops"] == 3
    with pytest.raises(SubsetError, match="no labelled crop in common"):
        difference(one.select(np.array([3])), fewer, QUICK)
    with pytest.raises(SubsetError, match="one by one"):
        difference(answers([0, 1], [0, 1], [0, 1], classes=("a", "b")), one, QUICK)


def test_means_over_runs_are_scored_in_the_same_draws() -> None:
    rng = np.random.default_rng(5)
    patient, truth = np.repeat(np.arange(12), 3), rng.integers(0, 3, 36)
    runs = [answers(truth, np.where(rng.random(36) < p, truth, 0), patient) for p in (0.6, 0.7)]
    minus = answers(truth, np.where(rng.random(36) < 0.9, truth, 1), patient)
    how = BootstrapSettings(draws=60, seed=3)
    weights = np.concatenate(
        list(bootstrap.weights(np.ones(12, int), np.random.default_rng(3), 60))
    )

    def f1(run: Predictions, times: Any) -> float:
        rows = np.repeat(np.arange(36), times[patient])
        return float(sk.f1_score(truth[rows], run.predicted[rows], average="macro",
                                 labels=np.unique(truth[rows]), zero_division=0))  # fmt: skip

    drawn = np.array([[f1(run, times) for run in (*runs, minus)] for times in weights])
    once = [f1(run, np.ones(12, int)) for run in (*runs, minus)]
    found = mean_score(runs, how)
    assert found is not None
    assert found["macro"]["f1"]["value"] == pytest.approx(np.mean(once[:2]))
    wanted = np.quantile(drawn[:, :2].mean(1), [0.025, 0.975])
    assert found["macro"]["f1"]["interval"] == pytest.approx(wanted)
    entry = mean_difference(runs, [minus], how)["crops"]["macro"]["f1"]
    assert entry["value"] == pytest.approx(np.mean(once[:2]) - once[2])
    wanted = np.quantile(drawn[:, :2].mean(1) - drawn[:, 2], [0.025, 0.975])
    assert entry["interval"] == pytest.approx(wanted)


@pytest.mark.parametrize("unit", ["patient", "crop"])
@pytest.mark.parametrize("kind", ["crop", "slide", "patient"])
def test_the_mean_of_one_run_is_that_run_to_the_last_bit(kind: str, unit: str) -> None:
    given = answers([0, 1, 2, 0, 1, 2], [0, 1, 2, 2, 1, 0], [0, 1, 2, 3, 4, 4])
    how = BootstrapSettings(unit, 200)
    whole = score(given, how)
    block = whole if kind == "crop" else whole[f"{kind}s"]
    found = mean_score([given], how, kind)
    assert found is not None
    assert found == {name: block[name] for name in found}


def test_aligned_runs_have_the_crops_of_all_and_the_classes_of_the_first() -> None:
    first = answers([0, 1, 2], [0, 1, 1], range(3))
    other = answers([0, 2, 1], [0, 1, 2], range(3), classes=("a", "c", "b")).select(
        np.array([2, 0])
    )
    one, two = aligned([first, other])
    assert list(one.table["crop"]) == list(two.table["crop"]) == ["s/0", "s/2"]
    assert one.classes == two.classes == CLASSES
    assert two.predicted.tolist() == [0, 1]
    assert two.probabilities.argmax(1).tolist() == [0, 1]
