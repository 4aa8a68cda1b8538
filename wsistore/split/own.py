"""A split of one's own: a CSV that puts patients, slides or crops into subsets."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from wsistore.errors import UsageError
from wsistore.split.faults import Fault, faults
from wsistore.split.sets import EXCLUDED, is_aux
from wsistore.split.tables import tabulate

_KEYS = ("crop", "slide", "patient")


def read_own(
    path: Path, crops: pd.DataFrame, slides: pd.DataFrame
) -> tuple[pd.DataFrame, list[Fault], list[str]]:
    """Read a CSV with a column ``subset`` and one or more of ``crop``, ``slide``, ``patient``.

    The finest of the three says which crops a row is about; the coarser ones, where they are given,
    must agree with the store. Labels are the store's; a column ``label`` must agree too.

    Args:
        path: the CSV. A slide may be written as its file name.
        crops: the store's, columns crop, slide, patient, label.
        slides: the store's, columns slide, file, patient: slides without a crop are known too.

    Returns:
        The split's table; its faults (see `wsistore.split.faults.faults`); and the names of slides
        or patients that the store knows but has no crop of.

    Raises:
        UsageError: the file cannot be read as CSV or lacks a column.
    """
    own = _read(path)
    key = next(column for column in _KEYS if column in own)
    if "slide" in own:
        by_file = dict(zip(slides["file"].astype(str), slides["slide"].astype(str), strict=True))
        own["slide"] = own["slide"].map(lambda name: by_file.get(name, name))
    found = [
        Fault("twice", f"{key} {name!r} is listed more than once")
        for name in own.loc[own[key].duplicated(), key].unique()
    ]
    seen = set(crops[key])
    tried = set(slides[key]) if key in slides else set()
    strangers = [name for name in own[key].unique() if name not in seen]
    found += [
        Fault("unknown", f"{key} {name!r} is not in the store")
        for name in strangers
        if name not in tried
    ]
    truth = crops[["crop", "slide", "patient", "label"]].add_suffix("_store")
    joined = own.merge(truth.assign(**{key: crops[key], "crop": crops["crop"]}), on=key)
    found += _disagreements(joined, key) + _unlabelled(joined, key)
    split = joined[["crop", "subset"]].merge(crops[["crop", "slide", "patient", "label"]])
    order = {crop: number for number, crop in enumerate(crops["crop"])}
    split = split.sort_values("crop", key=lambda names: names.map(order), kind="stable")
    split = split.reset_index(drop=True)
    table = tabulate(split, split["subset"].where(split["subset"] != ""))
    # a slide or patient listed twice has been named; its crops need not be named one by one
    found += [fault for fault in faults(table, crops) if fault.kind != "twice"]
    return table, found, [name for name in strangers if name in tried]


def _read(path: Path) -> pd.DataFrame:
    try:
        own = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise UsageError(f"--from-csv {path}: cannot be read as CSV: {error}") from error
    if "subset" not in own or not any(column in own for column in _KEYS):
        raise UsageError(
            f"--from-csv {path}: needs the column subset and one of {', '.join(_KEYS)}"
        )
    for column in own:
        own[column] = own[column].str.strip()
    return own


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


def _unlabelled(joined: pd.DataFrame, key: str) -> list[Fault]:
    """Return the rows of labelled subsets whose crops have no label: they would vanish."""
    found = []
    rows = joined.assign(labelled=joined["label_store"].notna())
    for (name, subset), part in rows.groupby([key, "subset"], sort=False):
        if subset == "":
            found.append(Fault("subset", f"{key} {name!r} has no subset"))
        elif not (part["labelled"].any() or is_aux(subset) or subset == EXCLUDED):
            text = f"{key} {name!r} is put into {subset} without a label"
            found.append(Fault("label", text))
    return found
