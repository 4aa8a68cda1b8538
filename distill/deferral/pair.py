"""A student and a teacher with their evaluations on the same crops."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

import wsistore
from distill.deferral.mixing import Cost
from distill.errors import RunError, SubsetError, UsageError
from distill.evaluation import (
    TRAINING,
    BootstrapSettings,
    Predictions,
    logits_of,
    probabilities,
    scoring,
)
from distill.report import Evaluated, collect
from distill.runs import open_run


@dataclass(frozen=True)
class Pair:
    """Two runs evaluated alike on the same crops.

    Attributes:
        student: the run that reads every crop.
        teacher: the run that reads the deferred ones.
        first: the student's answers.
        second: the teacher's, for the crops and classes of `first`, in its order.
        how: the bootstrap of both evaluations.
        paper: whether both hold the accuracy as the paper prints it.
    """

    student: Evaluated
    teacher: Evaluated
    first: Predictions
    second: Predictions
    how: BootstrapSettings
    paper: bool

    @property
    def cost(self) -> Cost:
        """What both take for the crops."""
        student, teacher = (
            float(one.metrics["cost"]["gmac_per_crop"]["mean"])
            for one in (self.student, self.teacher)
        )
        table = self.first.table
        area = table["area_mm2"].to_numpy(np.float64)
        return Cost(student, teacher, area, int(table["patient"].nunique()))


def read_pair(student: Path, teacher: Path, store: wsistore.Store, split: str, subset: str) -> Pair:
    """Read the evaluations of two runs on a subset of a split.

    Raises:
        UsageError: both are one run, or they tell different classes apart.
        RunError: a run has no such evaluation, or a damaged or outdated one, or the two were
            evaluated in different ways or on different crops; it says the command to give.
    """
    if student.resolve() == teacher.resolve():
        raise UsageError(f"{student} cannot defer to itself; name another teacher")
    one, other = (sorted(open_run(path).weights.classes) for path in (student, teacher))
    if one != other:
        raise UsageError(
            f"{student} tells apart {', '.join(one)}, and {teacher} {', '.join(other)}; name a "
            "teacher of the student's classes"
        )
    collected = collect((student, teacher), store, split, subset)
    low, high = collected.runs
    apart = set(low.answers.table["crop"]) ^ set(high.answers.table["crop"])
    if apart:
        raise RunError(
            f"{student} and {teacher} were evaluated on different crops of {subset}: {min(apart)} "
            "has an answer of one alone, because the other cannot take it or was evaluated before; "
            "evaluate both again with --overwrite, or leave such crops out of the split"
        )
    first, second = scoring.aligned([low.answers, high.answers])
    return Pair(low, high, first, second, collected.how, collected.paper)


def seen_patients(pair: Pair) -> list[str]:
    """Say which of the two runs was trained on patients of the subset."""
    return [
        f"{one.run.path}: patients that it was trained on: {seen}; scores and confidence are too "
        "good"
        for one in (pair.student, pair.teacher)
        if (seen := one.metrics[f"{TRAINING}_patients"])
    ]


def unseen_pair(pair: Pair, store: wsistore.Store, split: str, subset: str) -> Pair:
    """Read the same runs on another subset, to choose a threshold for `pair`.

    Where the evaluations of `pair` are calibrated and these are not, the same temperature is
    applied, so that a confidence means the same in both.

    Args:
        pair: the runs on the subset that is reported.
        store: the store of both.
        split: of both.
        subset: to choose on.

    Raises:
        UsageError: it is the subset that is reported.
        SubsetError: a patient is in both subsets, or a run was trained on one of them.
        RunError: as `read_pair`; or the confidences cannot be compared.
    """
    if subset == pair.student.metrics["subset"]:
        raise UsageError(
            f"--choose-on {subset} is the subset to be reported, whose scores would be too good; "
            "name another"
        )
    found = read_pair(pair.student.run.path, pair.teacher.run.path, store, split, subset)
    for one in (found.student, found.teacher):
        if seen := one.metrics[f"{TRAINING}_patients"]:
            raise SubsetError(
                f"{one.run.path} was trained on {seen} patients of {subset}, where it is too sure; "
                "choose another --choose-on"
            )
    both = set(found.first.table["patient"]) & set(pair.first.table["patient"])
    if both:
        raise SubsetError(
            f"patient {min(both)} is in {subset} and in {pair.student.metrics['subset']} of split "
            f"{split}; choose another --choose-on"
        )
    return replace(
        found,
        first=_rescaled(found.first, found.student, pair.student),
        second=_rescaled(found.second, found.teacher, pair.teacher),
    )


def _rescaled(answers: Predictions, there: Evaluated, here: Evaluated) -> Predictions:
    """Return answers on the scale of `here`: softmax(log p / T) is softmax(logits / T)."""
    given, wanted = _temperature(there.metrics), _temperature(here.metrics)
    if given == wanted or (given and wanted and math.isclose(given, wanted, rel_tol=1e-9)):
        return answers
    if given is not None or wanted is None:
        raise RunError(
            f"{here.run.path} has other temperatures on {there.metrics['subset']} and on "
            f"{here.metrics['subset']}, so that confidences cannot be compared; evaluate it on "
            f"{there.metrics['subset']} with --overwrite and without --calibrate"
        )
    logits = logits_of(answers.probabilities)
    return replace(answers, probabilities=probabilities(logits, wanted))


def _temperature(metrics: Mapping[str, Any]) -> float | None:
    found = metrics["calibration"]
    return None if found is None else float(found["temperature"])
