"""AUROC and average precision against scikit-learn: ties, absent classes, weights."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from distill.evaluation.metrics import classification
from distill.evaluation.metrics.ranking import Ranking


@st.composite
def ranked(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Truth (N,), and scores (N, K) with many ties; classes may be absent."""
    classes, cases = draw(st.integers(2, 5)), draw(st.integers(1, 25))
    truth = draw(st.lists(st.integers(0, classes - 1), min_size=cases, max_size=cases))
    scores = draw(st.lists(st.integers(0, 6), min_size=cases * classes, max_size=cases * classes))
    return np.array(truth, np.intp), np.array(scores, float).reshape(cases, classes) / 7


@given(ranked())
def test_it_equals_scikit_learn(case: tuple[np.ndarray, np.ndarray]) -> None:
    truth, scores = case
    once = np.ones((1, len(truth)), np.int64)
    (ours,), (precisions,) = Ranking(truth, scores, np.arange(len(truth)))(once)
    theirs, wanted = np.full((2, scores.shape[1]), np.nan)
    for k in range(scores.shape[1]):
        if 0 < (truth == k).sum() < len(truth):
            theirs[k] = roc_auc_score(truth == k, scores[:, k])
        if (truth == k).any():
            wanted[k] = average_precision_score(truth == k, scores[:, k])
    np.testing.assert_allclose(precisions, wanted, rtol=0, atol=1e-12)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-12)
    if np.isfinite(theirs).any():
        np.testing.assert_allclose(
            classification.mean(ours), np.nanmean(theirs), rtol=0, atol=1e-12
        )


def test_weights_stand_for_repeated_groups() -> None:
    rng = np.random.default_rng(0)
    truth, group = rng.integers(3, size=60), rng.integers(7, size=60)
    scores = rng.integers(0, 9, size=(60, 3)) / 9
    weights = rng.integers(0, 4, size=(20, 7))
    found = Ranking(truth, scores, group)(weights)
    for row, precision, weight in zip(*found, weights, strict=True):
        picked = np.repeat(np.arange(60), weight[group])
        for k in range(3):
            theirs = roc_auc_score(truth[picked] == k, scores[picked, k])
            assert row[k] == pytest.approx(theirs, abs=1e-12)
            theirs = average_precision_score(truth[picked] == k, scores[picked, k])
            assert precision[k] == pytest.approx(theirs, abs=1e-12)


def test_whole_numbers_stay_exact_over_many_cases() -> None:
    truth = np.repeat([0, 1], 60_000)
    scores = np.stack([np.zeros(120_000), truth / 2.0], axis=1)
    found, _ = Ranking(truth, scores, truth)(np.array([[3, 5]]))
    np.testing.assert_array_equal(found, [[0.5, 1.0]])
