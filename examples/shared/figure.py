"""The figure: a score against cost, a panel for each store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise, product
from pathlib import Path
from typing import Any

from distill.files import publish
from distill.report.formatting import magnification, percent, quantity
from distill.report.methods import BASELINE, STUDENT, TEACHER
from distill.report.page.svg import FAINT, INK, MARKERS, SERIES, drawing, picture
from examples.shared.methods import REFERENCE, Method, order
from examples.shared.scores import Score
from examples.shared.tables import Scored

HEIGHT, WIDTH = 3.8, 5.6
"""Inches of a panel."""
_LINE = 0.21
"""Inches of a line of the legend."""
_DASHES: tuple[Any, ...] = ((0, (1, 1.2)), (0, (4, 1.6)), "-")
"""Of the sets of crops, smallest first; the largest, which is last, has a full line."""
_ROOM = 0.5
"""Share of the way from one level to the next that the methods of a level take up."""

Style = tuple[str, str, Any, bool]
"""Colour, marker, dashes, whether the marker is filled."""


def styles(scored: Mapping[str, Scored]) -> dict[str, Style]:
    """Return how each line is drawn: colours for recipes, dashes for what they were distilled on.

    Args:
        scored: by name of the panel.
    """
    methods = [one for each in scored.values() for one in each]
    lines: dict[str, Style] = {}
    recipes: list[str] = []
    for kind in (BASELINE, STUDENT):
        own = list(dict.fromkeys(one.recipe for one in methods if one.kind == kind))
        crops = order([one.crops for one in methods if one.kind == kind])
        recipes += own
        for recipe, crop in product(own, crops):
            found = [one.name for one in methods if (one.recipe, one.crops) == (recipe, crop)]
            place = recipes.index(recipe)
            behind = len(crops) - 1 - crops.index(crop)
            for name in dict.fromkeys(found):
                lines[name] = (
                    SERIES[place % len(SERIES)],
                    MARKERS[place % len(MARKERS)],
                    _DASHES[max(0, len(_DASHES) - 1 - behind)],
                    behind == 0,
                )
    return lines


def draw(scored: Mapping[str, Scored], score: str, stem: Path) -> None:
    """Write STEM.svg and STEM.png: the mean over seeds with its interval, every seed as a dot.

    Args:
        scored: by name of the panel.
        score: one of `scores.SCORES`.
        stem: of both files, which are replaced.
    """
    style = styles(scored)
    title = f"{score} against cost"
    with drawing(stem.name, WIDTH * len(scored), HEIGHT) as figure:
        panels = figure.subplots(1, len(scored), sharey=True, squeeze=False)[0]
        for axes, (name, each) in zip(panels, scored.items(), strict=True):
            _panel(axes, {one: found[score] for one, found in each.items()}, style)
            axes.set_title(name, loc="left", fontweight="bold")
        panels[0].set_ylabel(f"{score}, %")
        handles = {h.get_label(): h for axes in panels for h in axes.get_lines()}
        shown = {n: h for n, h in handles.items() if n and not n.startswith("_")}
        lines = _legend(figure, shown, 2 * len(scored))
        figure.set_figheight(HEIGHT + lines * _LINE)
        said = "; ".join(
            f"{name}: {one.name} at {magnification(one.level)} {percent(found[score].value, 1)}"
            for name, each in scored.items()
            for one, found in each.items()
        )
        publish(stem.with_suffix(".svg"), picture(figure, stem.name, title, said).file())
        figure.savefig(aside := stem.with_suffix(".part.png"), dpi=160, facecolor="white")
        aside.replace(stem.with_suffix(".png"))


def _legend(figure: Any, shown: Mapping[str, Any], columns: int) -> int:
    """Set a legend below the panels, in as many columns as fit; returns its lines."""
    while True:
        legend = figure.legend(
            shown.values(), shown.keys(), loc="outside lower center", ncols=columns,
            handlelength=3.2,
        )  # fmt: skip
        needed = legend.get_window_extent().width
        if columns == 1 or needed <= figure.bbox.width:
            return -(-len(shown) // columns)
        legend.remove()
        columns -= 1


def _panel(axes: Any, given: Mapping[Method, Score], style: Mapping[str, Style]) -> None:
    networks = [one for one in given if one.gmac is not None]
    costs = {one.level: float(one.gmac or 0) for one in networks}
    places = places_of(costs)
    axes.set_xscale("log")
    axes.grid(axis="y")
    axes.set_axisbelow(True)
    axes.set_xticks(
        list(places.values()),
        [f"{quantity(costs[level])}\n{magnification(level)}" for level in places],
    )
    axes.minorticks_off()
    step = _step(sorted(places.values()))
    axes.set_xlim(min(places.values()) / step**0.55, max(places.values()) * step**0.55)
    even = " (logarithmic)" if places == costs else ""
    axes.set_xlabel(f"GMAC per crop{even}, and the level")
    for one, score in given.items():
        _reference(axes, one, score, places)
    names = [name for name in style if any(one.name == name for one in given)]
    for number, name in enumerate(names):
        # side by side, so that intervals at one level do not hide each other
        aside = (number - (len(names) - 1) / 2) / max(1, len(names) - 1)
        points = [
            (places[one.level] * step ** (_ROOM * aside), score)
            for one, score in given.items()
            if one.name == name
        ]
        _line(axes, sorted(points, key=lambda point: point[0]), name, style[name])


def places_of(costs: Mapping[str, float]) -> dict[str, float]:
    """Return where each level stands on the logarithmic axis: at its cost.

    Levels of one cost, such as those that `--enlarge` brings to one size, would lie on each other:
    then all stand evenly, in the order of their magnification.
    """
    if len(set(costs.values())) == len(costs):
        return dict(costs)
    order = sorted(costs, key=lambda level: float(level.rstrip("x×")))
    return {level: 2.0**rank for rank, level in enumerate(order)}


def _reference(axes: Any, one: Method, score: Score, places: Mapping[str, float]) -> None:
    if one.kind not in (TEACHER, REFERENCE):
        return
    value, teacher = 100 * score.value, one.kind == TEACHER
    dashes = "-" if teacher else (0, (1, 1.5) if one.recipe == "train" else (5, 2))
    axes.axhline(
        value, color=INK if teacher else FAINT, linestyle=dashes, linewidth=1.2, zorder=1,
        label=f"Teacher at {magnification(one.level)}" if teacher else one.name,
    )  # fmt: skip
    if teacher:
        axes.axhspan(100 * score.low, 100 * score.high, color=INK, alpha=0.07, linewidth=0)
        axes.plot([places[one.level]], [value], "*", color=INK, markersize=12, label="_teacher")
        _seeds(axes, places[one.level], score, INK)


def _line(axes: Any, points: Sequence[tuple[float, Score]], name: str, style: Style) -> None:
    color, marker, dashes, filled = style
    for x, score in points:
        axes.plot(
            [x, x], [100 * score.low, 100 * score.high], color=color, linewidth=1.6,
            alpha=0.55, label="_interval",
        )  # fmt: skip
        _seeds(axes, x, score, color)
    axes.plot(
        [x for x, _ in points], [100 * score.value for _, score in points], color=color,
        linestyle=dashes, marker=marker, linewidth=1.3, markersize=6, label=name,
        markerfacecolor=color if filled else "white", zorder=3,
    )  # fmt: skip


def _seeds(axes: Any, x: float, score: Score, color: str) -> None:
    if len(score.each) > 1:
        axes.plot(
            [x] * len(score.each), [100 * value for value in score.each], ".", color=color,
            markersize=3, alpha=0.8, label="_seeds", zorder=2,
        )  # fmt: skip


def _step(costs: Sequence[float]) -> float:
    """Return the smallest factor between neighbouring costs."""
    return min((b / a for a, b in pairwise(costs)), default=4.0)
