"""How well probabilities rank the cases: AUROC and average precision, of many draws at once.

AUROC_k is the chance that a case of class k has a higher probability p_k than a case of another
class, ties counting half (Mann and Whitney). With a weight w for each case:

    AUROC_k = Σ_i∈k Σ_j∉k w_i w_j ([p_ik > p_jk] + ½ [p_ik = p_jk]) / (Σ_i∈k w_i · Σ_j∉k w_j)

Average precision is the area under the precision-recall curve as scikit-learn has it, in steps and
without interpolation: over the distinct values t of p_k from the highest, with precision P and
recall R of calling class k all cases with p_k ≥ t,

    AP_k = Σ_t (R_t − R_before t) · P_t

The cases are sorted once for each class; the draws then take one pass over them, `LANES` at a
time. Counts are whole numbers (below 2⁵³), so AUROC is exact. Cost: draws × cases × classes, some
tenths of a nanosecond each; no table of draws × cases is held.
"""

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numba import njit
from numpy.typing import NDArray

from distill.evaluation.metrics.bootstrap import Weights
from distill.types import Floats, Indices

LANES = 16
"""Draws that are counted together, in the lanes of vector instructions."""
FEW = 2**20
"""Steps of passes that are over before threads would have started."""


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
        self._mine = np.ascontiguousarray(truth[order] == np.arange(len(order))[:, None])
        self._last = np.ones(order.shape, dtype=np.bool_)  # of a run of equal probabilities
        self._last[:, :-1] = ranked[:, 1:] != ranked[:, :-1]

    def __call__(self, weights: Weights) -> tuple[Floats, Floats]:
        """Weights (B, G) → AUROC and average precision, both (B, K).

        NaN where a class weighs nothing; AUROC also where its rest does.
        """
        draws, classes = len(weights), len(self._group)
        found = np.empty((2, draws, classes))

        def take(start: int) -> None:
            count = min(LANES, draws - start)
            lanes = np.zeros((weights.shape[1], LANES))
            lanes[:, :count] = weights[start : start + count].T
            made = _pass(lanes, self._group, self._mine, self._last)
            found[:, start : start + count] = made[:, :count]

        starts = range(0, draws, LANES)
        if len(starts) * self._group.size < FEW:
            for start in starts:
                take(start)
        else:  # a pass holds no lock of Python's, and each writes its own draws
            with ThreadPoolExecutor(os.cpu_count()) as threads:
                for _ in threads.map(take, starts):
                    pass
        return found[0], found[1]


@njit(cache=True, nogil=True)
def _pass(
    weights: NDArray[np.float64],
    group: NDArray[np.int64],
    mine: NDArray[np.bool_],
    last: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """Weights (G, B), a draw a lane → AUROC and average precision, (2, B, K)."""
    lanes, (classes, cases) = weights.shape[1], group.shape
    found = np.empty((2, lanes, classes))
    lost = np.empty(lanes)  # twice the pairs ranked wrong
    gained, above, all_above = np.empty(lanes), np.empty(lanes), np.empty(lanes)
    tied, all_tied = np.zeros(lanes), np.zeros(lanes)
    for k in range(classes):
        lost[:], gained[:], above[:], all_above[:] = 0.0, 0.0, 0.0, 0.0
        alone = True  # no equal probability came before
        for i in range(cases):
            row = weights[group[k, i]]
            if alone and last[k, i]:
                if mine[k, i]:
                    for b in range(lanes):
                        lost[b] += row[b] * (2 * (all_above[b] - above[b]))
                        above[b] += row[b]
                        all_above[b] += row[b]
                        gained[b] += row[b] * (above[b] / max(all_above[b], 1.0))
                else:
                    for b in range(lanes):
                        all_above[b] += row[b]
                continue
            for b in range(lanes):
                all_tied[b] += row[b]
            if mine[k, i]:
                for b in range(lanes):
                    tied[b] += row[b]
            alone = last[k, i]
            if alone:
                for b in range(lanes):
                    lost[b] += tied[b] * (2 * (all_above[b] - above[b]) + all_tied[b] - tied[b])
                    above[b] += tied[b]
                    all_above[b] += all_tied[b]
                    gained[b] += tied[b] * (above[b] / max(all_above[b], 1.0))
                    tied[b] = all_tied[b] = 0.0
        for b in range(lanes):
            pairs = 2 * above[b] * (all_above[b] - above[b])
            found[0, b, k] = (pairs - lost[b]) / pairs if pairs else np.nan
            found[1, b, k] = gained[b] / above[b] if above[b] else np.nan
    return found
