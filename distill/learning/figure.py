"""A learning curve as a picture: a score against the number of labelled patients."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from distill.learning.choices import BASELINE, TEACHER
from distill.learning.gather import Line
from distill.learning.measure import MeasuredCurve, Scored
from distill.report import (
    INK,
    MARKERS,
    SERIES,
    drawing,
    ends,
    figure_files,
    magnification,
    percent,
    picture,
)

NAME = "learning-curve"
WIDTH, TOP, PANEL = 4.6, 0.7, 2.6
"""Inches, at 72 units each; no wider than a telephone, whose text stays readable."""
APART = 0.07
"""Least distance of two labels below the axis, as a part of its length."""


def curve_figure(measured: MeasuredCurve) -> dict[str, bytes]:
    """Draw a panel for each level of students, the finest first; return SVG and PNG by name.

    The teacher, who looks at a level of its own, stands in every panel.
    """
    lines, score = measured.curve.lines, measured.score
    teachers = [line for line in lines if line.method == TEACHER]
    levels = list(dict.fromkeys(line.level for line in lines if line.method != TEACHER))
    methods = list(dict.fromkeys(line.method for line in lines if line.method != TEACHER))
    methods.sort(key=lambda name: name != BASELINE)
    title = f"{score.words} on {measured.curve.subset} against labelled patients"
    with drawing(NAME, WIDTH, TOP + PANEL * len(levels)) as figure:
        panels = figure.subplots(len(levels), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
        for axes, level in zip(panels, levels, strict=True):
            axes.grid(axis="y")
            axes.set_axisbelow(True)
            for line in teachers:
                label = f"teacher, {magnification(line.level)}"
                _draw(axes, _points(measured, line), score, INK, "*", label, band=False)
            for number, method in enumerate(methods):
                own = [one for one in lines if (one.method, one.level) == (method, level)]
                for line in own:
                    color = SERIES[number % len(SERIES)]
                    marker = MARKERS[number % len(MARKERS)]
                    _draw(axes, _points(measured, line), score, color, marker, method, band=True)
            axes.set_title(magnification(level), fontsize=11, loc="left")
            axes.set_ylabel(f"{score.words}, %")
        numbers = measured.curve.numbers
        panels[-1].set_xscale("log")
        panels[-1].set_xticks(numbers, tick_labels(numbers))
        panels[-1].minorticks_off()
        panels[-1].set_xlabel("labelled training patients (bands: 95 % intervals)")
        handles, labels = panels[0].get_legend_handles_labels()
        for axes in panels[1:]:
            for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
                if label not in labels:
                    handles.append(handle)
                    labels.append(label)
        figure.legend(handles, labels, loc="outside lower center", ncols=2)
        return figure_files(figure, picture(figure, NAME, title, f"{title}. {_said(measured)}"))


def tick_labels(numbers: Sequence[int]) -> list[str]:
    """Return the labels of a logarithmic axis; of numbers too close to be read the first has one.

    Args:
        numbers: growing.
    """
    span = math.log(numbers[-1] / numbers[0])
    labels, last = [], -math.inf
    for number in numbers:
        place = math.log(number / numbers[0])
        far = place - last >= APART * span
        labels.append(str(number) if far else "")
        last = place if far else last
    return labels


def _points(measured: MeasuredCurve, line: Line) -> list[Scored]:
    return [one for one in measured.scored if one.line is line]


def _draw(
    axes: Any, points: Sequence[Scored], score: Any, color: str, marker: str, label: str, *,
    band: bool,
) -> None:  # fmt: skip
    known = [
        (one.point.patients, entry)
        for one in points
        if (entry := score.entry(one.block))["value"] is not None
    ]
    spans = [(number, span) for number, entry in known if (span := ends(entry))]
    if band and spans:
        axes.fill_between(
            [number for number, _ in spans],
            [100 * low for _, (low, _) in spans],
            [100 * high for _, (_, high) in spans],
            color=color, alpha=0.13, linewidth=0,
        )  # fmt: skip
    axes.plot(
        [number for number, _ in known],
        [100 * entry["value"] for _, entry in known],
        color=color,
        marker=marker,
        markersize=9 if marker == "*" else 6,
        linewidth=1.2 if not band else 1.8,
        linestyle="--" if not band else "-",
        label=label,
    )


def _said(measured: MeasuredCurve) -> str:
    parts = []
    for one in measured.scored:
        value = measured.score.entry(one.block)["value"]
        if value is not None:
            where = f"{one.line.method} at {magnification(one.line.level)}"
            parts.append(f"{where}, {one.point.patients} patients: {percent(value, 1)}")
    return "; ".join(parts)
