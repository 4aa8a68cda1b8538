"""The worst mistakes: crops that a row got wrong while it was surest, beside its teacher. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from distill.evaluation import Predictions, scoring
from distill.report.evaluations import Evaluated
from distill.report.methods import BASELINE, OTHER, STUDENT, TEACHER, MethodRow
from distill.report.scores import Measured
from distill.report.verdict import Question


@dataclass(frozen=True)
class Answer:
    """What is said of a crop: the class, its probability, and that of the truth."""

    predicted: str
    probability: float
    of_truth: float


@dataclass(frozen=True)
class Mistake:
    """A crop that a row got wrong.

    Attributes:
        crop, slide: their ids.
        truth: its label.
        own: the answer.
        teacher: what the row's teacher says of it; None where there is no teacher, or it has no
            answer.
    """

    crop: str
    slide: str
    truth: str
    own: Answer
    teacher: Answer | None


@dataclass(frozen=True)
class Mistakes:
    """The worst mistakes of a row.

    Attributes:
        row: whose.
        minus: the name of its teacher; "" where none is among the runs.
        worst: with the highest probability of the class predicted first.
        wrong: how many mistakes there are in all.
        cases: labelled crops.
    """

    row: MethodRow
    minus: str
    worst: tuple[Mistake, ...]
    wrong: int
    cases: int


def worst_mistakes(measured: Measured, most: int) -> tuple[Mistakes, ...]:
    """Return the worst mistakes of every row, at most so many of each.

    Seeds answer together, by the mean of their probabilities; so do a row's teachers.
    """
    teachers = {difference.row.name: difference for difference in measured.to_teacher}
    made = []
    for row in measured.rows:
        difference = teachers.get(row.name)
        others = () if difference is None else difference.others
        made.append(_worst(row, others, "" if difference is None else difference.minus, most))
    return tuple(made)


def shown_mistakes(
    found: Sequence[Mistakes], measured: Measured, question: Question
) -> Mistakes | None:
    """Return those of the row that the page shows: of the best student by the question's score.

    A student whose teacher is among the runs comes before others, then a baseline, then a teacher.

    Args:
        found: from `worst_mistakes`.
        measured: the numbers.
        question: has the score.
    """
    order = (STUDENT, BASELINE, TEACHER, OTHER)

    def rank(one: Mistakes) -> tuple[bool, int, float]:
        value = question.about.entry(measured.blocks[one.row.name]["crops"])["value"]
        student = one.row.kind == STUDENT and bool(one.minus)
        return (not student, order.index(one.row.kind), 0.0 if value is None else -value)

    return min(found, key=rank, default=None)


def _worst(row: MethodRow, others: Sequence[Evaluated], minus: str, most: int) -> Mistakes:
    own = _together(row.runs)
    teacher = _together(others) if others else None
    place = {} if teacher is None else {crop: k for k, crop in enumerate(teacher.table["crop"])}
    labels = own.table["label"].tolist()
    crops, slides = own.table["crop"].tolist(), own.table["slide"].tolist()
    chances = own.probabilities[np.arange(len(labels)), own.predicted].tolist()
    wrong = [
        k for k, label in enumerate(labels)
        if label is not None and own.classes[own.predicted[k]] != label
    ]  # fmt: skip
    # the name decides between equals, so that the order of the rows does not
    wrong.sort(key=lambda k: (-chances[k], crops[k]))
    worst = tuple(
        Mistake(
            crops[k],
            slides[k],
            labels[k],
            _answer(own, k, labels[k]),
            None
            if teacher is None or crops[k] not in place
            else _answer(teacher, place[crops[k]], labels[k]),
        )
        for k in wrong[:most]
    )
    cases = sum(label is not None for label in labels)
    return Mistakes(row, minus, worst, len(wrong), cases)


def _together(runs: Sequence[Evaluated]) -> Predictions:
    """Return the answers of several runs by the mean of their probabilities; of one, its own."""
    if len(runs) == 1:
        return runs[0].answers
    each = scoring.aligned([one.answers for one in runs])
    means = np.mean([one.probabilities for one in each], axis=0)
    return Predictions(
        "crop", each[0].classes, each[0].table, means, means.argmax(1).astype(np.intp)
    )


def _answer(answers: Predictions, k: int, truth: str) -> Answer:
    chances, place = answers.probabilities[k], int(answers.predicted[k])
    of_truth = float(chances[answers.classes.index(truth)])
    return Answer(answers.classes[place], float(chances[place]), of_truth)
