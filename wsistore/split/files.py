"""Splits on disk: ``splits/NAME.csv``, and beside it ``splits/NAME.json``, what was asked for."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wsistore.errors import StoreError, UsageError
from wsistore.files import ParseError, json_value, parse_json
from wsistore.slides import ALL_CLASSES, ClassMap
from wsistore.split.fold_names import families
from wsistore.split.labeled_sets import LabeledRequest
from wsistore.split.publication import finish, publish, require_finished
from wsistore.split.request import SplitRequest
from wsistore.split.same_files import file_leaks, with_fingerprints
from wsistore.split.validation import leaks
from wsistore.storage import StoreLike, StoreRoot, layout, open_root
from wsistore.tables import read_split, read_table
from wsistore.version import __version__

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Record:
    """How a split was made.

    Attributes:
        request: what was asked for; None where the split is one's own.
        classes: which classes it tells apart.
        source: name (never the folder) and SHA-256 of the CSV it was read from, or empty.
        files: name of each of its CSV files → SHA-256, as written.
        version: of wsistore that wrote them.
        labeled: the nested sets of labelled training patients that were asked for; None if none.
    """

    request: SplitRequest | None
    classes: ClassMap = ALL_CLASSES
    source: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    version: str = __version__
    labeled: LabeledRequest | None = None


def record_path(store: StoreLike, name: str) -> StoreRoot:
    """Return where the record of a split is kept.

    Raises:
        UsageError: the name cannot be one.
    """
    layout.split_path(open_root(store), name)  # refuses a name that cannot be one
    return open_root(store) / layout.SPLITS / f"{name}.json"


def read_record(store: StoreLike, name: str) -> Record | None:
    """Return the record of a split, or None if it has none.

    Raises:
        StoreError: the record is damaged, or the split is being replaced.
        UsageError: the name cannot be one.
    """
    path = record_path(store, name)
    require_finished(open_root(store), name)
    if not path.exists():
        return None
    try:
        data = parse_json(path.read_text())
        found = _from_json(data)
        for file in found.files:
            layout.split_path(open_root(store), file.removesuffix(".csv"))
        return found
    except (OSError, ValueError, UsageError) as error:
        raise StoreError(f"{path}: is no record of a split: {error}") from error


def _from_json(data: Any) -> Record:
    """Return the record that `_to_json` wrote.

    Raises:
        ParseError: it is another thing.
        UsageError: what was asked for contradicts itself.
    """
    if not isinstance(data, Mapping):
        raise ParseError("it is no JSON object")
    if lacking := sorted({"request", "source", "files", "version"} - data.keys()):
        raise ParseError(f"it lacks {' and '.join(lacking)}")
    request = data["request"]
    return Record(
        None if request is None else SplitRequest.from_json(request),
        # records of earlier versions know no classes: theirs are the store's
        ClassMap.from_json(data["classes"]) if "classes" in data else ALL_CLASSES,
        json_value(Mapping[str, str], data["source"], "its source"),
        json_value(Mapping[str, str], data["files"], "its files"),
        json_value(str, data["version"], "its version"),
        LabeledRequest.from_json(data["labeled"]) if "labeled" in data else None,
    )


def class_map(store: StoreLike, name: str) -> ClassMap:
    """Return which classes a split, or a fold of one, tells apart, as its record has it.

    Raises:
        StoreError: its record is damaged.
        UsageError: the name cannot be one.
    """
    record = read_record(store, name) or family_record(store, name)
    return ALL_CLASSES if record is None else record.classes


def family_record(store: StoreLike, name: str) -> Record | None:
    """Return the record of the folds that a split is one of, or None if it is no fold.

    Raises:
        StoreError: it is damaged.
        UsageError: the name cannot be one.
    """
    for family in families(name):
        record = read_record(store, family)
        if record is not None and f"{name}.csv" in record.files:
            return record
    return None


def split_names(store: StoreLike, name: str) -> list[str]:
    """Return the splits that were made as ``name``: its folds, or itself.

    Raises:
        StoreError: its record is damaged.
        UsageError: the name cannot be one.
    """
    record = read_record(store, name)
    return [Path(file).stem for file in record.files] if record else [name]


def changed_since(store: StoreLike, name: str) -> list[StoreRoot]:
    """Return the CSV files of a split that differ from what wsistore wrote, or are gone.

    Raises:
        StoreError: its record is damaged.
    """
    record = read_record(store, name)
    if record is None:
        return []
    places = [
        (layout.split_path(open_root(store), Path(file).stem), sha)
        for file, sha in record.files.items()
    ]
    return [path for path, sha in places if not path.exists() or _sha256(path.read_bytes()) != sha]


def save_split(
    store: StoreLike, name: str, split: pd.DataFrame, overwrite: bool = False
) -> StoreRoot:
    """Write ``splits/NAME.csv`` alone and return its path.

    Raises:
        UsageError: the name cannot be one or is taken, or a patient is in two subsets.
    """
    (path,) = save_splits(store, name, {"": split}, None, overwrite)
    return path


def save_splits(
    store: StoreLike,
    name: str,
    tables: Mapping[str, pd.DataFrame],
    record: Record | None,
    overwrite: bool = False,
) -> list[StoreRoot]:
    """Write ``splits/NAME.csv``, or the CSV of each fold, and their record; return the CSV paths.

    They change together, see `wsistore.split.publication`. Files of an overwritten split that the
    new one does not have are removed. Publications that were broken off are ended first; if this
    very split was one of them, that is all.

    Args:
        store: the store's folder.
        name: the split's name.
        tables: suffix → table, as `wsistore.split.make_split` returns them.
        record: how they were made; its ``files`` are filled in here. None writes no record.
        overwrite: whether a split of that name is replaced.

    Raises:
        UsageError: the name cannot be one, is taken or is that of a fold of another split, or a
            patient, or one file under two patients, is in two subsets.
    """
    place = open_root(store)
    names = {suffix: name + suffix for suffix in tables}
    paths = {suffix: layout.split_path(place, each) for suffix, each in names.items()}
    about = record_path(store, name)
    texts = {
        paths[suffix].name: table.to_csv(index=False, lineterminator="\n")
        for suffix, table in tables.items()
    }
    if record is not None:
        texts[about.name] = _to_json(record, texts)
    if name in finish(place) and _is_there(place, texts):
        return list(paths.values())
    old = {each: layout.split_path(place, each) for each in split_names(place, name)}
    for path in [*paths.values(), *old.values(), about]:
        if not overwrite and path.exists():
            raise UsageError(f"{path}: exists; choose another --name or give --overwrite")
    for suffix, each in names.items():
        for family in families(each):
            if family != name and each in split_names(place, family):
                raise UsageError(
                    f"{paths[suffix]}: is a fold of split {family!r}; choose another --name"
                )
    for suffix, table in tables.items():
        for patient in leaks(table):
            raise UsageError(f"patient {patient!r} would be in two subsets of {name + suffix!r}")
    slides = place / layout.SLIDES_CSV
    if slides.exists():
        known = read_table(slides)
        for table in tables.values():
            for text in file_leaks(with_fingerprints(table, known)):
                raise UsageError(text)
    publish(place, name, texts, {about.name, *(path.name for path in old.values())} - set(texts))
    return list(paths.values())


def read_tables(store: StoreLike, name: str) -> dict[str, pd.DataFrame]:
    """Return suffix → table of a split as it is on disk.

    Raises:
        StoreError: a file is missing or damaged.
        UsageError: the name cannot be one.
    """
    names = split_names(store, name)
    places = {each: layout.split_path(open_root(store), each) for each in names}
    return {each.removeprefix(name): read_split(place) for each, place in places.items()}


def _is_there(store: StoreRoot, texts: Mapping[str, str]) -> bool:
    there = (store / layout.SPLITS).read_each(texts)
    return all(there.get(name) == text.encode("utf-8") for name, text in texts.items())


def _to_json(record: Record, texts: Mapping[str, str]) -> str:
    data: dict[str, Any] = {
        "version": record.version,
        "request": record.request.to_json() if record.request else None,
        **({"labeled": record.labeled.to_json()} if record.labeled else {}),
        "classes": record.classes.to_json(),
        "source": dict(record.source),
        "files": {name: _sha256(text.encode("utf-8")) for name, text in texts.items()},
    }
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
