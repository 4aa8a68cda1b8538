"""Brier score: the squared distance of probabilities from the truth.

Overall, the mean over cases of Σ_k (p_k − [truth = k])², from 0 to 2 (Brier 1950). Per class the
mean of (p_k − [truth = k])², from 0 to 1, as scikit-learn's `brier_score_loss` of one class against
the rest; over the classes these add up to the overall score.
"""

import numpy as np

from distill.evaluation.metrics.bootstrap import Weights, weighted
from distill.types import Floats, Indices


class Brier:
    """The Brier score as a function of how often each group of cases is drawn.

    Args:
        truth: (N,) class indices.
        probabilities: (N, K) float64.
        group: (N,) index of the group that each case belongs to, each of 0 … G − 1 at least once.
    """

    def __init__(self, truth: Indices, probabilities: Floats, group: Indices) -> None:
        away = probabilities.copy()
        away[np.arange(len(truth)), truth] -= 1
        self._sums = np.zeros((int(group.max()) + 1, away.shape[1]))
        np.add.at(self._sums, group, away**2)
        self._cases = np.bincount(group)

    def __call__(self, weights: Weights) -> tuple[Floats, Floats]:
        """Weights (B, G) → the score overall (B,) and of each class (B, K)."""
        each = weighted(self._sums, weights) / weighted(self._cases, weights)[:, None]
        return each.sum(-1), each
