"""Bags: the crops of a slide, or of a patient, that are learnt from, and answered for, together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import wsistore
from distill.data.subsets import Subset, require_current, rows_of
from distill.errors import SubsetError


@dataclass(frozen=True)
class Bags:
    """The bags of a subset that have a label.

    Attributes:
        crops: name of each bag → ids of its crops, labelled or not, in the order of the split.
        cases: the bags, as crops stand in a subset: their names and labels; none is left out.
        members: the crops of these bags, each with its bag's label; what is left out has the
            reason, bags without one label among them.
        dropped: name of each bag without one label → why.
    """

    crops: Mapping[str, tuple[str, ...]]
    cases: Subset
    members: Subset
    dropped: Mapping[str, str]


def shared_label(labels: Sequence[str | None]) -> str | None:
    """Return the label that all labelled crops share; None where they disagree or none has one."""
    there = {label for label in labels if label is not None}
    return str(there.pop()) if len(there) == 1 else None


def bags_of(store: wsistore.Store, split: str, crops: Subset, kind: str) -> Bags:
    """Return the crops of a subset by slide or patient.

    Args:
        store: the store.
        split: name of the split.
        crops: of one of its sets, or of several, those without a label among them.
        kind: "slide" or "patient".

    Raises:
        SubsetError: no bag has a label, or the split is older than the store's labels.
    """
    rows = rows_of(store, split, crops.name)
    require_current(store, split, rows, labels=True)
    names = dict(zip(rows["crop"].astype(str), rows[kind].astype(str), strict=True))
    held: dict[str, list[str]] = {}
    for crop in crops.crops:
        held.setdefault(names[crop], []).append(crop)
    label_of = dict(zip(crops.crops, crops.labels, strict=True))
    labels, dropped = {}, {}
    for name, own in held.items():
        labels[name] = shared_label([label_of[crop] for crop in own])
        if labels[name] is None:
            several = any(label_of[crop] is not None for crop in own)
            dropped[name] = "has crops of several labels" if several else "has no labelled crop"
    kept = [name for name in held if name not in dropped]
    if not kept:
        first = next(iter(dropped))
        raise SubsetError(
            f"no {kind} of {crops.name} of split {split} of {store.url} has one label; for "
            f"example {first} {dropped[first]}"
        )
    cases = Subset(crops.name, tuple(kept), tuple(labels[name] for name in kept), {})
    left_out = dict(crops.left_out) | {
        crop: f"is of {kind} {name}, which {why}"
        for name, why in dropped.items()
        for crop in held[name]
    }
    chosen = [crop for crop in crops.crops if names[crop] not in dropped]
    members = replace(
        crops,
        crops=tuple(chosen),
        labels=tuple(labels[names[crop]] for crop in chosen),
        left_out=left_out,
    )
    return Bags({name: tuple(held[name]) for name in kept}, cases, members, dropped)
