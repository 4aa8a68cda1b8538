"""The text of a store's tables: rows of `wsistore.tables.records` to CSV and back, cell for cell.

Written and read here without pandas, which takes a third of a second to import and which a build
has no other use for. Analysis reads the same files with it: `wsistore.tables.index.read_table`.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Collection, Iterable
from dataclasses import fields
from typing import Any, TypeVar

R = TypeVar("R")


def table_text(kind: type, rows: Iterable[Any], unwritten: Collection[str] = ()) -> str:
    """Return rows as CSV with a header; what is not known is an empty cell.

    A column of numbers of which one is not known, or has a fraction, shows all as fractions
    (``20.0``), but for counts: so earlier versions wrote them.

    Args:
        kind: a dataclass of `wsistore.tables.records`, whose fields are the columns.
        rows: its instances.
        unwritten: columns of text that are left out where no row has one.
    """
    rows = list(rows)
    names = [field.name for field in fields(kind)]
    names = [n for n in names if n not in unwritten or any(getattr(row, n) for row in rows)]
    counts = {field.name for field in fields(kind) if "int" in str(field.type)}
    columns = []
    for name in names:
        values = [getattr(row, name) for row in rows]
        if name not in counts and any(
            isinstance(value, float) or value is None for value in values
        ):
            values = [float(value) if isinstance(value, int) else value for value in values]
        columns.append(["" if _unknown(value) else value for value in values])
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(zip(*columns, strict=True))
    return text.getvalue()


def _unknown(value: object) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def table_rows(kind: type[R], text: str) -> list[R]:
    """Return the rows of a table; an empty cell of a number is the field's default.

    Raises:
        ValueError: it is no table of such rows: a cell is no number, a row has another number of
            cells than the header, a column is unknown or one without a default is missing.
    """
    types = {field.name: str(field.type) for field in fields(kind)}  # type: ignore[arg-type]
    lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    found = []
    try:
        header = next(lines, [])
        for cells in lines:
            known = dict(zip(header, cells, strict=True))
            found.append(kind(**{n: _value(t, types[n]) for n, t in known.items() if t}))
    except (csv.Error, KeyError, TypeError) as error:
        raise ValueError(f"line {lines.line_num}: {error!r}") from error
    except ValueError as error:
        raise ValueError(f"line {lines.line_num}: {error}") from error
    return found


def _value(text: str, kind: str) -> object:
    if "int" in kind:
        return int(text)
    return float(text) if "float" in kind else text
