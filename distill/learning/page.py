"""A learning curve as a Markdown page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from distill.evaluation import Score
from distill.learning.choices import TEACHER
from distill.learning.figure import NAME
from distill.learning.gather import Line
from distill.learning.measure import MeasuredCurve, Scored
from distill.learning.sentences import answers_of, patients_text
from distill.report import ends, interval, magnification, markdown, markdown_table, percent

Cells = list[str]


def page(measured: MeasuredCurve) -> str:
    """Return the page: what it says in sentences, the picture, and the tables behind it."""
    curve, score = measured.curve, measured.score
    numbers = list(curve.numbers)
    parts = [
        f"# Learning curve on split {markdown(curve.split)}",
        _about(measured),
        "## What labels buy",
        "\n".join(f"- {markdown(one)}" for one in answers_of(measured)),
        "Between two numbers of patients the baseline's score is taken for a straight line over "
        "the logarithm of the number. Nothing is said of numbers outside of those measured.",
        f"![{score.words} against the number of labelled patients]({NAME}.svg)",
        f"## {score.words[0].upper()}{score.words[1:]}, %",
        "Value and interval, and behind ± the standard deviation of the seeds, each of which has "
        "other labelled patients. `curve.csv` has every score.",
        *(_levels(measured)),
    ]
    if measured.differences:
        lines = _lines([one.line for one in measured.differences])
        rows = [["labelled patients", *map(_name, lines)]]
        for number in numbers:
            found = {id(one.line): one.block for one in measured.differences
                     if one.patients == number}  # fmt: skip
            rows.append([str(number), *(_points(score, found[id(line)]) for line in lines)])
        parts += [
            "## Minus the baseline of the level",
            "Percentage points, paired: both see the same test patients in every draw, and each "
            "seed the same labelled patients. `differences.csv` has every score.",
            markdown_table(rows),
            "## Patients that the baseline needs for the same",
            markdown_table(_needed_rows(measured)),
        ]
    if measured.steps:
        lines = _lines([one.line for one in measured.steps])
        rows = [["labelled patients", *map(_name, lines)]]
        for few, many in dict.fromkeys((one.few, one.many) for one in measured.steps):
            step = {id(one.line): one.block for one in measured.steps
                    if (one.few, one.many) == (few, many)}  # fmt: skip
            cells = [_points(score, step[id(line)]) for line in lines]
            rows.append([f"{few} to {many}", *cells])
        parts += [
            "## What more labels brought",
            "Percentage points from each number to the next, paired. `steps.csv` has every score.",
            markdown_table(rows),
        ]
    return "\n\n".join(parts) + "\n"


def _about(measured: MeasuredCurve) -> str:
    curve = measured.curve
    block = measured.scored[0].block
    scored, how = block["scored"], block["bootstrap"]
    crops = {one.point.patients: one.point.crops for one in measured.scored}
    counts = ", ".join(f"{number} ({crops[number]:.4g} crops)" for number in curve.numbers)
    return (
        f"Labelled training patients: {counts}; the smaller sets are part of the larger. Seeds: "
        f"{', '.join(map(str, curve.seeds))}, each with labelled patients of its own. Teacher and "
        "baseline learn from the labelled crops alone. What a student is distilled on, without "
        "labels, stands in its name: train is every training crop, labeled the labelled ones. "
        "Validation patients are the same for every number, and not counted. All scores are of "
        f"{_patients(scored['patients'])} of {markdown(curve.subset)} ({scored['crops']} crops), "
        f"over crops, means over seeds; intervals of {how['confidence']:.0%} are over "
        f"{how['unit']}s of {markdown(curve.subset)} ({how['draws']:,} draws, the "
        "same for all), not over other labelled patients: of those the spread of the seeds tells."
    )


def _patients(count: int) -> str:
    return "1 patient" if count == 1 else f"{count} patients"


def _levels(measured: MeasuredCurve) -> list[str]:
    lines = measured.curve.lines
    found = []
    for level in dict.fromkeys(line.level for line in lines if line.method != TEACHER):
        shown = [line for line in lines if line.level == level or line.method == TEACHER]
        rows = [["labelled patients", *map(_name, shown)]]
        for number in measured.curve.numbers:
            cells = [
                _value(measured.score, one)
                for line in shown
                for one in measured.scored
                if one.line is line and one.point.patients == number
            ]
            rows.append([str(number), *cells])
        found.append(markdown_table(rows))
    return found


def _needed_rows(measured: MeasuredCurve) -> list[Cells]:
    least, most = measured.curve.numbers[0], measured.curve.numbers[-1]
    lines = _lines([one.line for one in measured.needed])
    rows = [["labelled patients", *map(_name, lines)]]
    for number in measured.curve.numbers:
        cells = []
        for line in lines:
            (one,) = (o for o in measured.needed if o.line is line and o.patients == number)
            value = "–" if one.value is None else patients_text(one.value, least, most)
            span = one.interval and " to ".join(
                patients_text(end, least, most) for end in one.interval
            )
            cells.append(f"{value} ({span or '–'})")
        rows.append([str(number), *cells])
    return rows


def _lines(lines: Sequence[Line]) -> list[Line]:
    return list({id(line): line for line in lines}.values())


def _name(line: Line) -> str:
    return f"{line.method} {magnification(line.level)}"


def _value(score: Score, one: Scored) -> str:
    entry = score.entry(one.block)
    if entry["value"] is None:
        return "–"
    seeds = np.array([values[score.group, score.name] for values in one.seeds])
    spread = f" ± {percent(float(seeds.std(ddof=1)), 1)}" if len(seeds) > 1 else ""
    return f"{percent(entry['value'], 1)} ({interval(ends(entry), 1)}){spread}"


def _points(score: Score, block: Mapping[str, Any]) -> str:
    entry = score.entry(block)
    if entry["value"] is None:
        return "–"
    return f"{percent(entry['value'], 1, sign=True)} ({interval(ends(entry), 1, sign=True)})"
