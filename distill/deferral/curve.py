"""Every score against the share of crops deferred, with intervals; and at one threshold."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from distill.deferral.mixing import Step, confidence, mixed, steps
from distill.deferral.pair import Pair
from distill.evaluation import Predictions, Score, ScoreTable, score_columns, scoring

Watch = Callable[[Sequence[Step]], Iterable[Step]]


@dataclass(frozen=True)
class Point:
    """Scores and cost with some crops deferred.

    Attributes:
        step: the threshold, and how many crops are deferred.
        share: of the crops, 0 to 1.
        gmac_per_crop: mean, of both networks together.
        gmac_per_patient: mean, of both networks together.
        block: the scores of the labelled crops, as a block of metrics.json has them.
    """

    step: Step
    share: float
    gmac_per_crop: float
    gmac_per_patient: float
    block: dict[str, Any]


@dataclass(frozen=True)
class OperatingPoint:
    """A threshold at work.

    Attributes:
        point: scores and cost.
        minus_teacher: its scores minus the teacher's, paired: a block of differences.json.
        minus_student: its scores minus the student's.
    """

    point: Point
    minus_teacher: dict[str, Any]
    minus_student: dict[str, Any]


def shown_scores(block: dict[str, Any]) -> list[Score]:
    """Return the scores that tables of runs show, in the order of those tables."""
    found = [
        score
        for table in (ScoreTable.MACRO, ScoreTable.OVERALL)
        for score in score_columns(table, [block]).values()
    ]
    return list({(one.group, one.name): one for one in found}.values())


def curve_of(pair: Pair, points: int, watch: Watch = iter) -> list[Point]:
    """Score the crops at every share of `mixing.steps`.

    One share is scored after another, so memory does not grow with their number. Draws of patients
    are the same for all of them, and for the evaluations of both runs: the first point is the
    student's metrics.json, and the last the teacher's, to the last bit.

    Args:
        pair: the runs.
        points: how many shares to look at.
        watch: shows progress.
    """
    sure = confidence(pair.first)
    return [_point(pair, step, sure < step.threshold) for step in watch(steps(sure, points))]


def operating_point(pair: Pair, threshold: float) -> OperatingPoint:
    """Score the crops with one threshold, and minus either run alone."""
    deferred = confidence(pair.first) < threshold
    both = mixed(pair.first, pair.second, deferred)
    minus = [
        scoring.difference(both, one, pair.how, paper=pair.paper)["crops"]
        for one in (pair.second, pair.first)
    ]
    return OperatingPoint(_point(pair, Step(threshold, int(deferred.sum())), deferred), *minus)


def _point(pair: Pair, step: Step, deferred: np.ndarray) -> Point:
    cost = pair.cost
    block = scoring.mean_score([_answers(pair, deferred)], pair.how, paper=pair.paper)
    assert block is not None  # an evaluation without a labelled crop is refused
    return Point(
        step,
        step.deferred / len(deferred),
        cost.per_crop(deferred),
        cost.per_patient(deferred),
        block,
    )


def _answers(pair: Pair, deferred: np.ndarray) -> Predictions:
    """Return who answers what; the teacher alone in its own order of crops and classes."""
    if deferred.all():
        return pair.teacher.answers
    return mixed(pair.first, pair.second, deferred)
