"""The spread between folds, seeds and repeats as a table on a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from distill.evaluation import ScoreTable, score_columns
from wsistore import terminal


def spread_table(report: Mapping[str, Any]) -> Table:
    """Return a row for folds, seeds and repeats, where there are several: deviation and range.

    Args:
        report: what metrics.json of a pooled evaluation holds.
    """
    shown = Table(
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        title="Spread",
        caption=terminal.text(
            "Standard deviation, and below it least and most, over crops, in %. A fold counts by "
            "its mean over seeds, a seed by its mean over repeats, a repeat by its mean over "
            "seeds. Folds test few patients each: their spread is no interval of the pooled score."
        ),
    )
    shown.add_column("between", no_wrap=True)
    columns = score_columns(ScoreTable.MACRO, [report])
    for title in columns:
        shown.add_column(title, justify="right", no_wrap=True)
    for name, held in report["spread"].items():
        if held["n"] > 1:
            cells = [_cell(held[score.group][score.name]) for score in columns.values()]
            shown.add_row(f"{held['n']} {name}", *cells)
    return shown


def _cell(entry: Mapping[str, Any]) -> str:
    if entry["range"] is None:
        return "–"
    low, high = (f"{100 * end:.2f}" for end in entry["range"])
    return f"{100 * entry['standard_deviation']:.2f}\n{low}–{high}"
