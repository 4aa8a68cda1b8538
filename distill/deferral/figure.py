"""The curve as a picture: a score and its interval against what the networks take."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from distill.deferral.curve import Point
from distill.deferral.pair import Pair
from distill.evaluation import Score
from distill.report import (
    FAINT,
    INK,
    SERIES,
    Picture,
    drawing,
    ends,
    figure_files,
    percent,
    picture,
    quantity,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAME = "defer"
SIZE = (4.6, 3.5)
"""Inches, at 72 units each: no wider than a telephone, whose text stays readable."""


@dataclass(frozen=True)
class Mark:
    """A share of crops deferred: what it costs, and a score there.

    Attributes:
        share: of the crops, 0 to 1.
        gmac: per crop, mean.
        value: the score, a fraction of 1; None where it is not defined.
        ends: of its interval; None where there is none.
    """

    share: float
    gmac: float
    value: float | None
    ends: tuple[float, float] | None


@dataclass(frozen=True)
class DrawnCurve:
    """What a picture of a curve shows.

    Attributes:
        score: name of the score.
        place: subset and split.
        marks: from the student alone to the teacher alone, both networks' cost.
        alone: GMAC per crop of the teacher without a student before it.
        chosen: with the threshold that was chosen elsewhere; None where none was.
        who: student and teacher, where a title must tell them from others.
    """

    score: str
    place: str
    marks: tuple[Mark, ...]
    alone: float
    chosen: Mark | None
    who: str = ""

    @property
    def title(self) -> str:
        """What the picture shows."""
        whose = f"{self.who}: " if self.who else ""
        return f"{whose}{self.score} on {self.place} against multiply-adds"


def drawn_curve(
    pair: Pair, curve: Sequence[Point], score: Score, chosen: Point | None
) -> DrawnCurve:
    """Return what the picture of a curve shows.

    Args:
        pair: the runs.
        curve: of the pair, from the student alone to the teacher alone.
        score: which; one of a verdict, so it has words.
        chosen: with the threshold that was chosen elsewhere; None where none was.
    """
    about = pair.student.metrics
    return DrawnCurve(
        score.words,
        f"{about['subset']} of split {about['split']}",
        tuple(_mark_of(point, score) for point in curve),
        pair.cost.teacher,
        None if chosen is None else _mark_of(chosen, score),
    )


def _mark_of(point: Point, score: Score) -> Mark:
    entry = score.entry(point.block)
    return Mark(point.share, point.gmac_per_crop, entry["value"], ends(entry))


def defer_figure(shown: DrawnCurve) -> dict[str, bytes]:
    """Return the picture's files by name, SVG and PNG."""
    with _drawn(shown, NAME) as figure:
        return figure_files(figure, _picture(figure, shown, NAME))


def defer_picture(shown: DrawnCurve, name: str) -> Picture:
    """Return the picture for a page, under a name."""
    with _drawn(shown, name) as figure:
        return _picture(figure, shown, name)


def _picture(figure: Figure, shown: DrawnCurve, name: str) -> Picture:
    first, last = shown.marks[0], shown.marks[-1]
    said = "; ".join(
        f"{percent(one.share, 0)} % deferred: {percent(one.value, 1)} at {quantity(one.gmac)} GMAC"
        for one in (first, *([shown.chosen] if shown.chosen else []), last)
        if one.value is not None
    )
    return picture(figure, name, shown.title, f"{shown.title}. {said}")


@contextmanager
def _drawn(shown: DrawnCurve, name: str) -> Iterator[Figure]:
    with drawing(name, *SIZE) as figure:
        axes = figure.subplots()
        axes.grid(axis="y")
        axes.set_axisbelow(True)
        first, last, chosen = shown.marks[0], shown.marks[-1], shown.chosen
        _band(axes, shown.marks)
        _mark(axes, first, first.gmac, "o", SERIES[1], "student alone")
        _mark(axes, last, shown.alone, "*", INK, "teacher alone")
        if chosen is not None:
            label = f"chosen: {percent(chosen.share, 0)} % deferred"
            _mark(axes, chosen, chosen.gmac, "D", SERIES[0], label)
        axes.set_xlim(0, 1.03 * max(shown.alone, last.gmac))
        axes.set_xlabel("GMAC per crop, mean")
        axes.set_ylabel(f"{shown.score}, %")
        figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2)
        yield figure


def _band(axes: Axes, marks: Sequence[Mark]) -> None:
    known = [(one.gmac, one.value, one.ends) for one in marks if one.value is not None]
    spans = [(gmac, *span) for gmac, _, span in known if span]
    if spans:
        places, low, high = zip(*spans, strict=True)
        axes.fill_between(
            places,
            [100 * end for end in low],
            [100 * end for end in high],
            color=SERIES[1],
            alpha=0.16,
            linewidth=0,
            label="95 % interval",
        )
    axes.plot(
        [gmac for gmac, _, _ in known],
        [100 * value for _, value, _ in known],
        color=SERIES[1], linewidth=1.8, label="both together",
    )  # fmt: skip


def _mark(axes: Axes, one: Mark, place: float, marker: str, color: str, label: str) -> None:
    if one.value is None:
        return
    if one.ends:
        axes.plot([place, place], [100 * end for end in one.ends], color=FAINT, linewidth=1.1)
    axes.plot([place], [100 * one.value], marker, color=color,
              markersize=12 if marker == "*" else 7,
              label=label, linestyle="none", clip_on=False, zorder=4)  # fmt: skip
