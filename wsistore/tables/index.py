"""The store's tables: derived from the slide groups, read without opening an array."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from io import BytesIO
from typing import TYPE_CHECKING, Any

from wsistore.errors import StorageError, StoreError, advice
from wsistore.files import parse_json
from wsistore.formatting import visible
from wsistore.storage import (
    METADATA,
    LocalRoot,
    StoreLike,
    StoreRoot,
    index_lock,
    layout,
    open_root,
)
from wsistore.tables.columns import column_fault, split_fault
from wsistore.tables.csv import table_rows, table_text
from wsistore.tables.duplicates import Duplicates
from wsistore.tables.records import UNWRITTEN, CropRow, LevelRow, SlideRecord, SlideRow

if TYPE_CHECKING:
    import pandas as pd

_TABLES: dict[str, type] = {
    layout.SLIDES_CSV: SlideRow,
    layout.CROPS_CSV: CropRow,
    layout.LEVELS_CSV: LevelRow,
}
REINDEX = (
    "delete it and run the same 'wsistore build' again, which writes the tables anew from the "
    "slide groups"
)
"""What mends a table."""
_TEXT = {"crop", "slide", "patient", "label", "level", "subset", "outcome", "reason", "file"} | {
    "fingerprint", "reader", "vendor", "mpp_source", "glass", "icc", "warning",
    "annotations", "annotation_offset", "annotation_class", "annotation_name", "site",
}  # fmt: skip


_SCALES = {"mpp", "factor"}
"""Columns of every table that lengths are computed with."""


def read_settings(store: StoreLike) -> dict[str, Any]:
    """Return the attributes of a store's root.

    Raises:
        StoreError: it is no store, cannot be reached, or is of a newer format.
    """
    path = open_root(store) / METADATA
    try:
        attributes = parse_json(path.read_text())["attributes"]["wsistore"]
        version = int(attributes["format"])
    except FileNotFoundError as error:
        raise StoreError(f"{store}: is not a store; make one with 'wsistore build'") from error
    except StorageError:
        raise
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise StoreError(f"{path}: is not a store's metadata: {error!r}") from error
    if version > layout.FORMAT:
        raise StoreError(f"{store}: has format {version}; this wsistore reads {layout.FORMAT}")
    return dict(attributes)


def read_table(path: StoreLike) -> pd.DataFrame:
    """Read a table of a store; text stays text, an empty label becomes NaN.

    Raises:
        StoreError: the table is missing or damaged; one of the three tables of a store, if it
            lacks a column or a column holds what it cannot.
    """
    # imported here: a build reads no table so and need not wait for pandas
    import pandas as pd

    try:
        content = BytesIO(open_root(path).read_bytes())
        header = pd.read_csv(content, nrows=0).columns
        text = {column: str for column in header if column in _TEXT}
        content.seek(0)
        table = pd.read_csv(content, dtype=text, keep_default_na=False, na_values=_blanks(header))
    except (OSError, ValueError) as error:
        raise StoreError(f"{path}: cannot be read: {error}") from error
    if not isinstance(table.index, pd.RangeIndex):
        # pandas has taken the first column for an index, and every cell is one column to the left
        raise StoreError(f"{path}: its rows have more cells than its header")
    _require_scales(path, table)
    if "label" in table:
        table["label"] = table["label"].where(table["label"] != "")
    kind = _TABLES.get(open_root(path).name)
    if kind is not None and (fault := column_fault(table, kind)):
        raise StoreError(f"{path}: {fault}; {REINDEX}")
    return table


def read_split(path: StoreLike) -> pd.DataFrame:
    """Read a split's table.

    Raises:
        StoreError: it is missing or damaged, or lacks a column.
    """
    table = read_table(path)
    if fault := split_fault(table):
        raise StoreError(f"{path}: {fault}")
    return table


def _require_scales(path: StoreLike, table: pd.DataFrame) -> None:
    """Refuse a table in which a physical scale is no finite number above 0.

    Only a slide that failed may have none.
    """
    import pandas as pd

    for column in sorted(_SCALES & set(table.columns)):
        given = table[column][table["outcome"] != "failed"] if "outcome" in table else table[column]
        values = pd.to_numeric(given, errors="coerce")
        odd = given[~((values > 0) & (values < math.inf))]
        if len(odd):
            raise StoreError(
                f"{path}: {column} of row {odd.index[0] + 1} is {odd.iloc[0]}, not a finite number "
                "above 0"
            )


def _blanks(header: Iterable[str]) -> dict[str, list[str]]:
    return {column: [""] for column in header if column not in _TEXT}


def record_to_json(record: SlideRecord) -> dict[str, Any]:
    """Return a record as the slide group's attributes hold it."""
    unknown = {name for name in UNWRITTEN[SlideRow] if not getattr(record.slide, name)}
    return {
        "slide": {k: value for k, value in asdict(record.slide).items() if k not in unknown},
        "crops": [asdict(row) for row in record.crops],
        "levels": [asdict(row) for row in record.levels],
    }


