"""What is wrong with the labelled sets of a split."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from wsistore.split.same_files import leaders
from wsistore.split.subsets import (
    TRAIN,
    labeled_column,
    labeled_draws,
    labeled_sets,
    rows_of,
    whole_numbers,
)

if TYPE_CHECKING:
    import pandas as pd


def labeled_faults(split: pd.DataFrame, crops: pd.DataFrame) -> list[str]:
    """Return a sentence for each fault of a split's labelled sets.

    Args:
        split: columns crop, slide, patient, label, subset, and those of labelled sets.
        crops: the store's, columns crop, slide, patient, and fingerprint where files are known.
    """
    if not labeled_draws(split):
        return []
    return [*_cells(split), *_sets(split, crops)]


def _cells(split: pd.DataFrame) -> Iterator[str]:
    names = {one.name for one in labeled_sets(split)}
    for name in sorted(names & set(split["subset"].dropna())):
        yield f"subset {name!r} has the name of a labelled set"
    for draw in labeled_draws(split):
        column = labeled_column(draw)
        given, numbers = split[column], whole_numbers(split[column])
        odd = given.notna() & (given.astype(str) != "") & numbers.isna()
        for crop, value in zip(split["crop"][odd], given[odd], strict=True):
            yield f"crop {crop!r} has {value!r} in column {column}, which is no number of patients"
        outside = numbers.notna() & (split["subset"] != TRAIN)
        for crop, subset in zip(split["crop"][outside], split["subset"][outside], strict=True):
            yield f"crop {crop!r} is in a labelled set of column {column}, and in {subset}"
        inside = split[(split["subset"] == TRAIN)].assign(number=numbers.fillna(0))
        several = inside.groupby("patient")["number"].nunique()
        for patient in sorted(several.index[several > 1]):
            yield f"crops of patient {patient!r} are in different labelled sets of column {column}"


def _sets(split: pd.DataFrame, crops: pd.DataFrame) -> Iterator[str]:
    training = rows_of(split, TRAIN) if (split["subset"] == TRAIN).any() else split[:0]
    first = leaders(crops[crops["crop"].isin(training["crop"])])
    known = set(training["label"].dropna())
    for one in labeled_sets(split):
        rows = rows_of(split, one.name)
        count = rows["patient"].replace(first).nunique()
        if count != one.patients:
            yield f"labelled set {one.name} has {count} patients"
        if lacking := sorted(known - set(rows["label"].dropna())):
            yield f"labelled set {one.name} has no crop of class {', '.join(map(repr, lacking))}"
