"""The threshold that is used: chosen by a rule, on a subset that is not reported."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from distill.deferral.mixing import Step, confidence, mixed, steps
from distill.deferral.pair import Pair
from distill.errors import SubsetError
from distill.evaluation import Predictions, Score, ScoreTable, resampling, score_columns, scoring


@dataclass(frozen=True)
class Rule:
    """The smallest share of crops deferred whose score is near enough to the teacher's.

    Attributes:
        score: what `--score` takes, see `ScoreTable.VERDICT`.
        within: percentage points below the teacher's score that are near enough.
    """

    score: str
    within: float

    @property
    def about(self) -> Score:
        """The score; KeyError where `--score` does not take it."""
        return score_columns(ScoreTable.VERDICT)[self.score]


@dataclass(frozen=True)
class Choice:
    """What the rule chose.

    Attributes:
        subset: what it was chosen on.
        rule: the rule.
        step: the threshold, and how many crops of that subset are deferred with it.
        crops: of that subset.
        value: the score there, a fraction of 1.
        teacher: the teacher's score there.
    """

    subset: str
    rule: Rule
    step: Step
    crops: int
    value: float
    teacher: float


def choose(pair: Pair, rule: Rule, points: int) -> Choice:
    """Apply a rule to the shares of a curve over the pair's crops.

    Raises:
        SubsetError: the teacher's score is not defined there.
    """
    sure = confidence(pair.first)
    subset = str(pair.student.metrics["subset"])
    wanted = _value(pair.second, rule.about)
    for step in steps(sure, points):
        value = _value(mixed(pair.first, pair.second, sure < step.threshold), rule.about)
        if value >= wanted - rule.within / 100:
            return Choice(subset, rule, step, len(sure), value, wanted)
    raise SubsetError(
        f"{rule.about.words} of {pair.teacher.run.path} is not defined on {subset}; choose another "
        "--score or --choose-on"
    )


def _value(answers: Predictions, score: Score) -> float:
    """Return a score over the labelled crops; NaN where it is not defined."""
    (found,) = resampling.observed_scores(scoring.cases([answers])[0])
    return float(np.asarray(found[f"{score.group} {score.name}"]))
