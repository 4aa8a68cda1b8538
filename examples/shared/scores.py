"""Scores of methods, and differences between them: means over seeds, in the same draws of patients.

For each draw of the bootstrap the score of every seed is computed on the same patients, and the
mean over seeds is taken. The interval is therefore of the mean run, on other patients such as
these; how much one run differs from the next is told apart, by the standard deviation over seeds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import stdev
from typing import Any

from distill.evaluation import scoring
from distill.evaluation.metrics import resampling
from distill.evaluation.scoring import BootstrapSettings
from examples.shared.methods import Method

SCORES = {
    "accuracy": ("overall", "accuracy"),
    "macro F1": ("macro", "f1"),
    "AUROC": ("macro", "auroc"),
}
"""Names in tables, and where metrics.json has them. accuracy: share of cases predicted right."""


@dataclass(frozen=True)
class Score:
    """A score or a difference of scores, in fractions of 1.

    Attributes:
        value: the mean over seeds.
        low, high: 95 % interval of that mean, over draws of patients.
        each: by seed; of a difference, seed by seed.
    """

    value: float
    low: float
    high: float
    each: tuple[float, ...]

    @property
    def deviation(self) -> float | None:
        """Standard deviation over seeds (n − 1), None of a single one."""
        return stdev(self.each) if len(self.each) > 1 else None


Scores = Mapping[str, Score]


def score(method: Method, how: BootstrapSettings) -> Scores:
    """Score a method: an entry for each of `SCORES`.

    Args:
        method: the method.
        how: the bootstrap.
    """
    block = scoring.mean_score(method.answers, how)
    assert block is not None  # evaluations of crops without a label do not exist
    each = _each(method)
    return {name: _score(block, name, each[name]) for name in SCORES}


def difference(one: Method, minus: Method, how: BootstrapSettings) -> Scores:
    """Score one method minus another, on the crops of both, in the same draws.

    Args:
        one: a method.
        minus: what it is compared with. If both have several runs, and of the same seeds, `each`
            pairs them by seed; if it has one, that is taken from each seed; else `each` is empty.
        how: the bootstrap.
    """
    block = scoring.mean_difference(one.answers, minus.answers, how, kinds=("crop",))["crops"]
    first, second = _each(one), _each(minus)
    found = {}
    for name in SCORES:
        a, b = first[name], second[name]
        if len(b) == 1:
            b = b * len(a)
        elif one.seeds != minus.seeds:
            a = b = ()
        found[name] = _score(block, name, tuple(x - y for x, y in zip(a, b, strict=True)))
    return found


def _each(method: Method) -> dict[str, tuple[float, ...]]:
    found, _ = scoring.cases(scoring.aligned(method.answers))
    values = resampling.observed_scores(found)
    return {
        name: tuple(float(run[f"{group} {score}"]) for run in values)
        for name, (group, score) in SCORES.items()
    }


def _score(block: Mapping[str, Any], name: str, each: tuple[float, ...]) -> Score:
    group, key = SCORES[name]
    entry = block[group][key]
    low, high = entry["interval"]
    return Score(entry["value"], low, high, each)
