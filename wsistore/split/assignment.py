"""Patients to parts of a split: stratified by class, decided by a hash, the same for a seed."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from wsistore.errors import UsageError
from wsistore.split.allocation import deal, fill
from wsistore.split.request import DEV, SplitRequest
from wsistore.split.subsets import aux_increment, is_aux

if TYPE_CHECKING:
    import pandas as pd


def fold(number: int) -> str:
    """Return the part that a fold, counted from 0, is while patients are assigned."""
    return f"fold{number}"


def strata(crops: pd.DataFrame) -> dict[str, str]:
    """Return patient → class of the labelled patients.

    A patient with several labels counts for the one that fewest patients have.

    Args:
        crops: columns patient, label; NaN where a crop has none.
    """
    pairs = crops.loc[crops["label"].notna(), ["patient", "label"]].drop_duplicates()
    patients = pairs["label"].value_counts()
    rarest_first = sorted(patients.index, key=lambda label: (patients[label], label))
    place = {label: number for number, label in enumerate(rarest_first)}
    classes: dict[str, str] = {}
    by_rarity = sorted(
        zip(pairs["patient"], pairs["label"], strict=True), key=lambda pair: place[pair[1]]
    )
    for patient, label in by_rarity:
        classes.setdefault(str(patient), str(label))
    return classes


def assign(crops: pd.DataFrame, request: SplitRequest, old: Mapping[str, str]) -> dict[str, str]:
    """Assign patients to train, val, test, or folds; dev; and the increments of the auxiliary sets.

    Within a class, patients are ordered by SHA-256 of seed and name. Auxiliary sets take patients
    of no other part in an order of their own: what labelled draws leave of a small class are the
    last of its order, and would come last again.

    Args:
        crops: columns patient, label; the order of rows does not matter.
        request: how many patients are wanted where.
        old: patient → part of those that have one; they keep it.

    Returns:
        Patient → part, ``old`` included. A patient that the request has no place for is absent.

    Raises:
        UsageError: no crop is labelled, or patients lack; the message names every class that
            lacks some, and how many.
    """
    classes = strata(crops)
    if not classes:
        raise UsageError("no crop has a label; build with --labels")
    parts, lacks = dict(old), []
    by_class: dict[str, list[str]] = {label: [] for label in sorted(set(classes.values()))}
    for patient, label in classes.items():
        # the labels of auxiliary patients are not used, ever after
        if not is_aux(old.get(patient)):
            by_class[label].append(patient)
    for label, patients in by_class.items():
        missing = request.needs() - len(patients)
        if missing > 0:
            lacks.append(f"class {label!r} lacks {missing} ({len(patients)} of {request.needs()})")
            parts.update(dict.fromkeys(patients, ""))  # not for the auxiliary sets
        else:
            parts.update(_assign_class(patients, request, parts))
    flags = request.flags() if lacks else ""
    pool = sorted(set(crops["patient"].astype(str)) - parts.keys(), key=rank(request.seed, "aux"))
    held, short = Counter(old.values()), 0
    for number, size in enumerate(request.aux_increments(), start=1):
        room = max(0, size - held[aux_increment(number)])
        parts.update(dict.fromkeys(pool[:room], aux_increment(number)))
        short += max(0, room - len(pool))
        pool = pool[room:]
        if short:
            whole = request.aux[number - 1]
            lacks.append(f"ADv{number} lacks {short} ({whole - short} of {whole})")
    if short:
        flags = f"{flags} or --aux".removeprefix(" or ")
    if lacks:
        raise UsageError(f"too few patients: {', '.join(lacks)}; add patients or lower {flags}")
    return parts


def deal_again(
    crops: pd.DataFrame,
    parts: Mapping[str, str],
    request: SplitRequest,
    repeat: int,
    old: Mapping[str, str],
) -> dict[str, str]:
    """Deal the patients of folds to folds once more, by the seed of a repeat; the others stay.

    Args:
        crops: columns patient, label, as `assign` had them.
        parts: what `assign` returned, or, for the first repeat, the same.
        request: with folds.
        repeat: number of the repeat, from 0; that of ``parts`` is 0.
        old: patient → fold in this repeat, of those that have one; they keep it.

    Returns:
        Patient → part, of the patients of ``parts``.
    """
    if repeat == 0:
        return dict(parts)
    names, seed = [fold(number) for number in range(request.folds)], request.repeat_seeds()[repeat]
    classes = strata(crops)
    drawn = sorted((p for p, part in parts.items() if part in names), key=rank(seed))
    found = {p: part for p, part in parts.items() if part not in names}
    found |= {p: old[p] for p in drawn if p in old}
    for label in sorted(set(classes.values())):
        new = [p for p in drawn if p not in found and classes.get(p) == label]
        have = Counter(found[p] for p in drawn if p in found and classes.get(p) == label)
        load = Counter(found.values())
        dealt = deal([have[name] for name in names], [load[name] for name in names], len(new))
        found |= {p: names[number] for p, number in zip(new, dealt, strict=True)}
    return found


def _assign_class(
    patients: list[str], request: SplitRequest, parts: Mapping[str, str]
) -> dict[str, str]:
    """Return the parts of those patients of one class that have none yet."""
    new = sorted((p for p in patients if p not in parts), key=rank(request.seed))
    have = Counter(parts[p] for p in patients if p in parts)
    if request.folds:
        names = _folds(len(patients), len(new), have, request, Counter(parts.values()))
    else:
        given = fill(request.wanted(len(patients)), have, len(new))
        names = [name for name, n in given.items() for _ in range(n)]
    return dict(zip(new, names, strict=False))


def _folds(
    total: int, newcomers: int, have: Counter[str], request: SplitRequest, load: Counter[str]
) -> list[str]:
    names = [fold(number) for number in range(request.folds)]
    shared = request.patients_per_class or total - request.dev
    room = min(newcomers, max(0, shared - sum(have[name] for name in names)))
    dealt = deal([have[name] for name in names], [load[name] for name in names], room)
    dev = min(newcomers - room, max(0, request.dev - have[DEV]))
    return [names[number] for number in dealt] + [DEV] * dev


def rank(seed: int, purpose: str = "") -> Callable[[str], str]:
    """Return the key by which patients are ordered: SHA-256 of seed, purpose and name."""
    salt = f"{seed}\0{purpose}\0" if purpose else f"{seed}\0"
    return lambda patient: hashlib.sha256(f"{salt}{patient}".encode()).hexdigest()
