"""Split tables from assigned patients, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from wsistore.errors import UsageError
from wsistore.slides import ALL_CLASSES, ClassMap
from wsistore.split.assignment import assign, deal_again, fold
from wsistore.split.fold_names import suffix as fold_suffix
from wsistore.split.labeled_faults import labeled_faults
from wsistore.split.labeled_sets import keep_labeled
from wsistore.split.request import DEV, SplitRequest
from wsistore.split.same_files import leaders, patient_groups
from wsistore.split.sites import assign_sites
from wsistore.split.subsets import EXCLUDED, is_aux
from wsistore.split.validation import faults

COLUMNS = ["crop", "slide", "patient", "label", "subset"]


def make_split(
    crops: pd.DataFrame, request: SplitRequest, classes: ClassMap = ALL_CLASSES
) -> dict[str, pd.DataFrame]:
    """Split crops by patient, stratified by class.

    Args:
        crops: columns crop, slide, patient, label (NaN where a crop has none); and fingerprint, of
            the crop's slide: patients who share a file stay together and count as one; and site,
            where the request has sites.
        request: how many patients are wanted where.
        classes: which classes are told apart. Crops of a class that it leaves out are listed as
            `EXCLUDED` with their label, whosever they are; labels of the others are its classes.

    Returns:
        Suffix of the split's name → table. Without folds one table, of suffix ``""``; with k folds
        the tables ``-0`` … ``-(k-1)``, of each repeat R ``-rR-0`` … ``-rR-(k-1)``. Columns crop,
        slide, patient, label, subset, rows in the order of ``crops``. Crops of auxiliary patients
        are listed without their label; of the others, crops without a label are left out.

    Raises:
        UsageError: no crop is labelled, or patients lack; see `wsistore.split.assignment.assign`
            and `wsistore.split.sites.assign_sites`.
    """
    out = classes.excluded(crops["label"])
    crops = crops.assign(label=classes.merged(crops["label"]))
    people = crops["patient"].replace(leaders(crops[~out]))
    drawn = _draw(crops.assign(patient=people)[~out], request, [{}] * max(1, request.repeats))
    return {
        suffix: tabulate(crops, people.map(subsets).mask(out, EXCLUDED))
        for suffix, subsets in _views(drawn, request).items()
    }


def extend_split(
    crops: pd.DataFrame,
    tables: Mapping[str, pd.DataFrame],
    request: SplitRequest,
    classes: ClassMap = ALL_CLASSES,
) -> dict[str, pd.DataFrame]:
    """Take new patients, and new crops of old ones, into a split; no old patient moves.

    Args:
        crops: columns crop, slide, patient, label, fingerprint, of the store as it is now.
        tables: the split as `make_split` returned it, or as it was edited since.
        request: the request that it was made by. New patients go where the wanted numbers, taken
            over old and new, are missed by most. Labels become those that the store has now.
        classes: which classes it tells apart. A crop is left out by the class that it has now;
            what was left out by hand stays so.

    Returns:
        As `make_split`. Labelled sets have the patients that they had.

    Raises:
        UsageError: the split has faults other than these, an old patient has no crop
            any more, patients lack, or a labelled set would lack a class.
    """
    for suffix, table in tables.items():
        for fault in faults(table, crops, classes):
            if fault.kind not in ("missing", "unknown", "label", "class"):
                name = f"split {suffix!r}" if suffix else "the split"
                raise UsageError(f"{name} cannot be extended: {fault.text}")
    old = _parts(tables, request)
    out = classes.excluded(crops["label"])
    crops = crops.assign(label=classes.merged(crops["label"]))
    people = crops["patient"].replace(leaders(crops[~out]))
    known = [_together(parts, crops[~out]) for parts in old]
    views = _views(_draw(crops.assign(patient=people)[~out], request, known), request)
    extended = {}
    for suffix, subsets in views.items():
        table = tables[suffix]
        by_hand = (table["subset"] == EXCLUDED) & ~classes.excluded(table["label"])
        left_out = out | crops["crop"].isin(table["crop"][by_hand])
        subset = people.map(subsets).mask(left_out, EXCLUDED)
        extended[suffix] = keep_labeled(table, tabulate(crops, subset))
        kept = extended[suffix]["subset"] != EXCLUDED
        gone = sorted(old[0].keys() - set(extended[suffix]["patient"][kept]))
        if gone:
            raise UsageError(
                f"the split cannot be extended without forgetting patient {', '.join(gone)}, who "
                "has no crop (or no label) in the store any more; make a new one with --name"
            )
        for text in labeled_faults(extended[suffix], crops):
            raise UsageError(f"the split cannot be extended: {text}; make a new one with --name")
    return extended


def _together(parts: Mapping[str, str], crops: pd.DataFrame) -> dict[str, str]:
    """Return the parts of patients, of those who share a file as one.

    Raises:
        UsageError: two of them have two parts.
    """
    first, found = leaders(crops), dict[str, str]()
    for patient, part in parts.items():
        lead = first.get(patient, patient)
        if found.setdefault(lead, part) != part:
            (group,) = (group for group in patient_groups(crops) if patient in group.patients)
            raise UsageError(
                f"the split cannot be extended: patients {group} share files, so that they must "
                f"be in one subset, and are in {found[lead]} and {part}; make a new one with --name"
            )
    return found


def tabulate(crops: pd.DataFrame, subset: pd.Series[str]) -> pd.DataFrame:
    """Return the split table of crops that have a subset.

    Args:
        crops: columns crop, slide, patient, label.
        subset: of each row of ``crops``, NaN where it has none.
    """
    unlabeled = subset.map(is_aux).astype(bool)
    listed = subset.notna() & (crops["label"].notna() | unlabeled | (subset == EXCLUDED))
    table = crops.assign(subset=subset, label=crops["label"].mask(unlabeled))
    return table.loc[listed, COLUMNS].reset_index(drop=True)


def _draw(
    crops: pd.DataFrame, request: SplitRequest, old: Sequence[Mapping[str, str]]
) -> list[dict[str, str]]:
    """Return patient → part in each repeat of the folds; of a split without repeats, one.

    Args:
        crops: columns patient, label, and site where the request has sites.
        request: how many patients are wanted where.
        old: the same of the patients that have a part, for each repeat.
    """
    if request.sites:
        return [assign_sites(crops, request, old[0])]
    first = assign(crops, request, old[0])
    return [deal_again(crops, first, request, number, known) for number, known in enumerate(old)]


def _views(drawn: Sequence[Mapping[str, str]], request: SplitRequest) -> dict[str, dict[str, str]]:
    """Return suffix → patient → subset, of what `_draw` returned."""
    if not request.folds:
        return {"": dict(drawn[0])}
    views = {}
    for repeat, parts in enumerate(drawn):
        for number in range(request.folds):
            names = {fold(each): "train" for each in range(request.folds)}
            if request.fold_val:
                names[fold((number + 1) % request.folds)] = "val"
            names[fold(number)] = "test"
            name = fold_suffix(number, repeat if request.repeats else None)
            views[name] = {patient: names.get(part, part) for patient, part in parts.items()}
    return views


def _parts(tables: Mapping[str, pd.DataFrame], request: SplitRequest) -> list[dict[str, str]]:
    """Return patient → part of each repeat; the fold of a patient is the one that tests on it.

    Raises:
        UsageError: a patient is in the folds of one repeat, and in those of another not.
    """
    own, size = list(tables.values()), request.folds or 1
    found = [
        _repeat_parts(own[first : first + size], request) for first in range(0, len(own), size)
    ]
    for other in found[1:]:
        if odd := sorted(found[0].keys() ^ other.keys()):
            raise UsageError(
                f"the split cannot be extended: patient {odd[0]!r} is in one repeat of the folds "
                "and not in another; make a new one with --name"
            )
    return found


def _repeat_parts(tables: Sequence[pd.DataFrame], request: SplitRequest) -> dict[str, str]:
    parts: dict[str, str] = {}
    for number, table in enumerate(tables):
        rows = table[table["subset"] != EXCLUDED]
        for patient, subset in zip(rows["patient"], rows["subset"], strict=True):
            if not request.folds or subset == DEV or is_aux(subset):
                parts[str(patient)] = str(subset)
            elif subset == "test":
                parts[str(patient)] = fold(number)
    return parts
