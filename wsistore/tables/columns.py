"""What the columns of a store's tables may hold, so that a damaged table is found."""

from __future__ import annotations

import types
from dataclasses import fields
from functools import cache
from typing import TYPE_CHECKING, Union, get_args, get_origin, get_type_hints

from wsistore.tables.records import (
    LATER_COLUMNS,
    OUTCOMES,
    SPLIT_COLUMNS,
    CropRow,
    LevelRow,
    SlideRow,
)

if TYPE_CHECKING:
    import pandas as pd

_LEAST: dict[type, dict[str, float]] = {
    SlideRow: {"width": 0, "height": 0, "mpp": 0, "crops": 0},
    CropRow: {"x": 0, "y": 0, "width": 1, "height": 1},
    LevelRow: {"height": 1, "width": 1},
}


def column_fault(table: pd.DataFrame, kind: type) -> str:
    """Return in what a table is none of its kind, a sentence without a full stop, or nothing.

    Args:
        table: as it was read, text as text, other columns as pandas takes them.
        kind: of its rows: `SlideRow`, `CropRow` or `LevelRow`.
    """
    needed = {field.name for field in fields(kind)} - LATER_COLUMNS[kind]
    if lacking := sorted(needed - set(table.columns)):
        return f"lacks the column {' and '.join(lacking)}"
    if not len(table):
        return ""
    for name, (number, optional) in _numbers(kind).items():
        if name in table and (fault := _number_fault(table[name], number, optional)):
            return f"its column {name} {fault}"
    for name, least in _LEAST[kind].items():
        if (table[name] < least).any():
            return f"its column {name} holds a number below {least}"
    if kind is SlideRow and not table["outcome"].isin(OUTCOMES).all():
        return f"its column outcome holds something else than {', '.join(OUTCOMES)}"
    return ""


def split_fault(table: pd.DataFrame) -> str:
    """Return which columns of a split a table lacks, a sentence without a full stop, or nothing."""
    lacking = [column for column in SPLIT_COLUMNS if column not in table]
    return f"lacks the column {' and '.join(lacking)}" if lacking else ""


@cache
def _numbers(kind: type) -> dict[str, tuple[type, bool]]:
    """Return the columns of numbers: int or float, and whether cells may be empty."""
    found: dict[str, tuple[type, bool]] = {}
    for name, hint in get_type_hints(kind).items():
        union = get_origin(hint) in (Union, types.UnionType)
        parts = get_args(hint) if union else (hint,)
        for number in (int, float):
            if number in parts:
                found[name] = (number, type(None) in parts)
    return found


def _number_fault(column: pd.Series, number: type, optional: bool) -> str:
    empty = column.isna()
    if optional and empty.all():
        return ""
    if column.dtype.kind not in "iuf" or (
        number is int and column.dtype.kind == "f" and not empty.any()
    ):
        return f"holds something else than {'whole ' if number is int else ''}numbers"
    if empty.any() and not optional:
        return "has an empty cell"
    if (column.abs() == float("inf")).any():
        return "holds a number that is not finite"
    return ""
