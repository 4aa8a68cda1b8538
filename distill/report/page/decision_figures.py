"""Decision curves: what calling a class brings, at each threshold, beside calling all and none."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from distill.evaluation import THRESHOLDS, NetBenefit
from distill.report.decisions import Decisions
from distill.report.formatting import NONE, cut_short, magnification, percent
from distill.report.methods import TEACHER, MethodRow
from distill.report.page.svg import FAINT, INK, SERIES, Picture, drawing, picture
from wsistore import texts

_SAID = (10, 20, 50)
"""Thresholds, in %, of which the text of a picture says the values."""
_LONGEST = 34
_DASHES: tuple[object, ...] = ("-", (0, (5, 1.5)), (0, (1.5, 1.2)), (0, (6, 1.5, 1.5, 1.5)))


def decision_figures(decisions: Decisions) -> tuple[Picture, ...]:
    """Draw a picture for each level and class that has cases: its methods and the teacher."""
    made: list[Picture] = []
    for level, rows in decisions.panels():
        first = rows[0][1]
        for label, cases in zip(first.classes, first.of_class, strict=True):
            if cases:
                made.append(_figure(level, label, rows, f"net-benefit-{len(made) + 1:02}"))
    return tuple(made)


def _figure(
    level: str, label: str, rows: Sequence[tuple[MethodRow, NetBenefit]], name: str
) -> Picture:
    first = rows[0][1]
    everyone = 100 * first.curves.treat_all[first.classes.index(label)]
    curves = [(row, 100 * one.curves.value[one.classes.index(label)]) for row, one in rows]
    # what a perfect network brings at every threshold, so that there is room even for none
    highest = 100 * first.of_class[first.classes.index(label)] / first.cases
    with drawing(name, 3.4, 3.0 + 0.19 * (len(rows) + 2)) as figure:
        axes = figure.subplots()
        axes.plot([0, 100], [0, 0], color=FAINT, linewidth=1, label="none called")
        axes.plot(100 * THRESHOLDS, everyone, color=FAINT, linestyle=":", linewidth=1.4,
                  label="all called")  # fmt: skip
        number = 0
        for row, values in curves:
            teacher = row.kind == TEACHER
            axes.plot(
                100 * THRESHOLDS, values, linewidth=1.6, label=cut_short(_called(row), _LONGEST),
                color=INK if teacher else SERIES[number % len(SERIES)],
                linestyle=(0, (4, 1.5)) if teacher else _DASHES[number // len(SERIES) % 4],
            )  # fmt: skip
            number += not teacher
        axes.set_xlim(0, 100)
        axes.set_ylim(-0.25 * highest, 1.08 * highest)
        axes.set_xlabel("threshold, %")
        axes.set_ylabel("net benefit, per 100 crops")
        figure.legend(loc="outside lower center", fontsize=9)
        title = f"{texts.visible(label)}, {magnification(level)}"
        said = "; ".join(
            f"{_called(row)} {_at(values)}" for row, values in (*curves, (None, everyone))
        )
        steps = ", ".join(f"{step} %" for step in _SAID)
        alt = (
            f"Decision curves of {title}: net benefit per 100 crops at thresholds of {steps}. "
            f"{said}"
        )
        return picture(figure, name, f"Net benefit: {title}", alt)


def _called(row: MethodRow | None) -> str:
    if row is None:
        return "all called"
    several = f", mean of {row.several}" if row.several else ""
    return f"{row.name if row.kind == TEACHER else row.label}{several}"


def _at(values: np.ndarray) -> str:
    shown = (float(values[step - 1]) / 100 for step in _SAID)
    return ", ".join(NONE if np.isnan(value) else percent(value, 1) for value in shown)
