"""Splits against the crops of the slide groups; `wsistore.split` decides what is a fault."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pandas as pd

from wsistore.errors import StoreError, UsageError
from wsistore.slides import ALL_CLASSES, ClassMap
from wsistore.split import (
    FINGERPRINT,
    SITE,
    changed_since,
    class_map,
    faults,
    fold_faults,
    interrupted_splits,
    read_record,
    site_faults,
)
from wsistore.storage import LocalRoot, layout
from wsistore.tables import SlideRecord, read_table
from wsistore.verify.findings import REMOVE, REPLACE, Fault
from wsistore.verify.regular import irregularity

_KEYS = ["crop", "slide", "patient", "label"]


def check_splits(store: Path, records: Mapping[str, SlideRecord], unread: set[str]) -> list[Fault]:
    """Return what is wrong with the splits of a store.

    Args:
        store: the store's folder.
        records: by slide, what the groups hold.
        unread: slides whose group could not be read; rows of them are not judged.
    """
    crops = pd.DataFrame(
        [
            [
                crop.crop,
                crop.slide,
                crop.patient,
                crop.label or None,
                record.slide.fingerprint,
                record.slide.site,
            ]
            for record in records.values()
            for crop in record.crops
        ],
        columns=[*_KEYS, FINGERPRINT, SITE],
        dtype=object,
    )
    found: list[Fault] = []
    tables: dict[str, pd.DataFrame] = {}
    folder = store / layout.SPLITS
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    # a name that starts with a dot is of a file that was being written; said among the notes
    for path in (path for path in files if not path.name.startswith(".")):
        file = f"{layout.SPLITS}/{path.name}"
        if reason := irregularity(store, file):
            found.append(Fault(file, reason, REPLACE))
        elif not _named(store, path):
            found.append(Fault(file, "is no split: no NAME.csv and no NAME.json", REMOVE))
        elif path.suffix == ".csv":
            try:
                table, classes = read_table(path), _class_map(store, path.stem)
            except StoreError as error:
                found.append(Fault(file, _short(error, path), _again(path.stem)))
                continue
            if "slide" in table:
                table = table[~table["slide"].isin(sorted(unread))]
            tables[path.stem] = table
            found += [
                Fault(file, text, _again(path.stem)) for _, text in faults(table, crops, classes)
            ]
    found += [
        Fault(
            f"{layout.SPLITS}/{name}.csv",
            "is being replaced, or was when 'wsistore split' was killed",
            "run that 'wsistore split' again",
        )
        for name in interrupted_splits(LocalRoot(store))
    ]
    for path in (path for path in files if path.suffix == ".json" and _named(store, path)):
        file = f"{layout.SPLITS}/{path.name}"
        if irregularity(store, file):
            continue
        found += [
            Fault(file, text, _again(path.stem)) for text in _record(store, path, tables, crops)
        ]
    return found


def changed_splits(store: Path) -> list[str]:
    """Return notes on splits that were changed by hand, which is allowed: their hashes differ."""
    notes = []
    for path in sorted((store / layout.SPLITS).glob("*.json")):
        if not _named(store, path) or irregularity(store, f"{layout.SPLITS}/{path.name}"):
            continue
        try:
            changed = changed_since(store, path.stem)
        except (StoreError, OSError):
            continue  # a fault of its own
        notes += [
            f"{layout.SPLITS}/{each.name} is not as wsistore wrote it"
            for each in changed
            if each.exists()
        ]
    return notes


def _named(store: Path, path: Path) -> bool:
    """Tell whether a file has the name of a split or of its record."""
    try:
        layout.split_path(store, path.stem)
    except UsageError:
        return False
    return path.suffix in (".csv", ".json") and path.is_file()


def _class_map(store: Path, name: str) -> ClassMap:
    """Return which classes a split tells apart; a damaged record is a fault of its own file."""
    if irregularity(store, f"{layout.SPLITS}/{name}.json"):
        return ALL_CLASSES
    try:
        return class_map(store, name)
    except StoreError:
        return ALL_CLASSES


def _again(name: str) -> str:
    return f"make it again with 'wsistore split --name {name} --overwrite', or mend it by hand"


def _short(error: StoreError, path: Path) -> str:
    return str(error).removeprefix(f"{path}: ")


def _record(
    store: Path, path: Path, tables: Mapping[str, pd.DataFrame], crops: pd.DataFrame
) -> Iterator[str]:
    """Yield what is wrong with the record of a split: unreadable, files lost, folds at odds."""
    try:
        record = read_record(store, path.stem)
    except StoreError as error:
        yield _short(error, path)
        return
    names = [Path(file).stem for file in record.files] if record else []
    for name in names:
        if not (store / layout.SPLITS / f"{name}.csv").exists():
            yield f"names {name}.csv, which is missing"
    if record and record.request and record.request.folds and set(names) <= set(tables):
        folds = {name: tables[name] for name in names}
        if all({"crop", "patient", "subset"} <= set(table) for table in folds.values()):
            yield from (text for _, text in fold_faults(folds))
            yield from (text for _, text in site_faults(folds, crops, record.request.sites))
