"""The curve as a picture: a score and its interval against what the networks take."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

from distill.deferral.curve import Point
from distill.deferral.pair import Pair
from distill.evaluation import Score
from distill.report import FAINT, INK, SERIES, drawing, ends, percent, picture, quantity

NAME = "defer"
SIZE = (4.6, 3.5)
"""Inches, at 72 units each: no wider than a telephone, whose text stays readable."""
DPI = 200


def defer_figure(
    pair: Pair, curve: Sequence[Point], score: Score, chosen: Point | None
) -> dict[str, bytes]:
    """Draw one score against mean GMAC per crop; return the files by name, SVG and PNG.

    Args:
        pair: the runs.
        curve: of the pair, from the student alone to the teacher alone.
        score: which; one of a verdict, so it has words.
        chosen: with the threshold that was chosen elsewhere; None where none was.
    """
    place = f"{pair.student.metrics['subset']} of split {pair.student.metrics['split']}"
    title = f"{score.words} on {place} against multiply-adds"
    alone = pair.cost.teacher
    with drawing(NAME, *SIZE) as figure:
        axes = figure.subplots()
        axes.grid(axis="y")
        axes.set_axisbelow(True)
        _band(axes, curve, score)
        last = score.entry(curve[-1].block)
        _mark(axes, curve[0].gmac_per_crop, score.entry(curve[0].block), "o", SERIES[1],
              "student alone")  # fmt: skip
        _mark(axes, alone, last, "*", INK, "teacher alone")
        if chosen is not None:
            _mark(axes, chosen.gmac_per_crop, score.entry(chosen.block), "D", SERIES[0],
                  f"chosen: {percent(chosen.share, 0)} % deferred")  # fmt: skip
        axes.set_xlim(0, 1.03 * max(alone, curve[-1].gmac_per_crop))
        axes.set_xlabel("GMAC per crop, mean")
        axes.set_ylabel(f"{score.words}, %")
        figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2)
        said = "; ".join(
            f"{percent(one.share, 0)} % deferred: {percent(entry['value'], 1)} at "
            f"{quantity(one.gmac_per_crop)} GMAC"
            for one in (curve[0], *([chosen] if chosen else []), curve[-1])
            if (entry := score.entry(one.block))["value"] is not None
        )
        svg = picture(figure, NAME, title, f"{title}. {said}").file()
        png = io.BytesIO()
        figure.savefig(png, format="png", dpi=DPI, facecolor="white", metadata={"Software": None})
    return {f"{NAME}.svg": svg, f"{NAME}.png": png.getvalue()}


def _band(axes: Any, curve: Sequence[Point], score: Score) -> None:
    known = [(one, score.entry(one.block)) for one in curve]
    known = [(one, entry) for one, entry in known if entry["value"] is not None]
    spans = [(one.gmac_per_crop, span) for one, entry in known if (span := ends(entry))]
    if spans:
        places, both = zip(*spans, strict=True)
        low, high = zip(*both, strict=True)
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
        [one.gmac_per_crop for one, _ in known],
        [100 * entry["value"] for _, entry in known],
        color=SERIES[1], linewidth=1.8, label="both together",
    )  # fmt: skip


def _mark(axes: Any, place: float, entry: Any, marker: str, color: str, label: str) -> None:
    if entry["value"] is None:
        return
    value = 100 * entry["value"]
    if span := ends(entry):
        axes.plot([place, place], [100 * end for end in span], color=FAINT, linewidth=1.1)
    axes.plot([place], [value], marker, color=color, markersize=12 if marker == "*" else 7,
              label=label, linestyle="none", clip_on=False, zorder=4)  # fmt: skip
