"""Checks of the splits that a store holds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from wsistore.errors import StoreError
from wsistore.split.files import class_map, read_record
from wsistore.split.sites import site_faults
from wsistore.split.validation import Fault, faults, fold_faults
from wsistore.storage import StoreLike, layout, open_root
from wsistore.tables import read_table

if TYPE_CHECKING:
    import pandas as pd


def check_split(store: StoreLike, name: str, crops: pd.DataFrame) -> list[Fault]:
    """Return the faults of ``splits/NAME.csv``, or of the folds that were made as ``name``.

    Args:
        store: the store's folder.
        name: a split, a fold of one, or the name that folds were made by.
        crops: the store's, columns crop, slide, patient, label; and site, of the crop's slide,
            by which folds of sites are checked.

    Raises:
        UsageError: the name cannot be one.
    """
    try:
        record = read_record(store, name)
    except StoreError as error:
        return [Fault("record", str(error))]
    names = [Path(file).stem for file in record.files] if record else [name]
    found, tables = [], {}
    for each in names:
        path = layout.split_path(open_root(store), each)
        try:
            table, classes = read_table(path), class_map(store, each)
        except StoreError as error:
            found.append(Fault("file", str(error)))
            continue
        own = [Fault(kind, f"{path}: {text}") for kind, text in faults(table, crops, classes)]
        found += own
        if not any(fault.kind == "columns" for fault in own):
            tables[each] = table
    if record and record.request and record.request.folds and len(tables) == len(names):
        own = fold_faults(tables) + site_faults(tables, crops, record.request.sites)
        found += [Fault(kind, f"{name}: {text}") for kind, text in own]
    return found


def checkable(store: StoreLike) -> list[str]:
    """Return the names to check in a store: those of splits, folds under their common name."""
    files = (open_root(store) / layout.SPLITS).names()
    names = {Path(file).stem for file in files if file.endswith((".csv", ".json"))}
    folds = set()
    for name in names:
        try:
            record = read_record(store, name)
        except StoreError:
            continue  # named when it is checked
        folds |= {Path(file).stem for file in record.files} - {name} if record else set()
    return sorted(names - folds)
