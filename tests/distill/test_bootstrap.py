"""Drawing counts against drawing cases, and the intervals that follow."""

import numpy as np
import pytest
from scipy.stats import ks_2samp

from distill import bootstrap, metrics

COUNTS = np.array([[40, 5, 3], [6, 30, 4], [2, 7, 33]])


def scores(counts: metrics.Counts) -> metrics.Scores:
    return metrics.macro(metrics.per_class(counts)) | metrics.overall(counts)


def cases(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One truth and one prediction for each case counted."""
    truth, predicted = np.indices(counts.shape).reshape(2, -1)
    return np.repeat(truth, counts.ravel()), np.repeat(predicted, counts.ravel())


def drawn(blocks: object) -> np.ndarray:
    return np.concatenate(list(blocks))  # type: ignore[call-overload]


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
            metrics.confusion(truth[picked], predicted[picked], 3)
            for picked in rng.integers(len(truth), size=(4000, len(truth)))
        ]
    )
    fast = drawn(bootstrap.over_crops(COUNTS, np.random.default_rng(2), 4000))
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
    fast = drawn(bootstrap.over_patients(tables, np.random.default_rng(4), 4000))
    for name in ("f1", "one_vs_rest_accuracy", "precision", "recall"):
        assert ks_2samp(scores(fast)[name], scores(explicit)[name]).pvalue > 0.01, name
    assert ks_2samp(fast.sum((1, 2)), explicit.sum((1, 2))).pvalue > 0.01


def test_the_two_sample_test_can_tell_the_units_apart() -> None:
    tables = patients(np.random.default_rng(5), 12, 0.3)
    crops = drawn(bootstrap.over_crops(tables.sum(0), np.random.default_rng(6), 4000))
    people = drawn(bootstrap.over_patients(tables, np.random.default_rng(7), 4000))
    assert ks_2samp(scores(crops)["f1"], scores(people)["f1"]).pvalue < 1e-6


def test_a_weight_of_one_each_is_the_point_estimate() -> None:
    tables = np.random.default_rng(8).integers(0, 9, size=(15, 3, 3))
    summed = bootstrap.weighted(tables, np.ones((2, 15), dtype=np.int64))
    np.testing.assert_array_equal(summed, np.stack([tables.sum(0)] * 2))
    twice = bootstrap.weighted(tables, np.eye(15, dtype=np.int64)[[4]] * 2)[0]
    np.testing.assert_array_equal(twice, 2 * tables[4])


def test_a_perfect_classifier_has_no_width() -> None:
    perfect = np.diag([20, 1200, 30])
    tables = np.stack([np.diag([1, 2, 3])] * 5)
    for blocks in (
        bootstrap.over_crops(perfect, np.random.default_rng(0), 500),
        bootstrap.over_patients(tables, np.random.default_rng(0), 500),
    ):
        for name, (low, high) in bootstrap.intervals(blocks, scores).items():
            assert (low, high) == (1, 1), name


def test_patients_alike_within_themselves_widen_the_interval() -> None:
    tables = patients(np.random.default_rng(9), 45, 0.2)
    crops = bootstrap.intervals(
        bootstrap.over_crops(tables.sum(0), np.random.default_rng(1)), scores
    )
    people = bootstrap.intervals(bootstrap.over_patients(tables, np.random.default_rng(1)), scores)
    for name in ("f1", "one_vs_rest_accuracy"):
        ratio = np.ptp(people[name]) / np.ptp(crops[name])
        assert 3.5 < ratio < 5.5, (name, ratio)  # √20 = 4.5 for 20 crops that agree entirely


def test_crops_that_are_their_own_patients_give_the_same_interval() -> None:
    truth, predicted = cases(COUNTS)
    tables = np.zeros((len(truth), 3, 3), dtype=np.int64)
    tables[np.arange(len(truth)), truth, predicted] = 1
    crops = bootstrap.intervals(bootstrap.over_crops(COUNTS, np.random.default_rng(1)), scores)
    people = bootstrap.intervals(bootstrap.over_patients(tables, np.random.default_rng(2)), scores)
    for name, ends in crops.items():
        np.testing.assert_allclose(people[name], ends, atol=0.01)


def test_the_unit_decides_what_is_drawn() -> None:
    tables = patients(np.random.default_rng(9), 12, 0.2)
    for unit, blocks in (
        ("patient", bootstrap.over_patients(tables, np.random.default_rng(1), 40)),
        ("crop", bootstrap.over_crops(tables.sum(0), np.random.default_rng(1), 40)),
    ):
        chosen = drawn(bootstrap.over(unit, tables, np.random.default_rng(1), 40))
        np.testing.assert_array_equal(chosen, drawn(blocks))
    with pytest.raises(ValueError, match="slide"):
        bootstrap.over("slide", tables, np.random.default_rng(1))


def test_the_interval_is_the_percentile_one() -> None:
    blocks = [np.arange(60.0).reshape(60, 1, 1), np.arange(60.0, 101).reshape(41, 1, 1)]
    ends = bootstrap.intervals(iter(blocks), lambda counts: {"x": counts[:, 0, 0]})["x"]
    np.testing.assert_allclose(ends, [2.5, 97.5])


def test_the_generator_alone_decides_and_blocks_change_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tables = np.random.default_rng(0).integers(1, 9, size=(6, 3, 3))

    def both(seed: int) -> tuple[np.ndarray, np.ndarray]:
        return (
            drawn(bootstrap.over_crops(COUNTS, np.random.default_rng(seed), 1000)),
            drawn(bootstrap.over_patients(tables, np.random.default_rng(seed), 1000)),
        )

    whole = both(5)
    other = both(6)
    monkeypatch.setattr(bootstrap, "BLOCK_BYTES", 4096)
    assert len(list(bootstrap.over_crops(COUNTS, np.random.default_rng(5), 1000))) == 18
    for one, two, three in zip(whole, both(5), other, strict=True):
        assert one.shape == (1000, 3, 3)
        np.testing.assert_array_equal(one, two)
        assert (one != three).any()


def test_nothing_to_draw_is_refused() -> None:
    rng = np.random.default_rng(0)
    empty = np.zeros((3, 3), dtype=np.int64)
    with pytest.raises(ValueError, match="at least one case"):
        next(bootstrap.over_crops(empty, rng))
    with pytest.raises(ValueError, match="at least one case each"):
        next(bootstrap.over_patients(np.stack([COUNTS, empty]), rng))
    with pytest.raises(ValueError, match="draws"):
        next(bootstrap.over_crops(COUNTS, rng, 0))
