"""Curves behind scores: ROC, and the bins of a reliability diagram. Pure.

The *ROC curve* of a class calls it all cases with p_k ≥ t, for every value t of p_k from the
highest: the share of the other cases so called (x), and of its own (y). Equal probabilities are
called at once, so ties are a slope, and the area below the curve is AUROC as
`distill.evaluation.metrics.ranking` has it.

A *reliability diagram* sets the mean confidence of each bin of
`distill.evaluation.metrics.calibration` beside the share of hits in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from distill.evaluation.metrics.calibration import BINS, bins
from distill.types import Floats, Indices


def roc_curve(mine: NDArray[np.bool_], probability: Floats) -> Floats | None:
    """Return the corners of the ROC curve of a class.

    Args:
        mine: (N,) whether a case is of the class.
        probability: (N,) of the class, finite.

    Returns:
        (M, 2) false-positive and true-positive rate, from (0, 0) to (1, 1); None where the class or
        its rest has no case.
    """
    total = int(mine.sum())
    if total in (0, len(mine)):
        return None
    _, hits, false = counts_by_threshold(mine, probability)
    return _corners(np.stack([false / (len(mine) - total), hits / total], axis=1))


def counts_by_threshold(
    mine: NDArray[np.bool_], probability: Floats
) -> tuple[Floats, Indices, Indices]:
    """Count what each threshold calls a class.

    Args:
        mine: (N,) whether a case is of the class; N ≥ 1.
        probability: (N,) of the class, finite.

    Returns:
        Thresholds (T,), infinity and then the distinct probabilities from the highest; how many
        cases of the class have p ≥ threshold (T,); how many of the rest have (T,).
    """
    order = np.argsort(-probability, kind="stable")
    ranked = probability[order]
    last = np.append(np.flatnonzero(ranked[1:] != ranked[:-1]), len(mine) - 1)
    hits = np.append(0, np.cumsum(mine[order], dtype=np.intp)[last])
    called = np.append(0, last + 1)
    return np.append(np.inf, ranked[last]), hits, called - hits


def mean_curve(curves: Sequence[Floats]) -> Floats:
    """Return the mean of ROC curves at each false-positive rate.

    The area below it is the mean of their areas; of one curve it is that curve.

    Args:
        curves: at least one; each (M, 2).
    """
    if len(curves) == 1:
        return curves[0]
    rates = np.unique(np.concatenate([curve[:, 0] for curve in curves]))
    ends = np.mean([_ends(curve, rates) for curve in curves], axis=0)
    return _corners(np.stack([np.repeat(rates, 2), ends.ravel()], axis=1))


def at_most(curve: Floats, most: int) -> Floats:
    """Return an ROC curve with no more than `most` + 1 points.

    A curve of no more than `most` points stays as it is. Of another the first point in each 2 /
    `most` of x + y is kept, and the end: nothing moves by more than that.
    """
    if len(curve) <= most:
        return curve
    step = np.minimum(curve.sum(1) * most // 2, most - 1)
    kept = np.append(True, step[1:] != step[:-1])
    kept[-1] = True
    short: Floats = curve[kept]
    return short


@dataclass(frozen=True)
class Reliability:
    """Cases by confidence.

    Attributes:
        cases: (`BINS`,) how many are in each bin.
        confidence: (`BINS`,) sum of their confidences.
        hits: (`BINS`,) how many of them are hits.
    """

    cases: Indices
    confidence: Floats
    hits: Indices


def reliability(confidence: Floats, hit: NDArray[np.bool_]) -> Reliability:
    """Sort cases into bins: their confidences (N,) in [0, 1], and whether each is a hit (N,)."""
    place = bins(confidence)
    return Reliability(
        np.bincount(place, minlength=BINS),
        np.bincount(place, confidence, minlength=BINS).astype(np.float64),
        np.bincount(place[hit], minlength=BINS),
    )


def _corners(points: Floats) -> Floats:
    """Leave out what repeats a point or lies inside a level or an upright line."""
    fresh = np.append(True, (points[1:] != points[:-1]).any(1))
    found = points[fresh]
    before, middle, after = found[:-2], found[1:-1], found[2:]
    inside = ((before == middle) & (middle == after)).any(1)
    corners: Floats = found[np.concatenate([[True], ~inside, [True]])]
    return corners


def _ends(curve: Floats, rates: Floats) -> Floats:
    """Return the lowest and highest y of a curve at each of some x: (N, 2)."""
    x, y = curve[:, 0], curve[:, 1]
    first, after = np.searchsorted(x, rates, "left"), np.searchsorted(x, rates, "right")
    there = first < after
    low, high = y[first], y[np.maximum(after - 1, 0)]
    start, end = np.maximum(first - 1, 0), first
    width = np.where(there, 1.0, x[end] - x[start])
    between = y[start] + (rates - x[start]) / width * (y[end] - y[start])
    return np.stack([np.where(there, low, between), np.where(there, high, between)], axis=1)
