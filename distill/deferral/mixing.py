"""Who decides which crop: the arithmetic of deferral.

The student's confidence in a crop is the probability of the class that it predicts. With a
threshold t the student decides where its confidence is at least t, and the teacher wherever it is
below. Crops of equal confidence go together, so only some shares can be reached at all.

Every crop costs the student's multiply-adds, and a deferred one the teacher's too. What the teacher
takes for a crop is its mean cost per crop, in proportion to the area of the crop's box: a
convolution takes as much of each pixel.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from distill.evaluation import Predictions
from distill.types import Floats


@dataclass(frozen=True)
class Step:
    """A share of crops that can be deferred.

    Attributes:
        threshold: the lowest confidence that the student keeps: 0 where it keeps every crop, and
            infinite where the teacher decides them all.
        deferred: number of crops below it.
    """

    threshold: float
    deferred: int


@dataclass(frozen=True)
class Cost:
    """What two networks take for N crops.

    Attributes:
        student: GMAC per crop, mean.
        teacher: GMAC per crop, mean.
        area: (N,) mm² of the crops' boxes.
        patients: how many the crops are of.
    """

    student: float
    teacher: float
    area: Floats
    patients: int

    def per_crop(self, deferred: np.ndarray) -> float:
        """Return mean GMAC per crop where the crops of a mask (N,) are deferred."""
        share = self.area[deferred].sum() / self.area.sum()
        return float(self.student + self.teacher * share)

    def per_patient(self, deferred: np.ndarray) -> float:
        """Return mean GMAC per patient where the crops of a mask (N,) are deferred."""
        return self.per_crop(deferred) * len(self.area) / self.patients


def confidence(answers: Predictions) -> Floats:
    """Return the probability of the class predicted, of each crop: (N,)."""
    return answers.probabilities[np.arange(len(answers.predicted)), answers.predicted]


def unsure(answers: Predictions, threshold: float) -> np.ndarray:
    """Return for which crops the teacher is asked: a mask (N,)."""
    return confidence(answers) < threshold


def steps(confidence: Floats, points: int) -> list[Step]:
    """Return the shares to look at, the smallest first: from no crop deferred to every crop.

    For each of `points` evenly spaced shares it is the smallest share from there on that can be
    reached; those that coincide are one.

    Args:
        confidence: (N,) of the student.
        points: at least 2.

    Raises:
        ValueError: there is no crop, or fewer points than two.
    """
    if points < 2 or not len(confidence):
        raise ValueError(f"no curve of {points} points over {len(confidence)} crops")
    kept_from, counts = np.unique(confidence, return_counts=True)
    reached = np.concatenate([[0], np.cumsum(counts)])
    thresholds = [0.0, *kept_from[1:].tolist(), math.inf]
    total = len(confidence)
    # whole numbers: a share such as 0.07 × 100 would else be rounded past the count that it means
    wanted = [-(-place * total // (points - 1)) for place in range(points)]
    places = sorted(set(np.searchsorted(reached, wanted).tolist()))
    return [Step(thresholds[place], int(reached[place])) for place in places]


def mixed(student: Predictions, teacher: Predictions, deferred: np.ndarray) -> Predictions:
    """Return the teacher's answers for the crops of a mask (N,), and the student's for the others.

    Both answer for the same crops and classes, in the same order.
    """
    return Predictions(
        student.kind,
        student.classes,
        student.table,
        np.where(deferred[:, None], teacher.probabilities, student.probabilities),
        np.where(deferred, teacher.predicted, student.predicted),
    )
