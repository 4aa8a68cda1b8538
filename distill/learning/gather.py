"""The runs of a learning curve with their evaluations, as lines of points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import wsistore
from distill.data import labels_of, rows_of
from distill.errors import RunError, SubsetError, UsageError
from distill.evaluation import TRAINING, BootstrapSettings, Predictions
from distill.learning.choices import ALL, CurveRun, labeled_set
from distill.report import collect


@dataclass(frozen=True)
class Point:
    """What a method answered with one number of labelled patients.

    Attributes:
        patients: how many are labelled.
        crops: how many labelled crops they have, mean over seeds.
        answers: for the evaluated crops, of each seed in order.
    """

    patients: int
    crops: float
    answers: tuple[Predictions, ...]


@dataclass(frozen=True)
class Line:
    """A method at a level.

    Attributes:
        method: its name.
        level: its level.
        points: by number of labelled patients.
    """

    method: str
    level: str
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Curve:
    """A learning curve: every line has a point for every number, and every point every seed.

    Attributes:
        split: that the runs were trained on.
        subset: that they were evaluated on.
        seeds: in order.
        numbers: of labelled patients, smallest first.
        lines: of all methods and levels.
        how: the bootstrap of all evaluations.
        paper: whether all hold the accuracy as the paper prints it.
    """

    split: str
    subset: str
    seeds: tuple[int, ...]
    numbers: tuple[int, ...]
    lines: tuple[Line, ...]
    how: BootstrapSettings
    paper: bool


def require_curve(
    store: wsistore.Store, split: str, numbers: Sequence[int | str], seeds: Sequence[int]
) -> None:
    """Refuse a learning curve whose labelled sets the split lacks, or of which two are the same.

    Raises:
        SubsetError: a set is missing; the message says how to make it.
        UsageError: a number is that of all training patients.
    """
    if ALL in numbers and (count := _patients(store, split, "train")) in numbers:
        raise UsageError(
            f"labeled_patients has {count} and {ALL}, and train of split {split} has {count} "
            "patients; leave one out"
        )
    for seed in seeds:
        for number in numbers:
            try:
                rows_of(store, split, labeled_set(number, seed))
            except SubsetError as error:
                asked = ",".join(str(one) for one in sorted(n for n in numbers if n != ALL))
                raise SubsetError(
                    f"{error}; make a split with 'wsistore split --labeled-patients {asked} "
                    f"--labeled-draws {max(seeds) + 1}': seed N takes draw N"
                ) from error


def gather_curve(runs: Sequence[CurveRun], store: wsistore.Store, split: str, subset: str) -> Curve:
    """Read the evaluations of a learning curve's runs.

    Args:
        runs: all of them; each method at each level with the same numbers and seeds.
        store: that they were trained and evaluated on.
        split: of both.
        subset: of the evaluation.

    Raises:
        RunError: as `distill.report.collect`; or a run was trained on a patient of the subset.
    """
    collected = collect([one.path for one in runs], store, split, subset)
    for one, held in zip(runs, collected.runs, strict=True):
        if held.metrics.get(f"{TRAINING}_patients") != 0:
            raise RunError(
                f"{one.path} was trained on patients of {subset}, or nobody can tell; a learning "
                "curve needs new patients"
            )
    answers = {one: held.answers for one, held in zip(runs, collected.runs, strict=True)}
    seeds = tuple(dict.fromkeys(one.seed for one in runs))
    counts = {
        number: _counts(store, split, number, seeds)
        for number in dict.fromkeys(one.patients for one in runs)
    }
    lines = []
    for method, level in dict.fromkeys((one.method, one.level) for one in runs):
        own = [one for one in runs if (one.method, one.level) == (method, level)]
        points = [
            Point(*counts[number], tuple(answers[one] for one in own if one.patients == number))
            for number in dict.fromkeys(one.patients for one in own)
        ]
        lines.append(Line(method, level, tuple(sorted(points, key=lambda each: each.patients))))
    numbers = tuple(sorted(patients for patients, _ in counts.values()))
    return Curve(split, subset, seeds, numbers, tuple(lines), collected.how, collected.paper)


def _counts(
    store: wsistore.Store, split: str, number: int | str, seeds: Sequence[int]
) -> tuple[int, float]:
    """Return how many patients are labelled, and how many crops they have, mean over seeds."""
    crops = [len(labels_of(store, split, labeled_set(number, seed))) for seed in seeds]
    patients = number if isinstance(number, int) else _patients(store, split, "train")
    return patients, sum(crops) / len(crops)


def _patients(store: wsistore.Store, split: str, subset: str) -> int:
    rows = rows_of(store, split, subset)
    return int(rows["patient"][rows["label"].notna()].nunique())
