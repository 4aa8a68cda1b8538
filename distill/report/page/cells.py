"""Cells and columns that several tables have: rows by level and method, scores, seeds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from distill.evaluation import MACRO, PAPER
from distill.report.formatting import NONE, Entry, ends, interval, magnification, percent
from distill.report.methods import MethodRow
from distill.report.page.table import Cell, Column, field
from distill.report.scores import Difference, Measured

LEVEL = Column("level", ("level", "mpp"), number=False, group=True)
METHOD = Column("method", ("method", "runs"), number=False)
COMPARED = Column("method", ("method", "runs", "minus"), number=False)
CASES = Column("cases", ("kind", "cases"), number=False)
AVERAGE = "Mean over classes of one-vs-rest scores over crops, in %"
Place = tuple[str, str]
"""Where a block has a score: ("macro", "f1"), say."""


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
    seeds = f", {len(row.runs)} seeds" if len(row.runs) > 1 else ""
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


def macro(measured: Measured) -> dict[str, Place]:
    """Return the paper's scores by name; what it prints as accuracy too, where all runs have it."""
    return MACRO | (PAPER if measured.collected.paper else {})


def entry(block: Mapping[str, Any], place: Place) -> Mapping[str, Any]:
    """Return a score of a block."""
    found: Mapping[str, Any] = block[place[0]][place[1]]
    return found


def scored(names: Iterable[str], *, seeds: bool = False) -> list[Column]:
    """Return columns of scores with their intervals, and with the ends of the seeds' values."""
    ends = ["", "_low", "_high", *(["_seeds_low", "_seeds_high"] if seeds else [])]
    return [Column(name, tuple(f"{field(name)}{end}" for end in ends)) for name in names]


def over_seeds(measured: Measured, row: MethodRow, place: Place) -> Cell:
    """Return a row's score over crops, its interval, and between what values its seeds lie."""
    cell = score(entry(measured.blocks[row.name]["crops"], place))
    values = [entry(one.metrics, place)["value"] for one in row.runs]
    known = [value for value in values if value is not None]
    if len(row.runs) == 1 or not known:
        return Cell(cell.text, (*cell.raw, None, None), cell.small)
    low, high = min(known), max(known)
    note = f"seeds {percent(low)}–{percent(high)}"
    return Cell(cell.text, (*cell.raw, low, high), cell.small, note)


def score(entry: Entry, *, sign: bool = False) -> Cell:
    """Return a score in percent above its interval; raw are fractions: value, low, high."""
    value, span = entry["value"], ends(entry)
    if value is None:
        return Cell(NONE, (None, None, None))
    low, high = span or (None, None)
    return Cell(percent(value, sign=sign), (value, low, high), interval(span, sign=sign))
