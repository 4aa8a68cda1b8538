"""What ``wsistore split`` does, once its options have been found to go together."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from wsistore.cli.console import OK, SOME_FAILED, out
from wsistore.cli.split_options import (
    parse_aux,
    parse_counts,
    parse_fractions,
    parse_labeled,
    summary,
)
from wsistore.errors import StoreError, UsageError
from wsistore.slides import ClassMap
from wsistore.split import (
    EXCLUDED,
    LabeledRequest,
    Record,
    SplitRequest,
    changed_since,
    check_split,
    checkable,
    draw_labeled,
    extend_split,
    finish,
    make_split,
    patient_groups,
    read_record,
    read_split_csv,
    read_tables,
    save_splits,
    site_names,
    with_fingerprints,
    with_sites,
)
from wsistore.storage import StoreRoot
from wsistore.store import Store

_LATER_REPEAT = re.compile(r"-r[1-9]")
_SHOWN = 20
"""Faults of a refused CSV that the error names; ``--check`` names all."""


def _request(asked: Mapping[str, Any], sites: tuple[str, ...]) -> SplitRequest:
    return SplitRequest(
        fractions=parse_fractions(asked["fractions"]) if asked["fractions"] is not None else None,
        counts=parse_counts(asked["counts"]) if asked["counts"] is not None else None,
        patients_per_class=asked["patients_per_class"],
        dev=asked["dev"] or 0,
        aux=parse_aux(asked["aux"]) if asked["aux"] is not None else (),
        folds=asked["folds"] or len(sites),
        fold_val=not asked["no_val"],
        seed=asked["seed"] or 0,
        repeats=asked["repeats"] or 0,
        sites=sites,
    )


def _labeled(asked: Mapping[str, Any]) -> LabeledRequest | None:
    """Return which labelled sets are asked for, or None.

    Raises:
        UsageError: if their numbers contradict each other.
    """
    if asked["labeled_patients"] is None:
        if asked["labeled_draws"] is not None:
            raise UsageError("--labeled-draws needs --labeled-patients")
        return None
    patients = parse_labeled(asked["labeled_patients"])
    return LabeledRequest(patients, asked["labeled_draws"] or 1, asked["seed"] or 0)


def _with_labeled(
    store: Store, tables: Mapping[str, pd.DataFrame], name: str, labeled: LabeledRequest | None
) -> dict[str, pd.DataFrame]:
    if labeled is None:
        return dict(tables)
    return {
        suffix: draw_labeled(table, store.slides, labeled, f"train of {name}{suffix}")
        for suffix, table in tables.items()
    }


def make(
    store: Store, name: str, asked: Mapping[str, Any], classes: ClassMap, overwrite: bool
) -> None:
    """Draw a split, save it and show it.

    Raises:
        UsageError: if options contradict each other, or patients or sites lack.
    """
    crops, sites, labeled = _crops(store), tuple[str, ...](), _labeled(asked)
    if asked["by_site"]:
        # a seed decides the labelled sets alone there
        drawing = ("folds",) if labeled else ("folds", "seed")
        if drawn := [f"--{name}" for name in drawing if asked[name] is not None]:
            raise UsageError(f"--by-site draws nothing; drop {' and '.join(drawn)}")
        sites = site_names(crops[~classes.excluded(crops["label"])])
    request = _request(asked, sites)
    tables = _with_labeled(store, make_split(crops, request, classes), name, labeled)
    record = Record(request, classes, labeled=labeled)
    paths = save_splits(store.root, name, tables, record, overwrite)
    _show(store, tables, paths, classes)
    _show_folds(name, request)
    _show_draws(labeled)


def extend(store: Store, name: str, into: str) -> None:
    """Take into a split what the store got since, and say what that was.

    Raises:
        UsageError: if nothing says how the split was asked for.
    """
    finish(store.root)
    record = read_record(store.root, name)
    if record is None or record.request is None:
        raise UsageError(
            f"{store.url}: nothing says how split {name!r} was asked for, so it cannot be "
            "extended; add the new patients to a CSV and give that as --from-csv"
        )
    for path in changed_since(store.root, name):
        out().print(f"{path}: was changed since wsistore wrote it; its subsets are kept")
    old = read_tables(store.root, name)
    classes = record.classes
    tables = extend_split(_crops(store), old, record.request, classes)
    again = Record(record.request, classes, labeled=record.labeled)
    paths = save_splits(store.root, into, tables, again, overwrite=into == name)
    _show(store, tables, paths, classes)
    _show_folds(into, record.request)
    before, after = next(iter(old.values())), next(iter(tables.values()))
    now, then = (one["patient"][one["subset"] != EXCLUDED] for one in (after, before))
    patients = now.nunique() - then.nunique()
    joined = before.merge(after, on="crop")
    both = joined["label_x"].notna() | joined["label_y"].notna()
    relabeled = int((both & (joined["label_x"] != joined["label_y"]).fillna(True)).sum())
    if relabeled:
        out().print(f"{relabeled} crops have another label than before, as in the store")
    out().print(f"{patients} patients and {len(after) - len(before)} crops more than before")


def take_over(
    store: Store,
    name: str,
    file: Path,
    asked: Mapping[str, Any],
    classes: ClassMap,
    overwrite: bool,
) -> None:
    """Save the split that a user's CSV describes, with labelled sets if asked for, and show it.

    Raises:
        UsageError: if the file has faults, naming the first, or patients lack for labelled sets.
    """
    labeled = _labeled(asked)
    table, faults, empty, notes = read_split_csv(file, store.crops, store.slides, classes)
    for note in notes:
        out().print(f"{file}: {note}")
    if faults:
        texts = [fault.text for fault in faults]
        more = len(texts) - _SHOWN
        rest = f"; and {more} more, see --check --from-csv {file}" if more > 0 else ""
        raise UsageError(f"--from-csv {file}: {'; '.join(texts[:_SHOWN])}{rest}")
    source = {"file": file.name, "sha256": hashlib.sha256(file.read_bytes()).hexdigest()}
    record = Record(None, classes, source, labeled=labeled)
    tables = _with_labeled(store, {"": table}, name, labeled)
    paths = save_splits(store.root, name, tables, record, overwrite)
    _show(store, tables, paths, classes)
    _show_draws(labeled)
    if empty:
        out().print(f"{file}: the store has no crop of {', '.join(empty)}")


def check(store: Store, name: str | None, file: Path | None, classes: ClassMap) -> int:
    """Name the faults of a split, of all, or of a user's CSV; return the exit code.

    Raises:
        UsageError: if both a split and a CSV are named.
        StoreError: if the store has no split.
    """
    console = out()
    if file is not None:
        if name is not None:
            raise UsageError("--check takes --name or --from-csv, not both")
        own = read_split_csv(file, store.crops, store.slides, classes)
        faults = own.faults
        for note in own.notes:
            console.print(f"{file}: {note}")
        for fault in faults:
            console.print(f"{file}: {fault.text}")
        console.print(f"{file}: {len(faults) or 'no'} faults")
        return SOME_FAILED if faults else OK
    names = checkable(store.root) if name is None else [name]
    if not names:
        raise StoreError(f"{store.url}: has no split to check; make one with --name")
    total = 0
    for each in names:
        faults = check_split(store.root, each, _crops(store))
        total += len(faults)
        for path in changed_since(store.root, each) if not faults else ():
            console.print(f"{path}: was changed since wsistore wrote it, which is no fault")
        for fault in faults:
            console.print(fault.text)
        console.print(f"split {each}: {len(faults) or 'no'} faults")
    return SOME_FAILED if total else OK


def _crops(store: Store) -> pd.DataFrame:
    """Return the store's crops with sites, and with what tells one file under several patients."""
    return with_sites(with_fingerprints(store.crops, store.slides), store.slides)


