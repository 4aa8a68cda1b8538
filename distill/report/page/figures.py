"""The figures: differences beside the margin, accuracy against cost (Figure 3), training curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from distill.evaluation import Score, ScoreTable, score_columns
from distill.report.evaluations import Evaluated
from distill.report.formatting import ends, interval, magnification, percent, quantity
from distill.report.methods import BASELINE, TEACHER, MethodRow
from distill.report.page.svg import (
    FAINT,
    INK,
    MARKERS,
    RULE,
    SERIES,
    WIDTH,
    ZONE,
    Picture,
    drawing,
    picture,
)
from distill.report.scores import Measured
from distill.report.verdict import Question, Verdict

Entry = Mapping[str, Any]


def method_styles(measured: Measured) -> dict[str, tuple[str, str]]:
    """Return colour and marker of each label but the teachers': the baseline's first."""
    labels = list(dict.fromkeys(row.label for row in measured.rows if row.kind != TEACHER))
    baselines = {row.label for row in measured.rows if row.kind == BASELINE}
    ordered = sorted(labels, key=lambda label: label not in baselines)
    # without a baseline its colour stays free
    start = 0 if baselines else 1
    return {
        label: (SERIES[place % len(SERIES)], MARKERS[place % len(MARKERS)])
        for place, label in enumerate(ordered, start)
    }


def margin_figure(
    verdicts: Sequence[Verdict], question: Question, measured: Measured
) -> Picture | None:
    """Draw each student's difference to its teacher with its interval, and the margin."""
    shown = [
        verdict for verdict in verdicts if verdict.value is not None and verdict.low is not None
    ]
    if not shown:
        return None
    name, style = question.about.words, method_styles(measured)
    title = f"Student minus teacher, {name}; shaded: a loss of more than {question.points}"
    with drawing("margin", WIDTH, 0.95 + 0.36 * len(shown)) as figure:
        axes = figure.subplots()
        low = min([-question.margin, *(100 * float(one.low or 0) for one in shown)])
        high = max([0.0, *(100 * float(one.high or 0) for one in shown)])
        room = max(1.0, 0.06 * (high - low))
        axes.set_xlim(low - room, high + room)
        axes.set_ylim(len(shown) - 0.4, -0.6)
        axes.axvspan(low - room, -question.margin, color=ZONE, linewidth=0)
        axes.axvline(-question.margin, color=FAINT, linestyle=(0, (4, 3)), linewidth=1)
        axes.axvline(0, color=INK, linewidth=1)
        for place, one in enumerate(shown):
            color, marker = style[one.difference.row.label]
            span = [100 * float(one.low or 0), 100 * float(one.high or 0)]
            axes.plot(span, [place, place], color=color, linewidth=2.2, solid_capstyle="butt")
            axes.plot([100 * float(one.value or 0)], [place], marker, color=color, markersize=7)
        axes.set_yticks(range(len(shown)), [_short(one.difference.row) for one in shown])
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        # from the right edge, so that long names on the left push nothing out of the figure
        axes.set_xlabel("percentage points with 95 % intervals", x=1, horizontalalignment="right")
        said = "; ".join(
            f"{one.difference.row.name}: {percent(one.value or 0, 1, sign=True)} "
            f"({interval((one.low or 0, one.high or 0), 1, sign=True)})"
            for one in shown
        )
        alt = f"{title}. In points, with 95 % intervals: {said}"
        return picture(figure, "margin", title, alt)


