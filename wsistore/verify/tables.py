"""The three tables at the root against the slide groups they repeat."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import asdict, fields
from pathlib import Path

from wsistore.storage import layout
from wsistore.tables import (
    LATER_COLUMNS,
    REINDEX,
    CropRow,
    Duplicates,
    LevelRow,
    SlideRecord,
    SlideRow,
)
from wsistore.verify.findings import Fault
from wsistore.verify.regular import read_regular

Row = Mapping[str, object]


class TableError(ValueError):
    """A table is no table; the message says why."""


def read_rows(store: Path, name: str, kind: type) -> list[dict[str, str]]:
    """Read a CSV whose header is the fields of a kind, `LATER_COLUMNS` aside; cells stay text.

    Raises:
        TableError: it is missing, no CSV in UTF-8, or has another header.
    """
    try:
        text = read_regular(store, name).decode("utf-8")
        lines = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except FileNotFoundError as error:
        raise TableError("is missing") from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise TableError(f"cannot be read as CSV ({error})") from error
    columns = [field.name for field in fields(kind)]
    header = lines[0] if lines else []
    if header != [name for name in columns if name in header or name not in LATER_COLUMNS[kind]]:
        raise TableError(f"has the header {','.join(header)!r}, not {','.join(columns)!r}")
    for number, line in enumerate(lines[1:], start=2):
        if len(line) != len(header):
            raise TableError(f"row {number} has {len(line)} cells, not {len(header)}")
    return [dict(zip(header, line, strict=True)) for line in lines[1:]]


def check_tables(store: Path, records: Mapping[str, SlideRecord], unread: set[str]) -> list[Fault]:
    """Return how the tables differ from the slide groups.

    Args:
        store: the store's folder.
        records: by slide, what the groups hold.
        unread: slides whose group could not be read; their rows are not judged.
    """
    faults = []
    for name, kind, keys in (
        (layout.SLIDES_CSV, SlideRow, ("slide",)),
        (layout.CROPS_CSV, CropRow, ("crop",)),
        (layout.LEVELS_CSV, LevelRow, ("crop", "level")),
    ):
        wanted: dict[tuple[str, ...], Row] = {}
        for record in records.values():
            rows: tuple[object, ...] = {
                SlideRow: (record.slide,), CropRow: record.crops, LevelRow: record.levels,
            }[kind]  # fmt: skip
            for row in rows:
                cells = asdict(row)  # type: ignore[call-overload]
                wanted[tuple(cells[key] for key in keys)] = cells
        try:
            found = read_rows(store, name, kind)
        except TableError as error:
            faults.append(Fault(name, str(error), REINDEX))
            continue
        if kind is SlideRow:
            found = _without_duplicates(found, records, unread)
        faults += [Fault(name, what, REINDEX) for what in _differences(found, wanted, keys, unread)]
    return faults


def _without_duplicates(
    found: list[dict[str, str]], records: Mapping[str, SlideRecord], unread: set[str]
) -> list[dict[str, str]]:
    """Take from warnings the sentence on slides of the same file: the table's own, no group's.

    Where slides could not be read, nobody can tell whom it names.
    """
    known = Duplicates(record.slide for record in records.values())
    rows = []
    for row in found:
        record = records.get(row["slide"])
        if record is not None:
            own, cell = record.slide.warning, row.get("warning", "")
            if cell == known.warned(record.slide).warning or (unread and cell.startswith(own)):
                row = {**row, "warning": own}
        rows.append(row)
    return rows


def _differences(
    found: list[dict[str, str]],
    wanted: Mapping[tuple[str, ...], Row],
    keys: tuple[str, ...],
    unread: set[str],
) -> Iterator[str]:
    seen = set()
    for row in found:
        key = tuple(row[name] for name in keys)
        what = " ".join(key)
        if key in seen:
            yield f"has two rows of {what!r}"
        seen.add(key)
        if key[0].rsplit("/", 1)[0] in unread:
            continue
        if key not in wanted:
            # a slide that failed has no group
            if row.get("outcome") != "failed":
                yield f"has a row of {what!r}, which no slide group holds"
            continue
        for column, value in wanted[key].items():
            cell = row.get(column, "")
            if not same_cell(cell, value):
                yield f"row {what!r} has {column} {cell!r}; the slide group has {value!r}"
    for key in wanted:
        if key not in seen:
            yield f"has no row of {' '.join(key)!r}"


def same_cell(cell: str, value: object) -> bool:
    """Tell whether a cell's text is a value: text, a number exactly, or None as an empty cell."""
    if value is None or isinstance(value, str):
        return cell == (value or "")
    try:
        return (int(cell) if isinstance(value, int) else float(cell)) == value
    except ValueError:
        return _whole(cell, value)


def _whole(cell: str, value: object) -> bool:
    """Tell whether a cell such as ``2.0`` is a whole number."""
    try:
        return float(cell) == value
    except ValueError:
        return False
