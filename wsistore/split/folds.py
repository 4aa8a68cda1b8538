"""Which fold of which cross-validation a split is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from wsistore.errors import UsageError
from wsistore.split.files import read_record
from wsistore.split.fold_names import families
from wsistore.storage import StoreLike


@dataclass(frozen=True)
class Fold:
    """A split that is a fold; numbers count from 0.

    Attributes:
        split: its name.
        family: the name that the folds were made by.
        repeat: which dealing of the patients; 0 where they were dealt once.
        number: which fold of the repeat.
        site: what it tests on, where folds are sites; else empty.
    """

    split: str
    family: str
    repeat: int
    number: int
    site: str = ""


def folds_of(store: StoreLike, family: str) -> tuple[Fold, ...]:
    """Return the folds that were made by a name, of one repeat after the other.

    Raises:
        UsageError: no folds were made by it, or it cannot be a name.
        StoreError: its record is damaged.
    """
    record = read_record(store, family)
    if record is None or record.request is None or not record.request.folds:
        raise UsageError(
            f"{store}: split {family!r} has no folds; make some with 'wsistore split --folds'"
        )
    count, sites = record.request.folds, record.request.sites
    return tuple(
        Fold(
            Path(file).stem, family, place // count, place % count,
            sites[place % count] if sites else "",
        )
        for place, file in enumerate(record.files)
    )  # fmt: skip


def fold_of(store: StoreLike, split: str) -> Fold | None:
    """Return which fold a split is, None if it is none.

    Raises:
        UsageError: the name cannot be one.
        StoreError: a record is damaged.
    """
    for family in families(split):
        record = read_record(store, family)
        if record is not None and f"{split}.csv" in record.files:
            return next(one for one in folds_of(store, family) if one.split == split)
    return None