def cost_figure(measured: Measured) -> Picture:
    """Draw accuracy against cost, as Figure 3 of the paper, with intervals."""
    style = method_styles(measured)
    accuracy = score_columns(ScoreTable.MACRO)["accuracy"]
    title = "Accuracy against cost (Figure 3 of the paper)"
    with drawing("cost", WIDTH, 3.9) as figure:
        axes = figure.subplots()
        axes.set_xscale("log")
        axes.grid(axis="y")
        axes.set_axisbelow(True)
        labels = list(style)
        for number, label in enumerate(labels):
            color, marker = style[label]
            rows = [row for row in measured.rows if row.label == label]
            # side by side, so that intervals at one level do not hide each other
            aside = 1.055 ** (number - (len(labels) - 1) / 2)
            _line(axes, measured, rows, accuracy, color, marker, label, aside)
        for row in measured.of(TEACHER):
            _line(axes, measured, [row], accuracy, INK, "*", row.label, 1.0)
        ticks: dict[str, MethodRow] = {row.level: row for row in measured.rows}
        axes.set_xticks(
            [row.gflop for row in ticks.values()],
            [f"{quantity(row.gflop)}\n{magnification(level)}" for level, row in ticks.items()],
        )
        axes.minorticks_off()
        spread = [row.gflop for row in measured.rows]
        axes.set_xlim(min(spread) / 1.35, max(spread) * 1.35)
        axes.set_xlabel("GFLOP per crop, mean (logarithmic); below it the magnification")
        axes.set_ylabel("accuracy, one-vs-rest, %")
        axes.legend(loc="best")
        said = "; ".join(
            f"{row.name}: {percent(entry['value'], 1)} at {quantity(row.gflop)} GFLOP"
            for row in measured.rows
            for entry in [accuracy.entry(measured.blocks[row.name]["crops"])]
            if entry["value"] is not None
        )
        return picture(figure, "cost", title, f"{title}. {said}")


def curve_figure(one: Evaluated, name: str, title: str) -> Picture:
    """Draw a run's loss by epoch, training and validation, and the epoch that was kept."""
    from matplotlib.ticker import MaxNLocator

    kept = one.run.weights.epoch
    with drawing(name, 3.4, 2.3) as figure:
        axes = figure.subplots()
        lines = {"train": (SERIES[1], "-"), "val": (SERIES[0], (0, (4, 1.5)))}
        last = []
        for subset, (color, dashes) in lines.items():
            points = [
                (record["epoch"], record[subset]["loss"])
                for record in one.epochs
                if "loss" in record.get(subset, {})
            ]
            if points:
                mark = "o" if len(points) == 1 else ""
                axes.plot(
                    *zip(*points, strict=True), color=color, linestyle=dashes, label=subset,
                    marker=mark,
                )  # fmt: skip
                last.append(f"{subset} {points[-1][1]:.3g}")
        axes.axvline(kept, color=FAINT, linestyle=":", linewidth=1.2, label=f"kept: {kept}")
        axes.grid(axis="y", color=RULE)
        axes.set_axisbelow(True)
        axes.set_xlabel("epoch")
        axes.set_ylabel("loss")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
        axes.yaxis.set_major_locator(MaxNLocator(nbins=5))
        axes.legend(fontsize=9)
        alt = f"Loss of {title} by epoch; in the last: {', '.join(last)}; epoch {kept} was kept."
        return picture(figure, name, title, alt)


def _line(
    axes: Any,
    measured: Measured,
    rows: Sequence[MethodRow],
    score: Score,
    color: str,
    marker: str,
    label: str,
    aside: float,
) -> None:
    points = []
    for row in rows:
        entry = score.entry(measured.blocks[row.name]["crops"])
        if entry["value"] is None:
            continue
        x, y = row.gflop * aside, 100 * entry["value"]
        points.append((x, y))
        if span := ends(entry):
            axes.plot([x, x], [100 * end for end in span], color=color, linewidth=1.2)
    if points:
        size = 12 if marker == "*" else 6
        axes.plot(
            *zip(*sorted(points), strict=True), color=color, marker=marker, label=label,
            linewidth=1.4, markersize=size,
        )  # fmt: skip


def _short(row: MethodRow) -> str:
    label = row.label if len(row.label) <= 26 else f"{row.label[:25]}…"
    return f"{label}  {magnification(row.level)}"
