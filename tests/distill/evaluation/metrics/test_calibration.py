"""Calibration error bin by bin, and the temperature that minimises the likelihood's loss."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar

from distill.errors import DistillError
from distill.evaluation.metrics.calibration import (
    BINS,
    CalibrationError,
    bins,
    fit_temperature,
    probabilities,
)


def cases(count: int, seed: int = 0, scale: float = 2.0) -> tuple[np.ndarray, np.ndarray]:
    """Logits (N, 3) that are `scale` times too sure, and truth drawn from the true ones."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(count, 3))
    chances = probabilities(logits).cumsum(1)
    truth = (rng.random((count, 1)) > chances[:, :2]).sum(1)
    return logits * scale, truth


def by_hand(confidence: np.ndarray, hit: np.ndarray) -> float:
    total = 0.0
    for m in range(BINS):
        inside = (confidence > m / BINS) & (confidence <= (m + 1) / BINS)
        inside |= (confidence == 0) & (m == 0)
        if inside.any():
            total += inside.mean() * abs(confidence[inside].mean() - hit[inside].mean())
    return total


def test_borders_belong_to_the_bin_below() -> None:
    confidence = np.array([0, 1e-9, 1 / 15, np.nextafter(1 / 15, 1), 0.5, 14 / 15, 1])
    assert bins(confidence).tolist() == [0, 0, 0, 1, 7, 13, 14]


def test_the_error_is_the_definition_bin_by_bin_for_any_weights() -> None:
    logits, truth = cases(300)
    given, predicted = probabilities(logits), logits.argmax(1)
    group = np.random.default_rng(1).integers(9, size=300)
    weights = np.vstack([np.ones(9, np.int64), np.random.default_rng(2).integers(0, 3, (4, 9))])
    overall, each = CalibrationError(truth, given, predicted, group)(weights)
    for number, weight in enumerate(weights):
        picked = np.repeat(np.arange(300), weight[group])
        top = given[np.arange(300), predicted][picked]
        hits = (predicted == truth)[picked]
        assert overall[number] == pytest.approx(by_hand(top, hits), abs=1e-12)
        for k in range(3):
            mine = by_hand(given[picked, k], truth[picked] == k)
            assert each[number, k] == pytest.approx(mine, abs=1e-12)


@pytest.mark.parametrize("scale", [0.2, 1.0, 6.0])
def test_the_temperature_is_the_minimum_that_a_search_finds(scale: float) -> None:
    logits, truth = cases(2000, scale=scale)

    def nll(temperature: float) -> float:
        scaled = torch.from_numpy(logits / temperature)
        return float(torch.nn.functional.cross_entropy(scaled, torch.from_numpy(truth)))

    fitted = fit_temperature(logits, truth)
    best = minimize_scalar(nll, bounds=(0.01, 50), method="bounded", options={"xatol": 1e-9})
    assert fitted.value == pytest.approx(best.x, rel=1e-5)
    assert fitted.value == pytest.approx(scale, rel=0.1)
    assert fitted.nll_before == pytest.approx(nll(1), rel=1e-12)
    assert fitted.nll_after == pytest.approx(nll(fitted.value), rel=1e-12)
    assert fitted.nll_after <= fitted.nll_before
    assert fitted.cases == 2000
    np.testing.assert_array_equal(fitted(logits).argmax(1), logits.argmax(1))


def test_it_mends_probabilities_that_are_too_sure() -> None:
    (seen, labels), (new, truth) = cases(2000, seed=1, scale=4), cases(2000, seed=2, scale=4)
    fitted = fit_temperature(seen, labels)
    errors = [
        CalibrationError(truth, given, new.argmax(1), np.zeros(2000, np.intp))(np.ones((1, 1)))[0]
        for given in (probabilities(new), fitted(new))
    ]
    assert errors[1] < 0.2 * errors[0]


def test_far_logits_do_not_stop_the_search() -> None:
    logits, truth = cases(500, scale=400)
    assert fit_temperature(logits, truth).value == pytest.approx(400, rel=0.2)


@pytest.mark.parametrize("wrong", [False, True])
def test_no_temperature_fits_what_is_all_right_or_worse_than_chance(wrong: bool) -> None:
    logits = np.eye(3)[[0, 1, 2, 0]] * 3
    truth = np.array([1, 2, 0, 1] if wrong else [0, 1, 2, 0])
    with pytest.raises(DistillError, match=r"no temperature fits.*--calibrate"):
        fit_temperature(logits, truth)
