"""Net benefit against its definition, written out case by case."""

import math

import numpy as np
import pytest

from distill.evaluation.metrics import bootstrap, net_benefit
from distill.evaluation.metrics.net_benefit import DecisionCurves, decision_curves
from distill.evaluation.metrics.resampling import Cases


def make(
    cases: int = 70, patients: int = 9, classes: int = 3, runs: int = 1, seed: int = 0
) -> Cases:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, classes, cases)
    chances = rng.dirichlet(np.ones(classes), (runs, cases))
    chances[:, ::5] = chances[:, ::5].round(2)  # some lie on a threshold
    chances[:, 3, 0], chances[:, 4, 0] = 0.0, 1.0
    patient = np.append(np.arange(patients), rng.integers(0, patients, cases - patients))
    return Cases(truth, patient, chances, chances.argmax(-1))


def slow(truth: list[int], chances: list[float], k: int, percent: int) -> tuple[float, float]:
    """Net benefit of the run, and of calling everyone the class."""
    threshold = percent / 100
    odds = threshold / (1 - threshold)
    hits = false = everyone = 0
    for true, chance in zip(truth, chances, strict=True):
        if chance >= threshold:
            hits += true == k
            false += true != k
        everyone += true == k
    count = len(truth)
    return (
        hits / count - false / count * odds,
        everyone / count - (count - everyone) / count * odds,
    )


def by_hand(cases: Cases, rows: np.ndarray, k: int, minus: int) -> np.ndarray:
    """(2, T): as `slow` for each threshold, of the mean of runs minus the mean of others."""
    truth = cases.truth[rows].tolist()
    found = []
    for percent in range(1, 100):
        each = [
            slow(truth, cases.probabilities[run, rows, k].tolist(), k, percent)
            for run in range(len(cases.probabilities))
        ]
        runs = math.fsum(one for one, _ in each[minus:]) / len(each[minus:])
        taken = math.fsum(one for one, _ in each[:minus]) / max(minus, 1)
        found.append((runs - taken, each[0][1]))
    return np.array(found).T


@pytest.mark.parametrize(("runs", "minus"), [(1, 0), (3, 0), (2, 1), (5, 2)])
def test_values_and_intervals_are_those_of_the_definition(runs: int, minus: int) -> None:
    cases = make(cases=40, runs=runs)
    found = decision_curves(cases, minus, "patient", 30, 4)
    (weights,) = bootstrap.weights(np.ones(9, dtype=np.intp), np.random.default_rng(4), 30)
    for k in range(3):
        value, everyone = by_hand(cases, np.arange(40), k, minus)
        np.testing.assert_allclose(found.value[k], value, rtol=0, atol=1e-12)
        np.testing.assert_allclose(found.treat_all[k], everyone, rtol=0, atol=1e-12)
        np.testing.assert_allclose(
            (found.hits[k] - found.false[k] * net_benefit.ODDS) / 40, value, rtol=0, atol=1e-12
        )
        drawn = np.array(
            [by_hand(cases, np.repeat(np.arange(40), row[cases.patient]), k, minus)
             for row in weights]
        )  # fmt: skip
        ends = np.quantile(drawn, [0.025, 0.975], axis=0)
        np.testing.assert_allclose(found.interval[:, k], ends[:, 0], rtol=0, atol=1e-12)
        np.testing.assert_allclose(found.treat_all_interval[:, k], ends[:, 1], rtol=0, atol=1e-11)
        assert found.draws[k] == 30


def test_a_draw_without_a_case_of_the_class_says_nothing_of_it() -> None:
    cases = make(cases=12, patients=4, classes=2)
    truth = np.where(cases.patient == 0, 1, 0)
    cases = Cases(truth, cases.patient, cases.probabilities, cases.predicted)
    found = decision_curves(cases, 0, "patient", 200, 1)
    (weights,) = bootstrap.weights(np.ones(4, dtype=np.intp), np.random.default_rng(1), 200)
    there = weights[:, 0] > 0
    assert 0 < found.draws[1] == there.sum() < 200
    drawn = [by_hand(cases, np.repeat(np.arange(12), row[cases.patient]), 1, 0)[0, 49]
             for row in weights[there]]  # fmt: skip
    np.testing.assert_allclose(
        found.interval[:, 1, 49], np.quantile(drawn, [0.025, 0.975]), atol=1e-12
    )


def test_a_class_without_a_case_has_no_curve_and_one_patient_no_interval() -> None:
    cases = make(classes=2)
    absent = Cases(np.zeros_like(cases.truth), cases.patient, cases.probabilities, cases.predicted)
    found = decision_curves(absent, 0, "patient", 20, 0)
    for values in (found.value[1], found.treat_all[1], found.interval[:, 1]):
        assert np.isnan(values).all()
    assert found.draws.tolist() == [20, 0]
    np.testing.assert_allclose(found.treat_all[0], 1.0)
    alone = Cases(cases.truth, np.zeros_like(cases.patient), cases.probabilities, cases.predicted)
    found = decision_curves(alone, 0, "patient", 20, 0)
    assert np.isfinite(found.value).all()
    assert np.isnan(found.interval).all()
    assert np.isnan(found.treat_all_interval).all()


def same(one: DecisionCurves, other: DecisionCurves) -> None:
    for name in DecisionCurves.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_blocks_of_draws_and_of_classes_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    cases = make(runs=2)
    whole = decision_curves(cases, 1, "patient", 50, 2)
    monkeypatch.setattr(net_benefit, "KEPT_BYTES", 1)
    same(whole, decision_curves(cases, 1, "patient", 50, 2))
    monkeypatch.setattr(bootstrap, "BLOCK_BYTES", 9000)
    same(whole, decision_curves(cases, 1, "patient", 50, 2))


def test_a_run_minus_itself_is_nothing_in_every_draw() -> None:
    cases = make()
    twice = Cases(cases.truth, cases.patient, cases.probabilities[[0, 0]], cases.predicted[[0, 0]])
    found = decision_curves(twice, 1, "patient", 50, 2)
    np.testing.assert_array_equal(found.value, 0)
    np.testing.assert_array_equal(found.interval, 0)


def test_drawing_cells_of_crops_is_drawing_crops() -> None:
    cases = make(cases=80, runs=2)
    found = decision_curves(cases, 1, "crop", 20_000, 1)
    picked = np.random.default_rng(2).integers(80, size=(20_000, 80))
    mine = cases.truth[picked] == 0
    for percent in (10, 40):
        called = cases.probabilities[:, picked, 0] >= percent / 100
        odds = percent / (100 - percent)
        each = ((called & mine).sum(-1) - (called & ~mine).sum(-1) * odds) / 80
        ends = np.quantile(each[1] - each[0], [0.025, 0.975])
        np.testing.assert_allclose(found.interval[:, 0, percent - 1], ends, atol=0.006)
