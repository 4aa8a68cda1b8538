"""The figures of cohorts: scores and differences side by side, and whether claims hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from distill.cohorts.gathering import CohortColumn
from distill.cohorts.tables import headline_scores
from distill.report import (
    FAINT,
    INK,
    MARKERS,
    SERIES,
    WIDTH,
    ZONE,
    Picture,
    Question,
    cut_short,
    drawing,
    ends,
    interval,
    method_styles,
    percent,
    picture,
    pooled,
)

_LONGEST = 26
"""Characters of a name at the left of a figure."""
_TICKS = (0, 20, 40, 60, 80, 100)


@dataclass(frozen=True)
class _Line:
    """A row of a figure: a heading, or a cohort's value with its interval, in points."""

    label: str
    column: int | None = None
    value: float | None = None
    span: tuple[float, float] | None = None


def score_figure(columns: Sequence[CohortColumn], question: Question) -> Picture:
    """Draw the score of the verdict, of each method on each cohort."""
    lines = []
    for row in columns[0].measured.rows:
        entries = [question.about.entry(one.measured.blocks[row.name]["crops"]) for one in columns]
        lines += _group(row.name, columns, entries)
    title = f"{_capital(question.about.words)} on each cohort, %"
    return _forest("cohort-scores", title, "%, with 95 % intervals", lines, columns)


def difference_figure(columns: Sequence[CohortColumn], question: Question) -> Picture | None:
    """Draw each student's difference to its teacher on each cohort; None where there is none."""
    lines = []
    for first in columns[0].measured.to_teacher:
        entries = [
            question.about.entry(other.blocks["crops"])
            for one in columns
            for other in one.measured.to_teacher
            if (other.row.name, other.minus) == (first.row.name, first.minus)
        ]
        lines += _group(f"{first.row.name}", columns, entries)
    if not lines:
        return None
    title = (
        f"Minus the teacher, {question.about.words}, within each cohort; shaded: a loss of more "
        f"than {question.points}"
    )
    return _forest(
        "cohort-differences", title, "percentage points with 95 % intervals", lines, columns,
        question.margin,
    )  # fmt: skip


def reliability_figure(one: CohortColumn, number: int) -> Picture:
    """Draw how often the methods are right on a cohort beside what they claim."""
    style = method_styles(one.measured)
    asked = headline_scores()["ECE"]
    rows = one.measured.rows
    from matplotlib.lines import Line2D  # here, for it takes its time

    name, said = f"cohort-reliability-{number:02}", []
    labels: list[tuple[str, str, str]] = []
    with drawing(name, 3.4, 3.3 + 0.19 * len(rows)) as figure:
        axes = figure.subplots()
        axes.plot([0, 100], [0, 100], color=FAINT, linestyle=":", linewidth=1)
        for row in rows:
            found = pooled(row)
            some = found.cases > 0
            confidence = 100 * found.confidence[some] / found.cases[some]
            right = 100 * found.hits[some] / found.cases[some]
            color, marker = style.get(row.label, (INK, "*"))
            error = _number(asked.entry(one.measured.blocks[row.name]["crops"]))
            sizes = 10 + 420 * found.cases[some] / found.cases.sum()
            axes.scatter(
                confidence, right, s=sizes, color=color, marker=marker, alpha=0.75, linewidth=0,
            )  # fmt: skip
            labels.append((color, marker, f"{cut_short(row.name, _LONGEST)}: {error}"))
            points = zip(confidence, right, found.cases[some], strict=True)
            said.append(
                f"{row.name}, ECE {error} %: "
                + ", ".join(f"{x:.1f}: {y:.1f} ({n:,})" for x, y, n in points)
            )
        axes.set_aspect("equal")
        axes.set_xlim(-3, 103)
        axes.set_ylim(-3, 103)
        axes.set_xticks(_TICKS)
        axes.set_yticks(_TICKS)
        axes.set_xlabel("probability of the class predicted, %")
        axes.set_ylabel("right, %")
        figure.legend(
            handles=[
                Line2D([], [], color=color, marker=marker, linestyle="", markersize=6, label=label)
                for color, marker, label in labels
            ],
            loc="outside lower center", fontsize=9, title="ECE, %", title_fontsize=9,
        )  # fmt: skip
        title = f"Reliability: {one.name}"
        alt = (
            f"Reliability of the methods on {one.name}. Mean confidence and share right, %, and "
            f"crops, by bin. {'; '.join(said)}"
        )
        return picture(figure, name, title, alt)


def _group(
    heading: str, columns: Sequence[CohortColumn], entries: Sequence[Mapping[str, Any]]
) -> list[_Line]:
    found = [_Line(heading)]
    for place, (one, entry) in enumerate(zip(columns, entries, strict=True)):
        value, span = entry["value"], ends(entry)
        found.append(_Line(one.name, place, value, span))
    return found


def _forest(
    name: str,
    title: str,
    unit: str,
    lines: Sequence[_Line],
    columns: Sequence[CohortColumn],
    margin: float | None = None,
) -> Picture:
    """Draw values with intervals below each other, grouped; with a margin, of differences."""
    sign = margin is not None
    known = [100 * end for one in lines if one.span for end in one.span]
    known += [100 * one.value for one in lines if one.value is not None]
    known += [0.0, -margin] if margin is not None else []
    low, high = (min(known), max(known)) if known else (0.0, 100.0)
    room = max(1.0, 0.04 * (high - low))
    with drawing(name, WIDTH, 0.75 + 0.25 * len(lines)) as figure:
        axes = figure.subplots()
        axes.set_xlim(low - room, high + room)
        axes.set_ylim(len(lines) - 0.4, -0.6)
        axes.grid(axis="x")
        axes.set_axisbelow(True)
        if margin is not None:
            axes.axvspan(low - room, -margin, color=ZONE, linewidth=0)
            axes.axvline(-margin, color=FAINT, linestyle=(0, (4, 3)), linewidth=1)
            axes.axvline(0, color=INK, linewidth=1)
        for place, one in enumerate(lines):
            if one.column is None or one.value is None:
                continue
            color = INK if one.column == 0 else SERIES[(one.column - 1) % len(SERIES)]
            marker = MARKERS[one.column % len(MARKERS)]
            if one.span is not None:
                span = [100 * end for end in one.span]
                axes.plot(span, [place, place], color=color, linewidth=2, solid_capstyle="butt")
            axes.plot([100 * one.value], [place], marker, color=color, markersize=6.5)
        axes.set_yticks(range(len(lines)), [cut_short(one.label, _LONGEST) for one in lines])
        for tick, one in zip(axes.get_yticklabels(), lines, strict=True):
            tick.set_fontweight("bold" if one.column is None else "normal")
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.set_xlabel(unit, x=1, horizontalalignment="right")
        alt = f"{title}. {_said(lines, sign=sign)}"
        return picture(figure, name, title, alt)


def _said(lines: Sequence[_Line], *, sign: bool) -> str:
    parts = []
    for one in lines:
        if one.column is None:
            parts.append(f"{one.label}:")
        elif one.value is None:
            parts.append(f"{one.label} not defined,")
        else:
            shown = percent(one.value, 1, sign=sign)
            parts.append(f"{one.label} {shown} ({interval(one.span, 1, sign=sign)}),")
    return " ".join(parts).rstrip(",")


def _number(entry: Mapping[str, Any]) -> str:
    return "–" if entry["value"] is None else percent(entry["value"], 1)


def _capital(words: str) -> str:
    return words[0].upper() + words[1:]
