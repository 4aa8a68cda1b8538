"""The folds of a cross-validation, one by one, as a section of the report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from distill.evaluation import Score, ScoreTable, score_columns
from distill.pooling.evaluation import scores_over_classes
from distill.pooling.gather import FoldRun, Passes
from distill.report import (
    FAINT,
    INK,
    LEVEL,
    METHOD,
    Cell,
    Column,
    Measured,
    MethodRow,
    Picture,
    Section,
    Table,
    columns,
    count,
    drawing,
    ends,
    head,
    method_styles,
    percent,
    picture,
    text,
)

Scores = Mapping[str, float]


def folds_section(measured: Measured, methods: Sequence[Passes], score: Score) -> Section:
    """Return what each fold's own patients say, beside what they say together.

    Args:
        measured: the numbers of the passes, from the same methods.
        methods: with the runs of each fold.
        score: what the figure shows.
    """
    own = {one.path: scores_over_classes(one.answers) for passes in methods for one in passes.runs}
    several = any(len({seed for _, seed in passes.keys}) > 1 for passes in methods)
    text_ = (
        "What the patients of a fold say alone. A fold has few of them, so its score has no "
        "interval, and the folds' spread is wider than the uncertainty of the pooled score."
    )
    if several:
        text_ += " In the picture a fold stands at the mean of its seeds."
    return Section(
        "folds",
        "Fold by fold",
        text_,
        figures=(_figure(measured, methods, own, score),),
        tables=(_table(measured, methods, own),),
    )


def _value(scores: Scores, score: Score) -> float | None:
    value = scores.get(f"{score.group} {score.name}")
    return None if value is None or np.isnan(value) else value


def _rows(
    measured: Measured, methods: Sequence[Passes]
) -> Iterator[tuple[MethodRow, list[FoldRun]]]:
    """Give each row of the report's tables with its runs of folds."""
    for row in measured.rows:
        paths = {one.run.path for run in row.runs for one in run.folds}
        yield row, [one for passes in methods for one in passes.runs if one.path in paths]


def _table(measured: Measured, methods: Sequence[Passes], own: Mapping[Path, Scores]) -> Table:
    wanted = score_columns(ScoreTable.MACRO, [one.metrics for one in measured.collected.trained])
    sites = any(one.fold.site for passes in methods for one in passes.runs)
    words = ("fold", *(("site",) if sites else ()))
    made = columns(
        LEVEL, METHOD, *(Column(word, (word,), number=False) for word in words),
        "seed", "patients", "crops", *wanted,
    )  # fmt: skip
    body = []
    for row, runs in _rows(measured, methods):
        for one in runs:
            rows = one.answers.table.dropna(subset="label")
            values = [_value(own[one.path], score) for score in wanted.values()]
            body.append((
                *head(row), text(one.fold.split),
                *((text(one.fold.site),) if sites else ()),
                count(one.seed), count(int(rows["patient"].nunique())), count(len(rows)),
                *(Cell("–" if value is None else percent(value), (value,)) for value in values),
            ))  # fmt: skip
    caption = (
        "Means over classes of one-vs-rest scores over the fold's crops, in %; a class that a fold "
        "lacks is left out of its means."
    )
    return Table("fold-scores", "Every fold", caption, made, tuple(body))


def _figure(
    measured: Measured,
    methods: Sequence[Passes],
    own: Mapping[Path, Scores],
    score: Score,
) -> Picture:
    """Draw each fold's score beside the pooled one and its interval, a line for each method."""
    rows, style = list(_rows(measured, methods)), method_styles(measured)
    title = f"{score.words}: pooled, and fold by fold"
    said = []
    with drawing("folds", 4.6, 1.3 + 0.46 * len(rows)) as figure:
        axes = figure.subplots()
        axes.grid(axis="x")
        axes.set_axisbelow(True)
        for place, (row, runs) in enumerate(rows):
            color, marker = style.get(row.label, (INK, "*"))  # the teacher's
            folds = _means(runs, own, score)
            axes.plot(
                [100 * value for value in folds], [place + 0.16] * len(folds), "|",
                color=color, markersize=9, markeredgewidth=1.6,
            )  # fmt: skip
            entry = score.entry(measured.blocks[row.name]["crops"])
            if entry["value"] is None:
                continue
            if span := ends(entry):
                axes.plot(
                    [100 * end for end in span], [place - 0.16] * 2, color=color, linewidth=2.2
                )
            axes.plot([100 * entry["value"]], [place - 0.16], marker, color=color, markersize=7)
            each = ", ".join(percent(value, 1) for value in folds)
            said.append(f"{row.name}: {percent(entry['value'], 1)}; folds {each}")
        axes.set_yticks(range(len(rows)), [row.name for row, _ in rows])
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.set_xlabel(f"{score.words}, %", x=1, horizontalalignment="right")
        axes.plot([], [], "o-", color=INK, linewidth=2.2, label="pooled, 95 % interval")
        axes.plot([], [], "|", color=FAINT, markersize=9, markeredgewidth=1.6, label="each fold")
        figure.legend(loc="outside lower center", ncols=2)
        return picture(figure, "folds", title, f"{title}, in %. {'; '.join(said)}")


def _means(runs: Sequence[FoldRun], own: Mapping[Path, Scores], score: Score) -> list[float]:
    """Return each fold's score, the mean over its seeds; those that are defined."""
    each: dict[str, list[float]] = {}
    for one in runs:
        if (value := _value(own[one.path], score)) is not None:
            each.setdefault(one.fold.split, []).append(value)
    return [float(np.mean(values)) for values in each.values()]