def record_from_json(data: Mapping[str, Any]) -> SlideRecord:
    """Return the record held by a slide group's attributes.

    Raises:
        TypeError, KeyError: fields are missing or unknown.
    """
    slide = {name: _storable(value) for name, value in data["slide"].items()}
    return SlideRecord(
        SlideRow(**slide),
        tuple(CropRow(**row) for row in data["crops"]),
        tuple(LevelRow(**row) for row in data["levels"]),
    )


def _storable(value: Any) -> Any:
    """Return a value of a record as tables can hold it: early stores keep names that are no UTF-8.

    One such name would prevent the tables of all slides.
    """
    surrogate = isinstance(value, str) and any("\ud800" <= c <= "\udfff" for c in value)
    return visible(value) if surrogate else value


def read_record(group: StoreLike) -> SlideRecord:
    """Read the record of a slide group.

    Raises:
        StoreError: the group's metadata is missing or damaged.
    """
    path = open_root(group) / METADATA
    try:
        return _parsed(path, path.read_bytes())
    except OSError as error:
        raise StoreError(f"{path}: no whole record of a slide: {error!r}") from error


def _parsed(path: StoreRoot, content: bytes) -> SlideRecord:
    try:
        return record_from_json(parse_json(content)["attributes"]["wsistore"])
    except (ValueError, TypeError, KeyError) as error:
        raise StoreError(f"{path}: no whole record of a slide: {error!r}") from error


def read_records(store: StoreLike) -> dict[str, SlideRecord]:
    """Read the records of all slides: stored ones from their groups, failed ones from the table.

    Raises:
        StoreError: a group's metadata is damaged, or on this machine missing: there a slide is
            renamed into place whole. An object store holds what a killed upload left as well.
    """
    records: dict[str, SlideRecord] = {}
    home = open_root(store)
    table = home / layout.SLIDES_CSV
    if table.exists():
        try:
            rows = table_rows(SlideRow, table.read_text())
        except (OSError, ValueError) as error:
            raise StoreError(f"{table}: cannot be read: {error}") from error
        records = {row.slide: SlideRecord(row) for row in rows if row.outcome == "failed"}
    slides = home / layout.SLIDES
    groups = {f"{name}/{METADATA}": name for name in slides.names() if name != METADATA}
    found = slides.read_each(groups)
    for path, name in groups.items():
        if path in found:
            records[name] = _parsed(slides / path, found[path])
        elif isinstance(home, LocalRoot) and (slides / name).folder.is_dir():
            raise StoreError(f"{slides / path}: is missing, so the slide is not whole; remove it")
    return records


def update_index(store: StoreLike, tried: Mapping[str, SlideRecord], lock: bool = True) -> None:
    """Write the tables from the slide groups, so that builds at the same time lose no row.

    Args:
        store: the store.
        tried: this build's records; of slides that are not stored, failures are kept.
        lock: False where the user has said that no other build runs.

    Raises:
        StoreError: the tables cannot be written, or the file system has no locks.
    """
    try:
        with index_lock(store, lock):
            records = read_records(store)
            for slide, record in tried.items():
                if slide not in records or records[slide].slide.outcome == "failed":
                    records[slide] = record
            write_index(store, records)
    except OSError as error:
        raise StoreError(
            f"{store}: its tables cannot be written ({error}); every slide that was finished is "
            f"whole: {advice(error)} and run the same command again"
        ) from error


def write_index(store: StoreLike, records: Mapping[str, SlideRecord]) -> None:
    """Write the three tables, each in one step, rows ordered by slide and crop.

    Warnings also name the other slides of a slide's file, which no group knows of.
    """
    ordered = [records[name] for name in sorted(records)]
    known = Duplicates(record.slide for record in ordered)
    rows: dict[str, list[Any]] = {
        layout.SLIDES_CSV: [known.warned(record.slide) for record in ordered],
        layout.CROPS_CSV: [row for record in ordered for row in record.crops],
        layout.LEVELS_CSV: [row for record in ordered for row in record.levels],
    }
    for name, kind in _TABLES.items():
        (open_root(store) / name).write_text(table_text(kind, rows[name], UNWRITTEN.get(kind, ())))
