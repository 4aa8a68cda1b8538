"""Net benefit of decisions about a class, and its decision curve (Vickers & Elkin 2006).

Whoever calls a case class k from p_k ≥ t on holds a miss for (1 − t) / t times as bad as a false
alarm. Of n cases, TP of class k and FP of the rest are called so, and

    NB_k(t) = TP / n − FP / n · t / (1 − t)

is what that brings, in true positives per case. Calling all cases so brings the same with TP and FP
all cases of the class and of the rest; calling none brings 0.

NB is linear in TP and FP: that of several runs' mean, or of runs minus others, is that of the mean
or difference of their TP and FP. So one product of matrices draws it, however many runs there are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from distill.evaluation.metrics import bootstrap
from distill.evaluation.metrics.bootstrap import Weights
from distill.evaluation.metrics.resampling import Cases
from distill.types import Floats, Indices

THRESHOLDS: Floats = np.arange(1, 100) / 100
ODDS: Floats = np.arange(1, 100) / np.arange(99, 0, -1)
"""t / (1 − t)."""
KEPT_BYTES = 64 * 2**20
"""Of net benefits in draws that are held at once; of more classes the draws are made again."""


@dataclass(frozen=True)
class DecisionCurves:
    """Decision curves of K classes at T thresholds; NaN where a class has no case.

    Attributes:
        hits: (K, T) TP, of several runs their mean; of a difference the difference.
        false: (K, T) FP, likewise.
        value: (K, T) net benefit.
        interval: (2, K, T) its ends; NaN where no draw or but one unit is there.
        treat_all: (K, T) net benefit of calling all cases the class.
        treat_all_interval: (2, K, T).
        draws: (K,) how many draws have a case of the class.
    """

    hits: Floats
    false: Floats
    value: Floats
    interval: Floats
    treat_all: Floats
    treat_all_interval: Floats
    draws: Indices


def decision_curves(cases: Cases, minus: int, unit: str, draws: int, seed: int) -> DecisionCurves:
    """Return the curves of the mean of the runs from place `minus` on, minus that of those before.

    Args:
        cases: N cases that R runs answered for.
        minus: how many of the runs are subtracted; 0 for none.
        unit: "patient" draws the patients that `resampling.bootstrap_scores` does; "crop" draws
            cases, for each class in draws of its own.
        draws: number of resamples.
        seed: decides them.
    """
    runs, _, classes = cases.probabilities.shape
    share = np.full(runs, 1 / (runs - minus))
    share[:minus] = -1 / max(minus, 1)
    everyone = np.zeros(len(cases.truth), dtype=np.intp)
    hits, false = (
        np.stack([np.tensordot(share, one[:, 0], 1) for one in counted])
        for counted in zip(*(_counts(cases, k, everyone) for k in range(classes)), strict=True)
    )
    mine = np.bincount(cases.truth, minlength=classes)
    total = len(cases.truth)
    value = np.where(mine[:, None] > 0, (hits - false * ODDS) / total, np.nan)
    prevalence = np.where(mine > 0, mine / total, np.nan)
    ends, all_ends = np.full((2, 2, classes, len(THRESHOLDS)), np.nan)
    defined = np.zeros(classes, dtype=np.intp)
    for k, drawn, shares in _drawn(cases, share, unit, draws, seed):
        there = shares > 0  # a draw without a case of the class says nothing of it
        defined[k] = int(there.sum())
        if cases.units(unit) > 1 and defined[k]:
            ends[:, k] = bootstrap.percentiles(drawn[there])
            all_ends[:, k] = _treat_all(bootstrap.percentiles(shares[there])[:, None])
    treat_all = _treat_all(prevalence[:, None])
    return DecisionCurves(hits, false, value, ends, treat_all, all_ends, defined)


def _treat_all(prevalence: Floats) -> Floats:
    """Net benefit of calling all cases the class, which grows with its share of them."""
    found: Floats = prevalence - (1 - prevalence) * ODDS
    return found


def _drawn(
    cases: Cases, share: Floats, unit: str, draws: int, seed: int
) -> Iterator[tuple[int, Floats, Floats]]:
    """Yield each class with its net benefit in the draws (draws, T), and its share of cases."""
    classes = cases.probabilities.shape[2]
    if unit == "patient":
        sizes = np.ones(int(cases.patient.max()) + 1, dtype=np.intp)
        most = max(1, KEPT_BYTES // (8 * draws * len(THRESHOLDS)))
        for start in range(0, classes, most):
            some = range(start, min(start + most, classes))
            tables = np.stack([_gains(cases, k, cases.patient, share) for k in some], axis=1)
            found = _resample(tables, np.bincount(cases.patient), sizes, draws, seed)
            for place, k in enumerate(some):
                yield k, found[:, place, :-1], found[:, place, -1]
        return
    for k in range(classes):
        alike = np.stack([cases.truth == k, *_bins(cases.probabilities[..., k])])
        cell = np.unique(alike, axis=1, return_inverse=True)[1].reshape(-1)
        sizes = np.bincount(cell)
        # a cell's table holds one case, which its weight multiplies
        table = _gains(cases, k, cell, share)[:, None] / sizes[:, None, None]
        found = _resample(table, np.ones_like(sizes), sizes, draws, seed)
        yield k, found[:, 0, :-1], found[:, 0, -1]


def _resample(
    tables: Floats, cases: NDArray[np.intp], sizes: NDArray[np.intp], draws: int, seed: int
) -> Floats:
    """Divide the sums of the groups' tables (G, …) in each draw by the cases drawn: (draws, …)."""
    found = np.empty((draws, *tables.shape[1:]))
    start = 0
    for weights in bootstrap.weights(sizes, np.random.default_rng(seed), draws, tables[0].size + 1):
        found[start : start + len(weights)] = _means(tables, cases, weights)
        start += len(weights)
    return found


def _means(tables: Floats, cases: NDArray[np.intp], weights: Weights) -> Floats:
    sums = bootstrap.weighted(tables, weights)
    sums /= bootstrap.weighted(cases, weights).reshape(-1, *(1 for _ in tables.shape[1:]))
    return sums


def _gains(cases: Cases, k: int, group: Indices, share: Floats) -> Floats:
    """Sum TP − FP · t / (1 − t) of each group over thresholds, and count its cases of class k.

    Returns:
        (G, T + 1); of several runs the mean or difference that `share` makes.
    """
    hits, false = _counts(cases, k, group)
    gains = np.tensordot(share, hits - false * ODDS, 1)
    mine = np.bincount(group, cases.truth == k)
    return np.concatenate([gains, mine[:, None]], axis=1)


def _counts(cases: Cases, k: int, group: Indices) -> tuple[Floats, Floats]:
    """Count TP and FP of class k in each group, at each threshold: both (R, G, T)."""
    groups, bins = int(group.max()) + 1, len(THRESHOLDS) + 1
    mine = cases.truth == k
    found = []
    for rows in (mine, ~mine):
        counts = [
            np.bincount(group[rows] * bins + place[rows], minlength=groups * bins)
            for place in _bins(cases.probabilities[..., k])
        ]
        table = np.stack(counts).reshape(-1, groups, bins)
        # a case is called so at all thresholds up to its own
        called = table[..., ::-1].cumsum(-1)[..., ::-1][..., 1:]
        found.append(called.astype(np.float64))
    return found[0], found[1]


def _bins(probability: Floats) -> Indices:
    """Return how many thresholds each probability reaches, 0 … T."""
    return np.searchsorted(THRESHOLDS, probability, side="right").astype(np.intp)