def _show_folds(name: str, request: SplitRequest) -> None:
    """Say what the names of folds stand for, where numbers do not say it."""
    for number, site in enumerate(request.sites):
        out().print(f"{name}-{number} tests on site {site}")
    if request.repeats > 1:
        out().print(f"the same patients are dealt {request.repeats} times; the first is shown")


def _show_draws(labeled: LabeledRequest | None) -> None:
    if labeled is not None and labeled.draws > 1:
        out().print(f"labelled sets are drawn {labeled.draws} times; the first is shown")


def _show(
    store: Store, tables: Mapping[str, pd.DataFrame], paths: list[StoreRoot], classes: ClassMap
) -> None:
    console = out()
    first = next(iter(tables.values()))
    title = str(paths[0]) if len(paths) == 1 else f"{paths[0]} … {paths[-1].name}"
    first_repeat = {k: table for k, table in tables.items() if not _LATER_REPEAT.match(k)}
    console.print(summary(first_repeat, store.crops, title, classes))
    if classes:
        console.print(classes.text)
    excluded = int((first["subset"] == EXCLUDED).sum())
    if excluded:
        console.print(f"{excluded} crops are excluded, in no set")
    in_use = with_fingerprints(first[first["subset"] != EXCLUDED], store.slides)
    together = patient_groups(in_use)
    for group in together[:_SHOWN]:
        console.print(f"patients {group} share a slide's file: kept in one subset, counted as one")
    if len(together) > _SHOWN:
        console.print(f"and {len(together) - _SHOWN} more such groups")
    rest = store.crops[~store.crops["crop"].isin(first["crop"])]
    unlabeled = int(rest["label"].isna().sum())
    if unlabeled:
        console.print(f"{unlabeled} crops without a label are in no subset")
    if len(rest) > unlabeled:
        patients = rest["patient"][rest["label"].notna()].nunique()
        console.print(f"{len(rest) - unlabeled} labelled crops of {patients} patients are in none")
