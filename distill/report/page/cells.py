"""Cells and columns that several tables have: rows by level and method, scores, seeds."""

from __future__ import annotations

from collections.abc import Iterable

from distill.evaluation import Score, ScoreTable, score_columns
from distill.report.formatting import NONE, Entry, ends, interval, magnification, percent
from distill.report.methods import MethodRow
from distill.report.page.table import Cell, Column, field
from distill.report.scores import Difference, Measured

LEVEL = Column("level", ("level", "mpp"), number=False, group=True)
METHOD = Column("method", ("method", "runs"), number=False)
COMPARED = Column("method", ("method", "runs", "minus"), number=False)
CLASS = Column("class", ("class",), number=False)
CASES = Column("cases", ("kind", "cases"), number=False)
AVERAGE = "Mean over classes of one-vs-rest scores over crops, in %"


def resampled(measured: Measured) -> str:
    """Return how the intervals were made, for captions."""
    how = measured.collected.how
    what = "patients" if how.unit == "patient" else "crops, as if they were independent"
    return (
        f"Beside each its 95 % interval: percentile bootstrap over {what}, {how.draws:,} draws, "
        f"seed {how.seed}."
    )


def head(row: MethodRow) -> tuple[Cell, Cell]:
    """Return the cells of `LEVEL`, e.g. "1.25× (8 µm/px)", and of `METHOD`."""
    level = Cell(f"{magnification(row.level)} ({row.mpp:.4g} µm/px)", (row.level, row.mpp))
    seeds = f", {row.several}" if row.several else ""
    names = " + ".join(one.name for one in row.runs)
    return level, Cell(f"{row.label}{seeds}", (row.label, names))


def compared(difference: Difference) -> tuple[Cell, Cell]:
    """Return the cells of `LEVEL` and of `COMPARED`: the method, and what it is compared with."""
    level, method = head(difference.row)
    minus = f"minus {difference.minus}"
    return level, Cell(method.text, (*method.raw, difference.minus), minus)


def cases(kind: str, number: int) -> Cell:
    """Return the cell of `CASES`: "45 patients"."""
    return Cell(f"{number:,} {kind[:-1] if number == 1 else kind}", (kind, number))


def shown(measured: Measured, table: ScoreTable) -> dict[str, Score]:
    """Return the scores of a table by title; what runs may lack where all of them have it."""
    return score_columns(table, [one.metrics for one in measured.collected.runs])


def scored(names: Iterable[str], *, seeds: bool = False) -> list[Column]:
    """Return columns of scores with their intervals, and with the ends of the seeds' values."""
    ends = ["", "_low", "_high", *(["_seeds_low", "_seeds_high"] if seeds else [])]
    return [Column(name, tuple(f"{field(name)}{end}" for end in ends)) for name in names]


def over_seeds(measured: Measured, row: MethodRow, wanted: Score) -> Cell:
    """Return a row's score over crops, its interval, and between what values its seeds lie."""
    cell = score(wanted.entry(measured.blocks[row.name]["crops"]))
    values = [wanted.entry(one.metrics)["value"] for one in row.runs]
    known = [value for value in values if value is not None]
    if len(row.runs) == 1 or not known:
        return Cell(cell.text, (*cell.raw, None, None), cell.small)
    low, high = min(known), max(known)
    note = f"{row.several.split()[1]} {percent(low)}–{percent(high)}"
    return Cell(cell.text, (*cell.raw, low, high), cell.small, note)


def score(entry: Entry, *, sign: bool = False) -> Cell:
    """Return a score in percent above its interval; raw are fractions: value, low, high."""
    value, span = entry["value"], ends(entry)
    if value is None:
        return Cell(NONE, (None, None, None))
    low, high = span or (None, None)
    return Cell(percent(value, sign=sign), (value, low, high), interval(span, sign=sign))
