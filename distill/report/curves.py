"""What stands behind the pictures of answers: ROC curves and confidences of a row. Pure."""

from __future__ import annotations

import numpy as np

from distill.evaluation import Reliability, curves, scoring
from distill.report.evaluations import Evaluated
from distill.report.methods import MethodRow
from distill.types import Floats

MOST_POINTS = 400
"""Of an ROC curve; a longer one is thinned, see `distill.evaluation.metrics.curves.at_most`."""


def roc_curves(row: MethodRow) -> dict[str, Floats | None]:
    """Return the ROC curve of each class: points (M, 2) of false- and true-positive rate.

    Of several seeds it is the mean of their curves at each false-positive rate, over the crops of
    all of them, as their scores are. None for a class that has no curve.
    """
    answers = scoring.aligned([one.answers for one in row.runs])
    found, _ = scoring.cases(answers)
    made: dict[str, Floats | None] = {}
    for k, name in enumerate(answers[0].classes):
        mine = found.truth == k
        each = [curves.roc_curve(mine, chances[:, k]) for chances in found.probabilities]
        known = [one for one in each if one is not None]
        made[name] = curves.at_most(curves.mean_curve(known), MOST_POINTS) if known else None
    return made


def confidences(one: Evaluated) -> Reliability:
    """Return a run's labelled crops by the probability of the class that it predicted."""
    found, _ = scoring.cases([one.answers])
    (chances,), (predicted,) = found.probabilities, found.predicted
    return curves.reliability(
        chances[np.arange(len(predicted)), predicted], predicted == found.truth
    )


def pooled(row: MethodRow) -> Reliability:
    """Return the crops of all seeds of a row, each seed's answer for a crop counted for itself."""
    each = [confidences(one) for one in row.runs]
    return Reliability(
        np.sum([one.cases for one in each], axis=0),
        np.sum([one.confidence for one in each], axis=0),
        np.sum([one.hits for one in each], axis=0),
    )
