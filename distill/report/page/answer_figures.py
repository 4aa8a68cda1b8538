"""The figures of a row's answers: ROC curves of its classes, and a reliability diagram."""

from __future__ import annotations

import numpy as np

from distill.evaluation import BINS, ScoreTable, score_columns
from distill.report.curves import pooled, roc_curves
from distill.report.formatting import NONE, Entry, cut_short, percent
from distill.report.methods import MethodRow
from distill.report.page.svg import FAINT, SERIES, Picture, drawing, picture
from distill.report.scores import Measured

_DASHES: tuple[object, ...] = ("-", (0, (5, 1.5)), (0, (1.5, 1.2)), (0, (6, 1.5, 1.5, 1.5)))
_TICKS = (0, 20, 40, 60, 80, 100)
_LONGEST = 30
"""Characters of a class's name in a legend."""


def roc_figure(measured: Measured, row: MethodRow, name: str) -> Picture:
    """Draw a row's ROC curves, one a class against the rest, over crops."""
    block = measured.blocks[row.name]["crops"]
    auroc = score_columns(ScoreTable.OVERALL)["AUROC"]
    found = roc_curves(row)
    areas = {label: _shown(auroc.of_class(block, label)) for label in found}
    with drawing(name, 3.4, 3.3 + 0.19 * len(found)) as figure:
        axes = figure.subplots()
        axes.plot([0, 100], [0, 100], color=FAINT, linestyle=":", linewidth=1)
        for number, (label, curve) in enumerate(found.items()):
            color = SERIES[(number + 1) % len(SERIES)]
            dashes = _DASHES[number % len(_DASHES)]
            points = np.empty((0, 2)) if curve is None else 100 * curve
            axes.plot(
                points[:, 0], points[:, 1], color=color, linestyle=dashes, linewidth=1.6,
                label=f"{cut_short(label, _LONGEST)}: {areas[label]}",
            )  # fmt: skip
        axes.set_aspect("equal")
        axes.set_xlim(-2, 102)
        axes.set_ylim(-2, 102)
        axes.set_xticks(_TICKS)
        axes.set_yticks(_TICKS)
        axes.set_xlabel("100 − specificity, %")
        axes.set_ylabel("sensitivity, %")
        figure.legend(loc="outside lower center", fontsize=9, title="AUROC, %", title_fontsize=9)
        said = "; ".join(f"{label}: {area}" for label, area in areas.items())
        whose = _title(row, "mean of {}")
        title = f"ROC: {whose}"
        alt = f"ROC curves of {whose}, each class against the rest; AUROC in %: {said}"
        return picture(figure, name, title, alt)


def reliability_figure(measured: Measured, row: MethodRow, name: str) -> Picture:
    """Draw how often a row is right beside its confidence, and how many crops each bin has."""
    found = pooled(row)
    some = found.cases > 0
    cases = np.maximum(found.cases, 1)
    confidence, right = 100 * found.confidence / cases, 100 * found.hits / cases
    error = score_columns(ScoreTable.OVERALL)["ECE"].entry(measured.blocks[row.name]["crops"])
    with drawing(name, 3.4, 4.0) as figure:
        above, below = figure.subplots(2, sharex=True, height_ratios=(3, 1.15))
        above.plot([0, 100], [0, 100], color=FAINT, linestyle=":", linewidth=1)
        above.vlines(
            confidence[some], confidence[some], right[some], color=SERIES[0], linewidth=1.6
        )
        above.plot(confidence[some], right[some], "o-", color=SERIES[1], linewidth=1, markersize=5)
        above.set_ylim(-4, 104)
        above.set_yticks(_TICKS)
        above.set_ylabel("right, %")
        above.text(2, 96, f"ECE {_shown(error)} %", fontsize=10, verticalalignment="top")
        middle = 100 * (np.arange(BINS) + 0.5) / BINS
        below.bar(middle, found.cases, width=0.86 * 100 / BINS, color=SERIES[1], linewidth=0)
        for x, n in zip(middle, found.cases.tolist(), strict=True):
            if n:
                below.annotate(
                    f"{n:,}", (x, n), (0, 2), textcoords="offset points", rotation=90,
                    fontsize=8, horizontalalignment="center", verticalalignment="bottom",
                )  # fmt: skip
        # room above the highest bar for its number
        below.set_ylim(0, 1.75 * found.cases.max())
        below.set_yticks([])
        below.spines["left"].set_visible(False)
        below.set_ylabel("crops")
        below.set_xlim(-2, 102)
        below.set_xticks(_TICKS)
        below.set_xlabel("probability of the class predicted, %")
        title = _title(row, "crops of {}")
        said = "; ".join(
            f"{confidence[k]:.1f}: {right[k]:.1f} ({found.cases[k]:,})"
            for k in np.flatnonzero(some)
        )
        alt = (
            f"Reliability of {title}. Expected calibration error {_shown(error)} %. Mean "
            f"confidence and share right, %, and crops, by bin: {said}"
        )
        return picture(figure, name, title, alt)


def _title(row: MethodRow, of: str) -> str:
    return row.name + (f", {of.format(row.several)}" if row.several else "")


def _shown(entry: Entry) -> str:
    return NONE if entry["value"] is None else percent(entry["value"], 1)
