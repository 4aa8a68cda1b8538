"""Drawing counts against drawing cases, and the intervals that follow."""

import numpy as np
import pytest
from scipy.stats import ks_2samp

from distill.evaluation.metrics import bootstrap, classification
from distill.types import Counts, Scores

COUNTS = np.array([[40, 5, 3], [6, 30, 4], [2, 7, 33]])


def scores(counts: Counts) -> Scores:
    return classification.macro(classification.per_class(counts)) | classification.overall(counts)


def cases(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One truth and one prediction for each case counted."""
    truth, predicted = np.indices(counts.shape).reshape(2, -1)
    return np.repeat(truth, counts.ravel()), np.repeat(predicted, counts.ravel())


def over_crops(counts: np.ndarray, seed: int, draws: int = bootstrap.DRAWS) -> np.ndarray:
    """(draws, 3, 3) matrices of resampled crops, by their cells."""
    sizes, tables = bootstrap.cells(counts)
    return over(tables, sizes, seed, draws)


def over_patients(tables: np.ndarray, seed: int, draws: int = bootstrap.DRAWS) -> np.ndarray:
    """(draws, 3, 3) matrices of resampled patients."""
    return over(tables, np.ones(len(tables), np.int64), seed, draws)


def over(tables: np.ndarray, sizes: np.ndarray, seed: int, draws: int) -> np.ndarray:
    blocks = bootstrap.weights(sizes, np.random.default_rng(seed), draws)
    return np.concatenate([bootstrap.weighted(tables, weights) for weights in blocks])


def intervals(matrices: np.ndarray) -> dict[str, np.ndarray]:
    return {name: bootstrap.percentiles(values) for name, values in scores(matrices).items()}


def patients(rng: np.random.Generator, count: int, wrong: float) -> np.ndarray:
    """(P, 3, 3) counts of 20 crops each; `wrong` is the share of patients missed throughout."""
    tables = np.zeros((count, 3, 3), dtype=np.int64)
    for table in tables:
        k = rng.integers(3)
        right = 0 if rng.random() < wrong else 20
        table[k, k], table[k, (k + 1) % 3] = right, 20 - right
    return tables


def test_multinomial_draws_are_distributed_as_resampled_crops() -> None:
    truth, predicted = cases(COUNTS)
    rng = np.random.default_rng(1)
    explicit = np.stack(
        [
            classification.confusion(truth[picked], predicted[picked], 3)
            for picked in rng.integers(len(truth), size=(4000, len(truth)))
        ]
    )
    fast = over_crops(COUNTS, 2, 4000)
    assert (fast.sum((1, 2)) == COUNTS.sum()).all()
    for name in ("f1", "one_vs_rest_accuracy", "precision", "recall"):
        assert ks_2samp(scores(fast)[name], scores(explicit)[name]).pvalue > 0.01, name
    assert ks_2samp(fast[:, 0, 1], explicit[:, 0, 1]).pvalue > 0.01
    # Cells compete for the same N draws: covariance −N p q, not 0.
    np.testing.assert_allclose(
        np.cov(fast[:, 0, 0], fast[:, 1, 1])[0, 1], -40 * 30 / COUNTS.sum(), rtol=0.2
    )


def test_patient_weights_are_distributed_as_resampled_patients() -> None:
    rng = np.random.default_rng(3)
    tables = rng.poisson(rng.gamma(0.5, 4, size=(12, 3, 3))) + np.eye(3, dtype=np.int64)
    explicit = np.stack(
        [tables[picked].sum(0) for picked in rng.integers(len(tables), size=(4000, 12))]
    )
    fast = over_patients(tables, 4, 4000)
    for name in ("f1", "one_vs_rest_accuracy", "precision", "recall"):
        assert ks_2samp(scores(fast)[name], scores(explicit)[name]).pvalue > 0.01, name
    assert ks_2samp(fast.sum((1, 2)), explicit.sum((1, 2))).pvalue > 0.01


def test_the_two_sample_test_can_tell_the_units_apart() -> None:
    tables = patients(np.random.default_rng(5), 12, 0.3)
    crops = over_crops(tables.sum(0), 6, 4000)
    people = over_patients(tables, 7, 4000)
    assert ks_2samp(scores(crops)["f1"], scores(people)["f1"]).pvalue < 1e-6


def test_a_weight_of_one_each_is_the_point_estimate() -> None:
    tables = np.random.default_rng(8).integers(0, 9, size=(15, 3, 3))
    summed = bootstrap.weighted(tables, np.ones((2, 15), dtype=np.int64))
    np.testing.assert_array_equal(summed, np.stack([tables.sum(0)] * 2))
    twice = bootstrap.weighted(tables, np.eye(15, dtype=np.int64)[[4]] * 2)[0]
    np.testing.assert_array_equal(twice, 2 * tables[4])


@pytest.mark.parametrize("serial", [1, 5000, 2**30])
def test_small_and_large_products_are_the_same(
    serial: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    tables, times = rng.integers(9, size=(7, 3, 3)), rng.integers(4, size=(200, 7))
    monkeypatch.setattr(bootstrap, "SERIAL", serial)
    wanted = np.stack([sum(n * t for n, t in zip(row, tables, strict=True)) for row in times])
    np.testing.assert_array_equal(bootstrap.weighted(tables, times), wanted)


def test_a_perfect_classifier_has_no_width() -> None:
    tables = np.stack([np.diag([1, 2, 3])] * 5)
    for matrices in (over_crops(np.diag([20, 1200, 30]), 0, 500), over_patients(tables, 0, 500)):
        for name, (low, high) in intervals(matrices).items():
            assert (low, high) == (1, 1), name


def test_patients_alike_within_themselves_widen_the_interval() -> None:
    tables = patients(np.random.default_rng(9), 45, 0.2)
    crops, people = intervals(over_crops(tables.sum(0), 1)), intervals(over_patients(tables, 1))
    for name in ("f1", "one_vs_rest_accuracy"):
        ratio = np.ptp(people[name]) / np.ptp(crops[name])
        assert 3.5 < ratio < 5.5, (name, ratio)  # √20 = 4.5 for 20 crops that agree entirely


def test_crops_that_are_their_own_patients_give_the_same_interval() -> None:
    truth, predicted = cases(COUNTS)
    tables = np.zeros((len(truth), 3, 3), dtype=np.int64)
    tables[np.arange(len(truth)), truth, predicted] = 1
    people = intervals(over_patients(tables, 2))
    for name, ends in intervals(over_crops(COUNTS, 1)).items():
        np.testing.assert_allclose(people[name], ends, atol=0.01)


def test_cells_are_the_crops_grouped() -> None:
    counts = COUNTS * [[1, 0, 1], [1, 1, 1], [0, 1, 1]]
    sizes, tables = bootstrap.cells(counts)
    assert sizes.tolist() == counts[counts > 0].tolist()
    np.testing.assert_array_equal(bootstrap.weighted(tables, sizes[None])[0], counts)


def test_the_interval_is_the_percentile_one_of_the_draws_that_define_the_value() -> None:
    whole = np.arange(101.0)
    gaps = np.where(whole % 2, np.nan, whole)
    nowhere = np.full(101, np.nan)
    found = bootstrap.percentiles(np.stack([whole, gaps, nowhere], axis=1))
    np.testing.assert_allclose(found, [[2.5, 2.5, np.nan], [97.5, 97.5, np.nan]])
    np.testing.assert_allclose(bootstrap.percentiles(whole, 0.5), [25, 75])


@pytest.mark.parametrize("sizes", [[40, 5, 3, 6], [1] * 7])
def test_the_generator_alone_decides_and_blocks_change_nothing(
    sizes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def blocks(seed: int, row: int = 0) -> list[np.ndarray]:
        return list(bootstrap.weights(np.array(sizes), np.random.default_rng(seed), 1000, row))

    (whole,), (other,) = blocks(5), blocks(6)
    assert whole.shape == (1000, len(sizes))
    assert (whole.sum(1) == sum(sizes)).all()
    assert (whole != other).any()
    monkeypatch.setattr(bootstrap, "BLOCK_BYTES", 4096)
    for parts in (blocks(5), blocks(5, row=9)):
        assert len(parts) > 20
        np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_nothing_to_draw_is_refused() -> None:
    rng = np.random.default_rng(0)
    for sizes in ([], [3, 0]):
        with pytest.raises(ValueError, match="at least one unit each"):
            next(bootstrap.weights(np.array(sizes, dtype=np.int64), rng))
    with pytest.raises(ValueError, match="draws"):
        next(bootstrap.weights(np.array([3, 1]), rng, 0))
