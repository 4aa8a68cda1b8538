"""Which classes a run tells apart, and whether two runs tell the same ones apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import wsistore
from distill.errors import UsageError
from distill.runs.run import Run


def class_map(
    store: wsistore.Store, split: str, exclude: Sequence[str], merge: Sequence[str]
) -> wsistore.ClassMap:
    """Return the classes of a training: those of the split, and then as the options ask.

    Args:
        store, split: of the crops.
        exclude: values of --exclude-class.
        merge: values of --merge.

    Raises:
        UsageError: an option is not understood, or names a class that the split does not have.
        wsistore.WsistoreError: if the split does not exist.
    """
    of_split = store.class_map(split)
    if not exclude and not merge:
        return of_split
    rows = store.split(split)
    known = {str(label) for label in rows["label"].dropna()} - set(of_split.exclude)
    try:
        own = wsistore.parse_classes(exclude, merge, known, f"split {split} of {store.url}")
    except wsistore.UsageError as error:
        raise UsageError(str(error)) from error
    return of_split.then(own)


def disagreement(runs: Sequence[Run], labels: Mapping[str, str]) -> str | None:
    """Return how runs take the labels of some crops for different classes; None if they do not.

    Args:
        runs: at least one.
        labels: crop → label, of the crops that have one.
    """
    first, *others = runs
    own = first.class_map
    for run in others:
        other = run.class_map
        for crop, label in labels.items():
            theirs, ours = other.of(label), own.of(label)
            if theirs != ours:
                return (
                    f"{first.path} and {run.path} tell classes apart in different ways: crop "
                    f"{crop}, labelled {label}, {_counts(ours)} for the one and {_counts(theirs)} "
                    "for the other"
                )
    return None


def _counts(name: str | None) -> str:
    return "is left out" if name is None else f"is {name}"
