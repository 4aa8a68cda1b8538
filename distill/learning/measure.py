"""Scores of a learning curve: points, students minus baselines, and what more labels bought."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from distill.evaluation import Score, ScoreTable, resampling, score_columns, scoring
from distill.learning.choices import BASELINE, TEACHER
from distill.learning.equivalence import ends_of, needed_patients
from distill.learning.gather import Curve, Line, Point
from distill.types import Floats

Block = Mapping[str, Any]


@dataclass(frozen=True)
class Scored:
    """A point of a line, scored.

    Attributes:
        line: the method at its level.
        point: with its number of labelled patients.
        block: mean over seeds, as a block of metrics.json has it.
        seeds: scores of each seed by group and name; NaN where one is not defined.
    """

    line: Line
    point: Point
    block: Block
    seeds: tuple[Mapping[tuple[str, str], float], ...]


@dataclass(frozen=True)
class Minus:
    """A method minus the plain baseline of its level, with the same labelled patients.

    Attributes:
        line: the method.
        patients: how many are labelled.
        block: the paired difference, as a block of differences.json has it.
    """

    line: Line
    patients: int
    block: Block


@dataclass(frozen=True)
class Step:
    """What a method gained from one number of labelled patients to the next.

    Attributes:
        line: the method.
        few: the smaller number.
        many: the larger one.
        block: score with `many` minus score with `few`, paired.
    """

    line: Line
    few: int
    many: int
    block: Block

    @property
    def doublings(self) -> float:
        """How many times the smaller number is doubled."""
        return float(np.log2(self.many / self.few))


@dataclass(frozen=True)
class Needed:
    """How many labelled patients the baseline needs for what another method has with some.

    Attributes:
        line: the other method.
        patients: that it has labelled.
        value: what the baseline needs; infinite where no number measured is enough, and minus
            infinite where the least is; None where a score is not defined.
        interval: its ends, over patients; None where no draw defines it.
    """

    line: Line
    patients: int
    value: float | None
    interval: tuple[float, float] | None


@dataclass(frozen=True)
class MeasuredCurve:
    """A learning curve and all that is said of it.

    Attributes:
        curve: what was measured.
        score: that the picture and the sentences are about.
        scored: every point, line by line.
        differences: of every method but teacher and baseline, where its level has a baseline.
        steps: of every line.
        needed: as differences.
    """

    curve: Curve
    score: Score
    scored: tuple[Scored, ...]
    differences: tuple[Minus, ...]
    steps: tuple[Step, ...]
    needed: tuple[Needed, ...]


def measure_curve(curve: Curve, score: str) -> MeasuredCurve:
    """Score a learning curve over crops.

    Args:
        curve: from `distill.learning.gather_curve`.
        score: what the picture and the sentences are about, see `ScoreTable.VERDICT`.

    Raises:
        SubsetError: runs share no labelled crop.
    """
    about = score_columns(ScoreTable.VERDICT)[score]
    pairs = [
        (line, baseline)
        for line in curve.lines
        if line.method not in (TEACHER, BASELINE)
        for baseline in curve.lines
        if (baseline.method, baseline.level) == (BASELINE, line.level)
    ]
    return MeasuredCurve(
        curve,
        about,
        tuple(_scored(curve, line, point) for line in curve.lines for point in line.points),
        tuple(
            Minus(line, one.patients, _difference(curve, one, other))
            for line, baseline in pairs
            for one, other in zip(line.points, baseline.points, strict=True)
        ),
        tuple(
            Step(line, few.patients, many.patients, _difference(curve, many, few))
            for line in curve.lines
            for few, many in zip(line.points, line.points[1:], strict=False)
        ),
        tuple(
            _needed(curve, line, point, baseline, about)
            for line, baseline in pairs
            for point in line.points
        ),
    )


def _scored(curve: Curve, line: Line, point: Point) -> Scored:
    block = scoring.mean_score(point.answers, curve.how, paper=curve.paper)
    assert block is not None  # an evaluation without a labelled crop is refused
    found, _ = scoring.cases(scoring.aligned(point.answers))
    seeds = []
    for values in resampling.observed_scores(found, paper=curve.paper):
        named = {(name.partition(" ")[0], name.partition(" ")[2]): value
                 for name, value in values.items() if " " in name}  # fmt: skip
        seeds.append({key: float(np.asarray(value)) for key, value in named.items()})
    return Scored(line, point, block, tuple(seeds))


def _difference(curve: Curve, one: Point, other: Point) -> Block:
    found = scoring.mean_difference(
        one.answers, other.answers, curve.how, paper=curve.paper, kinds=("crop",)
    )
    block: Block = found["crops"]
    return block


def _needed(curve: Curve, line: Line, point: Point, baseline: Line, score: Score) -> Needed:
    """Compare one point with the whole line of the baseline, in the same draws of patients."""
    parts = [point.answers, *(one.answers for one in baseline.points)]
    found, _ = scoring.cases(scoring.aligned([one for part in parts for one in part]))
    name = f"{score.group} {score.name}"
    numbers = [one.patients for one in baseline.points]
    how = curve.how
    observed = resampling.observed_scores(found, paper=curve.paper)
    value = float(_needs(numbers, [one[name].reshape(1) for one in observed], parts)[0])
    drawn = resampling.bootstrap_scores(found, how.unit, how.draws, how.seed, paper=curve.paper)
    interval = None
    if found.units(how.unit) > 1:
        ends = _needs(numbers, [one[name] for one in drawn], parts)
        interval = ends_of(ends, float(how.about("crop")["confidence"]))
    return Needed(line, point.patients, None if np.isnan(value) else value, interval)


def _needs(
    numbers: Sequence[int], scores: Sequence[Floats], parts: Sequence[Sequence[object]]
) -> Floats:
    """Return `needed_patients` of scores (D,) of every run, which are of as many as `parts` has."""
    means, start = [], 0
    for part in parts:
        means.append(np.mean(scores[start : start + len(part)], axis=0))
        start += len(part)
    wanted, *own = means
    return needed_patients(numbers, np.stack(own, axis=1), wanted)
