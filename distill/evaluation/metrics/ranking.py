"""How well probabilities rank the cases: AUROC and average precision, of many draws at once.

AUROC_k is the chance that a case of class k has a higher probability p_k than a case of another
class, ties counting half (Mann and Whitney). With a weight w for each case:

    AUROC_k = Σ_i∈k Σ_j∉k w_i w_j ([p_ik > p_jk] + ½ [p_ik = p_jk]) / (Σ_i∈k w_i · Σ_j∉k w_j)

Average precision is the area under the precision-recall curve as scikit-learn has it, in steps and
without interpolation: over the distinct values t of p_k from the highest, with precision P and
recall R of calling class k all cases with p_k ≥ t,

    AP_k = Σ_t (R_t − R_before t) · P_t

The cases are sorted once for each class; each draw then takes one pass over them. Counts are whole
numbers, so AUROC is exact. Cost: draws × cases × classes, about a nanosecond each; no table of
draws × cases is held.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from distill.evaluation.metrics.bootstrap import Weights
from distill.types import Floats, Indices


class Ranking:
    """AUROC and average precision per class as a function of how often each group is drawn.

    Args:
        truth: (N,) class indices.
        probabilities: (N, K) float64, finite.
        group: (N,) index of the group that each case belongs to; a case weighs what its group does.
    """

    def __init__(self, truth: Indices, probabilities: Floats, group: Indices) -> None:
        order = np.argsort(-probabilities, axis=0, kind="stable").T
        ranked = np.take_along_axis(probabilities.T, order, axis=1)
        self._group = np.ascontiguousarray(group[order].astype(np.int64))
        self._mine = (truth[order] == np.arange(len(order))[:, None]).astype(np.int64)
        self._last = np.ones(order.shape, dtype=np.bool_)  # of a run of equal probabilities
        self._last[:, :-1] = ranked[:, 1:] != ranked[:, :-1]

    def __call__(self, weights: Weights) -> tuple[Floats, Floats]:
        """Weights (B, G) → AUROC and average precision, both (B, K).

        NaN where a class weighs nothing; AUROC also where its rest does.
        """
        return _pass(weights, self._group, self._mine, self._last)


@njit(cache=True, nogil=True)
def _pass(
    weights: Weights, group: NDArray[np.int64], mine: NDArray[np.int64], last: NDArray[np.bool_]
) -> tuple[Floats, Floats]:
    draws, (classes, cases) = weights.shape[0], group.shape
    areas = np.empty((draws, classes))
    precisions = np.empty((draws, classes))
    for b in range(draws):
        row = weights[b]
        for k in range(classes):
            lost = above = all_above = tied = all_tied = 0  # lost: twice the pairs ranked wrong
            gained = 0.0
            for i in range(cases):
                weight = row[group[k, i]]
                tied += weight * mine[k, i]  # a product, for a branch is guessed wrong too often
                all_tied += weight
                if last[k, i]:
                    lost += tied * (2 * (all_above - above) + all_tied - tied)
                    above += tied
                    all_above += all_tied
                    gained += tied * (above / max(all_above, 1))
                    tied = all_tied = 0
            pairs = 2 * above * (all_above - above)
            areas[b, k] = (pairs - lost) / pairs if pairs else np.nan
            precisions[b, k] = gained / above if above else np.nan
    return areas, precisions
