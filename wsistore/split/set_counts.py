"""Patients and crops of each set of a split: the paper's Tables 2 to 4, counted in one place."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wsistore.slides import ALL_CLASSES, ClassMap
from wsistore.split.subsets import EXCLUDED, is_aux, labeled_sets, rows_of, set_names

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Count:
    """Patients and crops of a set, of one class or (label None, ``total``) of all."""

    subset: str
    label: str | None
    total: bool
    patients: int
    crops: int


@dataclass(frozen=True)
class SplitInfo:
    """One split, as the paper's Tables 2 to 4 count it; cells of nothing are listed as 0.

    Attributes:
        name: of the split.
        subsets: names of its sets: train, val, test, dev, others by name, then ADv1, ADv2, …, each
            of which holds the one before it, and likewise the labelled sets L5, L10, … of the first
            draw; those of other draws are as large.
        labels: classes by name; None, last, is what has no label.
        counts: for each set a count of each class, then of all.
        excluded: crops that are left out on purpose, in no set.
        classes: which classes of the store it leaves out or takes together.
    """

    name: str
    subsets: tuple[str, ...]
    labels: tuple[str | None, ...]
    counts: tuple[Count, ...]
    excluded: int
    classes: ClassMap = ALL_CLASSES

    def cell(self, subset: str, label: str | None, *, total: bool = False) -> Count:
        """Return the count of one class in a set, or with ``total`` of all classes.

        Raises:
            KeyError: there is no such set or class.
        """
        for count in self.counts:
            if (count.subset, count.label, count.total) == (subset, label, total):
                return count
        raise KeyError((subset, label))


def count_split(
    name: str, split: pd.DataFrame, crops: pd.DataFrame, classes: ClassMap = ALL_CLASSES
) -> SplitInfo:
    """Count the patients and crops of each class and set of a split.

    A patient with crops of two classes counts in both and once in the total. A class is what the
    split says, for that is what is learnt from. Of auxiliary crops, whose labels a split withholds,
    it is what the store says, for reference alone.

    Args:
        name: the split's name.
        split: columns crop, slide, patient, label, subset.
        crops: the store's, columns crop, label.
        classes: which classes the split tells apart.
    """
    withheld = split["subset"].map(is_aux).astype(bool)
    labels_of = crops.drop_duplicates("crop").set_index("crop")["label"]
    known = classes.merged(split["crop"].map(labels_of))
    named = split.assign(label=split["label"].astype(object).mask(withheld, known))
    redrawn = {one.name for one in labeled_sets(split) if one.draw}
    sets = {each: rows_of(named, each) for each in set_names(named) if each not in redrawn}
    labels = _labels(label for rows in sets.values() for label in rows["label"])
    counts = []
    for each, rows in sets.items():
        for label in labels:
            part = rows[rows["label"].isna() if label is None else rows["label"] == label]
            counts.append(_count(each, label, part, total=False))
        counts.append(_count(each, None, rows, total=True))
    excluded = int((split["subset"] == EXCLUDED).sum())
    return SplitInfo(name, tuple(sets), labels, tuple(counts), excluded, classes)


def _labels(found: Iterable[object]) -> tuple[str | None, ...]:
    """Return the classes, sorted, and None last where something has no label (NaN)."""
    values = list(found)
    named = {str(label) for label in values if label == label and label is not None}
    unnamed = any(label != label or label is None for label in values)
    return (*sorted(named), *([None] if unnamed else []))


def _count(subset: str, label: str | None, rows: pd.DataFrame, *, total: bool) -> Count:
    return Count(subset, label, total, int(rows["patient"].nunique()), len(rows))
