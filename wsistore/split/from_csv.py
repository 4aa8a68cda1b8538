"""A split of one's own: a CSV that puts patients, slides or crops into subsets."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from wsistore.files import UserTable, nfc, read_user_table
from wsistore.slides import ALL_CLASSES, ClassMap
from wsistore.split.same_files import FINGERPRINT, with_fingerprints
from wsistore.split.subsets import EXCLUDED, is_aux
from wsistore.split.tables import tabulate
from wsistore.split.validation import Fault, faults

_KEYS = ("crop", "slide", "patient")


class CsvSplit(NamedTuple):
    """A split that a user gives as a CSV, as it was read.

    Attributes:
        table: columns crop, slide, patient, label, subset.
        faults: see `wsistore.split.validation.faults`.
        empty: names of slides or patients that the store knows but has no crop of.
        notes: sentences on how the file had to be read.
    """

    table: pd.DataFrame
    faults: list[Fault]
    empty: list[str]
    notes: tuple[str, ...]


def read_split_csv(
    path: Path, crops: pd.DataFrame, slides: pd.DataFrame, classes: ClassMap = ALL_CLASSES
) -> CsvSplit:
    """Read a CSV with a column ``subset`` and one or more of ``crop``, ``slide``, ``patient``.

    The finest of the three says which crops a row is about; the coarser ones, where they are given,
    must agree with the store. Labels are the store's; a column ``label`` must agree too.

    Args:
        path: the CSV. A slide may be written as its file name, with or without extension.
        crops: the store's, columns crop, slide, patient, label.
        slides: the store's, columns slide, file, patient, fingerprint: slides without a crop are
            known too.
        classes: which classes are told apart. Crops of a class that it leaves out are `EXCLUDED`,
            wherever the file puts them; a column ``label`` may hold classes or the store's labels.

    Raises:
        UsageError: the file cannot be read as a table or lacks a column; see
            `wsistore.files.user_table.read_user_table`.
    """
    given = read_user_table(path, "--from-csv", [("subset",), _KEYS], ["label"])
    own = pd.DataFrame([row.cells for row in given.rows], dtype=object)
    key = next(column for column in _KEYS if column in own)
    if FINGERPRINT in slides:
        crops = with_fingerprints(crops, slides)
    found = _twice(given, own[key], key)
    if "slide" in own:
        own["slide"], ambiguous = _ids(own["slide"], slides)
        found += ambiguous
    for column in ("patient", "label"):
        if column in own:
            # a store from before names were composed may hold them as a Mac writes them
            written = {nfc(str(name)): name for name in sorted(crops[column].dropna().unique())}
            own[column] = own[column].map(lambda name, known=written: known.get(name, name))
    seen = set(crops[key])
    tried = set(slides[key]) if key in slides else set()
    unknown = [name for name in own[key].unique() if name not in seen]
    found += [
        Fault("unknown", f"{key} {name!r} is not in the store")
        for name in unknown
        if name not in tried
    ]
    truth = crops[["crop", "slide", "patient", "label"]].add_suffix("_store")
    out = set(crops["crop"][classes.excluded(crops["label"])])
    merged = crops.assign(label=classes.merged(crops["label"]))
    if "label" in own:
        own["label"] = classes.merged(own["label"])
        truth["label_store"] = merged["label"]
    joined = own.merge(truth.assign(**{key: crops[key], "crop": crops["crop"]}), on=key)
    found += _disagreements(joined, key) + _unlabeled(joined, key)
    split = joined[["crop", "subset"]].merge(merged[["crop", "slide", "patient", "label"]])
    split["subset"] = split["subset"].mask(split["crop"].isin(list(out)), EXCLUDED)
    order = {crop: number for number, crop in enumerate(crops["crop"])}
    split = split.sort_values("crop", key=lambda names: names.map(order), kind="stable")
    split = split.reset_index(drop=True)
    table = tabulate(split, split["subset"].where(split["subset"] != ""))
    # a slide or patient listed twice has been named; its crops need not be named one by one
    found += [fault for fault in faults(table, crops, classes) if fault.kind != "twice"]
    return CsvSplit(table, found, [name for name in unknown if name in tried], given.notes)


def _twice(given: UserTable, names: pd.Series[str], key: str) -> list[Fault]:
    lines = defaultdict(list)
    for row, name in zip(given.rows, names, strict=True):
        lines[name].append(str(row.line))
    return [
        Fault("twice", f"{key} {name!r} is listed more than once, in lines {' and '.join(where)}")
        for name, where in lines.items()
        if len(where) > 1
    ]


def _ids(names: pd.Series[str], slides: pd.DataFrame) -> tuple[pd.Series[str], list[Fault]]:
    """Return slides by their ids, where a file's name stands, and the names that are of several."""
    ids: dict[str, set[str]] = {}
    for slide, file in zip(slides["slide"].astype(str), slides["file"].astype(str), strict=True):
        for name in (nfc(file), Path(nfc(file)).stem):
            ids.setdefault(name, set()).add(slide)
    known, found = set(slides["slide"]), []
    for name in names.unique():
        if name not in known and len(several := sorted(ids.get(name, ()))) > 1:
            text = f"slide {name!r} may be {' or '.join(map(repr, several))}; write the id"
            found.append(Fault("slide", text))
    one = {name: next(iter(slide)) for name, slide in ids.items() if len(slide) == 1}
    return names.map(lambda name: name if name in known else one.get(name, name)), found


def _disagreements(joined: pd.DataFrame, key: str) -> list[Fault]:
    found = []
    for column in (*_KEYS, "label"):
        if column in joined and column != key:
            said, truth = joined[column], joined[f"{column}_store"]
            differs = (said != "") & truth.notna() & (said != truth)
            for row in joined[differs].drop_duplicates(key).to_dict("records"):
                text = f"{key} {row[key]!r} has {column} {row[column]!r}; the store: "
                found.append(Fault(column, text + repr(row[f"{column}_store"])))
    return found


def _unlabeled(joined: pd.DataFrame, key: str) -> list[Fault]:
    """Return the rows of labelled subsets whose crops have no label: they would vanish."""
    found = []
    rows = joined.assign(labeled=joined["label_store"].notna())
    for (name, subset), part in rows.groupby([key, "subset"], sort=False):
        if subset == "":
            found.append(Fault("subset", f"{key} {name!r} has no subset"))
        elif not (part["labeled"].any() or is_aux(subset) or subset == EXCLUDED):
            text = f"{key} {name!r} is put into {subset} without a label"
            found.append(Fault("label", text))
    return found
