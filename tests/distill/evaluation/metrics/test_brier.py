"""The Brier score against scikit-learn, and in weighted groups."""

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss

from distill.evaluation.metrics.brier import Brier


def test_it_equals_scikit_learn_class_by_class_and_these_add_up() -> None:
    rng = np.random.default_rng(0)
    truth, group = rng.integers(4, size=90), np.arange(90) % 8
    probabilities = rng.dirichlet(np.ones(4), size=90)
    weights = rng.integers(0, 4, size=(20, 8))
    overall, each = Brier(truth, probabilities, group)(weights)
    for row, total, weight in zip(each, overall, weights, strict=True):
        picked = np.repeat(np.arange(90), weight[group])
        for k in range(4):
            theirs = brier_score_loss(truth[picked] == k, probabilities[picked, k])
            assert row[k] == pytest.approx(theirs, abs=1e-12)
        away = probabilities[picked] - np.eye(4)[truth[picked]]
        assert total == pytest.approx((away**2).sum(1).mean(), abs=1e-12)


def test_sure_and_right_is_0_and_sure_and_wrong_is_2() -> None:
    sure = np.eye(3)[[0, 1]]
    once = np.ones((1, 2), np.int64)
    assert Brier(np.array([0, 1]), sure, np.arange(2))(once)[0] == pytest.approx([0])
    assert Brier(np.array([1, 2]), sure, np.arange(2))(once)[0] == pytest.approx([2])
