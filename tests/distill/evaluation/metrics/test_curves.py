"""ROC curves and bins beside scikit-learn, the scores that they stand for, and each other."""

from itertools import pairwise

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import metrics

from distill.evaluation.metrics.calibration import BINS, CalibrationError
from distill.evaluation.metrics.curves import at_most, mean_curve, reliability, roc_curve
from distill.evaluation.metrics.ranking import Ranking


def cases(seed: int, count: int = 400, values: int = 10**6) -> tuple[np.ndarray, np.ndarray]:
    """Truth (N,) and probabilities (N,) of one of two classes, which take some values only."""
    rng = np.random.default_rng(seed)
    mine = rng.random(count) < 0.3
    chance = 1 / (1 + np.exp(-rng.normal(size=count) - mine))
    return mine, np.round(chance * values) / values


def area(curve: np.ndarray) -> float:
    return float(np.trapezoid(curve[:, 1], curve[:, 0]))


def height(curve: np.ndarray, rate: float) -> tuple[float, float]:
    """Lowest and highest y at an x, by looking at each piece of the curve."""
    found = []
    for (x0, y0), (x1, y1) in pairwise(curve):
        if x0 <= rate <= x1:
            found += [y0, y1] if x0 == x1 else [y0 + (rate - x0) / (x1 - x0) * (y1 - y0)]
    return min(found), max(found)


@pytest.mark.parametrize("values", [10**6, 7])
def test_the_curve_is_scikit_learns_without_its_straight_points(values: int) -> None:
    mine, chance = cases(1, values=values)
    curve = roc_curve(mine, chance)
    assert curve is not None
    x, y, _ = metrics.roc_curve(mine, chance, drop_intermediate=False)
    for rate, share in zip(x, y, strict=True):
        low, high = height(curve, rate)
        assert low - 1e-12 <= share <= high + 1e-12
    ranking = Ranking(mine.astype(np.intp), np.stack([1 - chance, chance], 1), np.arange(len(mine)))
    areas, _ = ranking(np.ones((1, len(mine)), dtype=np.int64))
    assert area(curve) == pytest.approx(areas[0, 1], abs=1e-12)
    assert len(curve) < len(x) or values == 7
    steps = np.diff(curve, axis=0)
    assert (steps >= 0).all()
    straight = (steps[:-1] == 0) & (steps[1:] == 0)
    assert not straight.any()


def test_a_class_without_cases_or_without_a_rest_has_no_curve() -> None:
    chance = np.array([0.2, 0.7])
    assert roc_curve(np.array([False, False]), chance) is None
    assert roc_curve(np.array([True, True]), chance) is None
    perfect = roc_curve(np.array([False, True]), chance)
    assert perfect is not None
    assert perfect.tolist() == [[0, 0], [0, 1], [1, 1]]


@pytest.mark.parametrize("values", [10**6, 9])
def test_the_mean_curve_has_the_mean_height_everywhere_and_the_mean_area(values: int) -> None:
    mine, _ = cases(0)
    curves = []
    for seed in (3, 4, 5):
        rng = np.random.default_rng(seed)
        chance = np.round((rng.normal(size=len(mine)) + mine) * values) / values
        curve = roc_curve(mine, chance)
        assert curve is not None
        curves.append(curve)
    mean = mean_curve(curves)
    assert area(mean) == pytest.approx(np.mean([area(curve) for curve in curves]), abs=1e-12)
    rates = np.append(np.unique(np.concatenate(curves)[:, 0])[::7], [0.5001, 1 / 3])
    for rate in rates:
        wanted = np.mean([height(curve, rate) for curve in curves], axis=0)
        assert_allclose(height(mean, rate), wanted, atol=1e-12)
    assert mean_curve(curves[:1]) is curves[0]


def test_a_long_curve_keeps_its_ends_and_moves_by_no_more_than_a_step() -> None:
    mine, chance = cases(6, count=6000)
    curve = roc_curve(mine, chance)
    assert curve is not None
    assert at_most(curve, len(curve)) is curve
    for most in (20, 128):
        short = at_most(curve, most)
        assert 10 < len(short) <= most + 1
        assert_array_equal(short[[0, -1]], [[0, 0], [1, 1]])
        for rate, share in curve:
            low, high = height(short, rate)
            assert low - 2 / most <= share <= high + 2 / most
        assert abs(area(short) - area(curve)) < 2 / most


def test_bins_hold_what_the_calibration_error_is_made_of() -> None:
    rng = np.random.default_rng(8)
    chances = rng.dirichlet(np.ones(3), 500)
    chances[:20] = [1.0, 0.0, 0.0]
    truth, predicted = rng.integers(0, 3, 500), chances.argmax(1)
    found = reliability(chances.max(1), predicted == truth)
    assert (found.cases.shape, found.cases.sum()) == ((BINS,), 500)
    assert found.hits.sum() == (predicted == truth).sum()
    assert (found.hits <= found.cases).all()
    error = np.abs(found.confidence - found.hits).sum() / 500
    whole, _ = CalibrationError(truth, chances, predicted, np.zeros(500, dtype=np.intp))(
        np.ones((1, 1))
    )
    assert error == pytest.approx(whole[0], abs=1e-12)
    assert found.cases[-1] >= 20
