"""Area under the ROC curve (AUROC) of each class against the rest, for thousands of draws at once.

AUROC_k is the chance that a case of class k has a higher probability p_k than a case of another
class, ties counting half (Mann and Whitney). With a weight w for each case:

    AUROC_k = Σ_i∈k Σ_j∉k w_i w_j ([p_ik > p_jk] + ½ [p_ik = p_jk]) / (Σ_i∈k w_i · Σ_j∉k w_j)

The cases are sorted once for each class; each draw then takes one pass over them, in whole numbers,
so it is exact. Cost: draws × cases × classes, about a nanosecond each; no table of draws × cases is
held.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from distill.evaluation.metrics.bootstrap import Weights
from distill.types import Floats, Indices


class Auroc:
    """AUROC per class as a function of how often each group of cases is drawn.

    Args:
        truth: (N,) class indices.
        probabilities: (N, K) float64, finite.
        group: (N,) index of the group that each case belongs to; a case weighs what its group does.
    """

    def __init__(self, truth: Indices, probabilities: Floats, group: Indices) -> None:
        order = np.argsort(probabilities, axis=0, kind="stable").T
        ranked = np.take_along_axis(probabilities.T, order, axis=1)
        self._group = np.ascontiguousarray(group[order].astype(np.int64))
        self._mine = truth[order] == np.arange(len(order))[:, None]
        self._last = np.ones(order.shape, dtype=np.bool_)  # of a run of equal probabilities
        self._last[:, :-1] = ranked[:, 1:] != ranked[:, :-1]

    def __call__(self, weights: Weights) -> Floats:
        """Weights (B, G) → AUROC (B, K); NaN where a class or its rest weighs nothing."""
        return _areas(weights, self._group, self._mine, self._last)


@njit(cache=True, nogil=True)
def _areas(
    weights: Weights, group: NDArray[np.int64], mine: NDArray[np.bool_], last: NDArray[np.bool_]
) -> Floats:
    draws, (classes, cases) = weights.shape[0], group.shape
    areas = np.empty((draws, classes))
    for b in range(draws):
        for k in range(classes):
            twice = total = below = tied = tied_others = 0
            for i in range(cases):
                weight = weights[b, group[k, i]]
                if mine[k, i]:
                    tied += weight
                else:
                    tied_others += weight
                if last[k, i]:
                    twice += tied * (2 * below + tied_others)
                    total += tied
                    below += tied_others
                    tied = tied_others = 0
            areas[b, k] = twice / (2 * total * below) if total * below else np.nan
    return areas
