"""Operating points: yes-or-no decisions about a class, "p_k ≥ t", and what they are worth.

For each class k against the rest, with a threshold t, TP and FP are the flagged cases (p_k ≥ t) of
class k and of the rest, P and N all cases of class k and of the rest:

    sensitivity = TP / P              PPV = TP / (TP + FP)          flagged = (TP + FP) / (P + N)
    specificity = (N − FP) / N        NPV = (N − FP) / (P + N − TP − FP)

A ratio whose denominator is 0 is not defined: NaN. (`classification` counts it as 0, as
scikit-learn does; but a threshold that flags nobody has no positive predictive value.)

Thresholds worth looking at are the values of p_k, and one above them all, with which nothing is
flagged: all others decide like one of these.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from distill.evaluation.metrics import bootstrap
from distill.evaluation.metrics.bootstrap import Weights
from distill.evaluation.metrics.curves import counts_by_threshold
from distill.types import Floats, Indices, Scores

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Cut:
    """A threshold, and what it does to the cases that it was chosen on.

    Attributes:
        threshold: cases with p ≥ threshold are flagged; infinity flags none.
        cases: of the class.
        others: of the rest.
        sensitivity, specificity: fractions of 1.
    """

    threshold: float
    cases: int
    others: int
    sensitivity: float
    specificity: float


@dataclass(frozen=True)
class Decisions:
    """What R runs decided about N cases, for K classes each against the rest.

    Attributes:
        mine: (N, K) whether a case is of the class.
        flagged: (R, N, K) whether it is called so.
        patient: (N,) 0 … P − 1, each at least once.
    """

    mine: Flags
    flagged: Flags
    patient: Indices


def choose(mine: Flags, probability: Floats, score: str, at_least: float | None) -> Cut | None:
    """Choose the threshold of one class.

    Args:
        mine: (N,) whether a case is of the class.
        probability: (N,) of the class, finite.
        score: "sensitivity": of the thresholds that reach `at_least`, the one with the highest
            specificity, and of those the one with the highest sensitivity. "specificity": the other
            way round. "youden": the one with the largest sensitivity + specificity, and of those
            the one with the highest sensitivity.
        at_least: fraction of 1; None for "youden".

    Returns:
        The threshold, one of the probabilities or infinity; None where the class or its rest has no
        case.

    Raises:
        ValueError: `score` is none of these, or needs an `at_least`.
    """
    total, rest = int(mine.sum()), int((~mine).sum())
    if not total or not rest:
        return None
    thresholds, hits, false = counts_by_threshold(mine, probability)
    if score == "youden":
        # whole numbers, so that thresholds that are as good are seen to be
        reached, keys = np.ones(len(hits), dtype=np.bool_), (hits, hits * rest - false * total)
    elif at_least is None:
        raise ValueError(f"{score} needs a value to reach")
    elif score == "sensitivity":
        # a quotient is rounded as the decimal is: 19 of 20 do reach 0.95, where 0.95 · 20 may not
        reached, keys = hits / total >= at_least, (hits, -false)
    elif score == "specificity":
        reached, keys = (rest - false) / rest >= at_least, (-false, hits)
    else:
        raise ValueError(f"no threshold is chosen by {score!r}")
    places = np.flatnonzero(reached)
    best = places[np.lexsort([key[places] for key in keys])[-1]]
    return Cut(
        float(thresholds[best]),
        total,
        rest,
        float(hits[best] / total),
        float((rest - false[best]) / rest),
    )


def observed_decisions(decisions: Decisions) -> list[Scores]:
    """Return each run's scores on the cases as they are: name → (K,)."""
    everyone = np.zeros(len(decisions.mine), dtype=np.intp)
    once = np.ones((1, 1), dtype=np.int64)
    return [
        {name: values[0] for name, values in scores.items()}
        for scores in _scores(_tables(decisions, everyone), once)
    ]


def bootstrap_decisions(decisions: Decisions, unit: str, draws: int, seed: int) -> list[Scores]:
    """Return each run's scores in each draw: name → (draws, K); all runs see the same draws.

    Unit "patient" draws the patients that `resampling.bootstrap_scores` does.
    """
    if unit == "patient":
        group, sizes = decisions.patient, np.ones(int(decisions.patient.max()) + 1, dtype=np.intp)
        tables = _tables(decisions, group)
    else:  # cases that are alike in everything form a cell, whose table holds one of them
        answers = np.concatenate([decisions.mine[None], decisions.flagged])
        answers = answers.transpose(1, 0, 2).reshape(len(decisions.mine), -1)
        group = np.unique(answers, axis=0, return_inverse=True)[1].reshape(-1)
        sizes = np.bincount(group)
        tables = _tables(decisions, group) // sizes[:, None, None]
    row = tables[0].size * (len(decisions.flagged) + 1)
    blocks = [
        _scores(tables, weights)
        for weights in bootstrap.weights(sizes, np.random.default_rng(seed), draws, row)
    ]
    return [
        {name: np.concatenate([block[run][name] for block in blocks]) for name in blocks[0][run]}
        for run in range(len(decisions.flagged))
    ]


def _tables(decisions: Decisions, group: Indices) -> NDArray[np.int64]:
    """Count for each group: (G, K, 2 + 2 R) cases, cases of the class; of each run hits, flagged.

    For a quick product all runs stand side by side.
    """
    mine, flagged = decisions.mine, decisions.flagged
    each = [np.ones_like(mine), mine]
    for run in flagged:
        each += [run & mine, run]
    counts = np.zeros((int(group.max()) + 1, mine.shape[1], len(each)), dtype=np.int64)
    np.add.at(counts, group, np.stack(each, axis=-1).astype(np.int64))
    return counts


def _scores(tables: NDArray[np.int64], weights: Weights) -> list[Scores]:
    """Scores of each run, name → (B, K), of groups drawn `weights` (B, G) times."""
    counts = bootstrap.weighted(tables, weights)
    cases, mine = counts[..., 0], counts[..., 1]
    found = []
    for place in range(2, counts.shape[-1], 2):
        hits, flagged = counts[..., place], counts[..., place + 1]
        right = cases - mine - (flagged - hits)
        found.append(
            {
                "sensitivity": _ratio(hits, mine),
                "specificity": _ratio(right, cases - mine),
                "ppv": _ratio(hits, flagged),
                "npv": _ratio(right, cases - flagged),
                "flagged": _ratio(flagged, cases),
            }
        )
    return found


def _ratio(above: Floats, below: Floats) -> Floats:
    """Return above / below; NaN where that is not defined."""
    return np.divide(above, below, out=np.full_like(above, np.nan), where=below > 0)
