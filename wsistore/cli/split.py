"""``wsistore split``: who trains, who validates, who tests, and who teaches without labels."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import pandas as pd

from wsistore.cli.console import OK, SOME_FAILED, out
from wsistore.cli.options import store_argument
from wsistore.cli.split_options import parse_aux, parse_counts, parse_fractions, summary
from wsistore.errors import StoreError, UsageError
from wsistore.slides import EXCLUDE_FLAG, MERGE_FLAG, ClassMap, parse_classes
from wsistore.split import (
    EXCLUDED,
    Record,
    SplitRequest,
    changed_since,
    check_split,
    checkable,
    extend_split,
    finish,
    make_split,
    patient_groups,
    read_record,
    read_split_csv,
    read_tables,
    save_splits,
    with_fingerprints,
)
from wsistore.storage import StoreRoot
from wsistore.store import Store

_SHOWN = 20
"""Faults of a refused CSV that the error names; ``--check`` names all."""


@click.command("split")
@store_argument
@click.option("--name", help="The split's name; with --check, every split if it is left out.")
@click.option("--fractions", metavar="T/V/T",
              help="Percent of each class for train/val/test.  [default: 70/15/15]")  # fmt: skip
@click.option("--counts", metavar="T/V/T", help="Patients of each class for train/val/test.")
@click.option("--patients-per-class", type=click.IntRange(1), metavar="N",
              help="Share out N patients of each class.  [default: all]")  # fmt: skip
@click.option("--dev", type=click.IntRange(1), metavar="N",
              help="N patients of each class apart, as subset dev.")  # fmt: skip
@click.option("--aux", metavar="N,N,…",
              help="Patients of nested unlabelled sets ADv1, ADv2, …, of the rest.")  # fmt: skip
@click.option("--folds", type=click.IntRange(2), metavar="K",
              help="K-fold: splits NAME-0 to NAME-(K-1), each tests on another.")  # fmt: skip
@click.option("--no-val", is_flag=True, help="With --folds: no fold validates.")
@click.option("--seed", type=int, help="Another seed, another split.  [default: 0]")
@click.option("--exclude-class", "exclude", multiple=True, metavar="NAME",
              help="Leave the crops of this class out; may be repeated.")  # fmt: skip
@click.option("--merge", multiple=True, metavar="A+B=C",
              help="Take classes together as one; may be repeated.")  # fmt: skip
@click.option("--from-csv", type=click.Path(path_type=Path), metavar="FILE",
              help="Your own split: crop, slide or patient, and subset.")  # fmt: skip
@click.option("--extend", is_flag=True, help="Take in what was added since; no patient moves.")
@click.option("--into", metavar="NAME", help="With --extend: keep the old split, write this one.")
@click.option("--check", is_flag=True, help="Name the faults of splits; write nothing.")
@click.option("--overwrite", is_flag=True, help="Replace a split of that name.")
@click.pass_context
def split_command(
    ctx: click.Context,
    /,
    store: StoreRoot,
    name: str | None,
    from_csv: Path | None,
    extend: bool,
    into: str | None,
    check: bool,
    exclude: tuple[str, ...],
    merge: tuple[str, ...],
    overwrite: bool,
    **asked: Any,
) -> None:
    """Split the patients of STORE, stratified by class.

    All crops of a patient fall into one subset. The same seed gives the same split, whatever the
    order of slides. Crops without a label are left out, except of --aux, which uses no label.

    \b
    Examples:
      wsistore split store --name main
      wsistore split store --name no-val --fractions 80/0/20 --seed 3
      wsistore split store --name celiac --patients-per-class 100 --dev 20 --aux 300,1004
      wsistore split store --name cv --folds 5
      wsistore split store --name lung --exclude-class benign --merge papillary+lepidic=other
      wsistore split store --name ours --from-csv ours.csv
      wsistore split store --name main --extend
      wsistore split store --check
      wsistore split s3://bucket/store --name main
    """
    request_flags = [
        f"--{key.replace('_', '-')}"
        for key, value in asked.items()
        if not (value is None or value is False)
    ]
    kinds = {"--extend": extend, "--from-csv": from_csv is not None and not check, "--check": check}
    chosen = [flag for flag, given in kinds.items() if given]
    if len(chosen) > 1 or (chosen and request_flags):
        raise UsageError(f"{' and '.join([*chosen, *request_flags])} do not go together")
    mapped = [flag for flag, given in ((EXCLUDE_FLAG, exclude), (MERGE_FLAG, merge)) if given]
    if mapped and (extend or (check and from_csv is None)):
        raise UsageError(
            f"{' and '.join(mapped)} do not go with {chosen[0]}: a split keeps the classes that it "
            "was made with"
        )
    if overwrite and (check or extend):
        raise UsageError(f"--overwrite has no meaning with {chosen[0]}")
    if into is not None and not extend:
        raise UsageError("--into needs --extend")
    opened = Store(store)
    known = {str(label) for label in opened.crops["label"].dropna()} if mapped else set()
    classes = parse_classes(exclude, merge, known, opened.url)
    if check:
        ctx.exit(_check(opened, name, from_csv, classes))
    if name is None:
        raise UsageError("--name is missing; give the split a name")
    if extend:
        _extend(opened, name, into or name)
    elif from_csv:
        _own(opened, name, from_csv, classes, overwrite)
    else:
        request = _request(asked)
        tables = make_split(_crops(opened), request, classes)
        paths = save_splits(store, name, tables, Record(request, classes), overwrite)
        _show(opened, tables, paths, classes)


def _request(asked: Mapping[str, Any]) -> SplitRequest:
    return SplitRequest(
        fractions=parse_fractions(asked["fractions"]) if asked["fractions"] is not None else None,
        counts=parse_counts(asked["counts"]) if asked["counts"] is not None else None,
        patients_per_class=asked["patients_per_class"],
        dev=asked["dev"] or 0,
        aux=parse_aux(asked["aux"]) if asked["aux"] is not None else (),
        folds=asked["folds"] or 0,
        fold_val=not asked["no_val"],
        seed=asked["seed"] or 0,
    )


def _extend(store: Store, name: str, into: str) -> None:
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
    again = Record(record.request, classes)
    paths = save_splits(store.root, into, tables, again, overwrite=into == name)
    _show(store, tables, paths, classes)
    before, after = next(iter(old.values())), next(iter(tables.values()))
    now, then = (one["patient"][one["subset"] != EXCLUDED] for one in (after, before))
    patients = now.nunique() - then.nunique()
    joined = before.merge(after, on="crop")
    both = joined["label_x"].notna() | joined["label_y"].notna()
    relabeled = int((both & (joined["label_x"] != joined["label_y"]).fillna(True)).sum())
    if relabeled:
        out().print(f"{relabeled} crops have another label than before, as in the store")
    out().print(f"{patients} patients and {len(after) - len(before)} crops more than before")


def _own(store: Store, name: str, file: Path, classes: ClassMap, overwrite: bool) -> None:
    table, faults, empty, notes = read_split_csv(file, store.crops, store.slides, classes)
    for note in notes:
        out().print(f"{file}: {note}")
    if faults:
        texts = [fault.text for fault in faults]
        more = len(texts) - _SHOWN
        rest = f"; and {more} more, see --check --from-csv {file}" if more > 0 else ""
        raise UsageError(f"--from-csv {file}: {'; '.join(texts[:_SHOWN])}{rest}")
    source = {"file": file.name, "sha256": hashlib.sha256(file.read_bytes()).hexdigest()}
    record = Record(None, classes, source)
    paths = save_splits(store.root, name, {"": table}, record, overwrite)
    _show(store, {"": table}, paths, classes)
    if empty:
        out().print(f"{file}: the store has no crop of {', '.join(empty)}")


def _check(store: Store, name: str | None, file: Path | None, classes: ClassMap) -> int:
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
    """Return the store's crops with what tells that one file is there under several patients."""
    return with_fingerprints(store.crops, store.slides)


def _show(
    store: Store, tables: Mapping[str, pd.DataFrame], paths: list[StoreRoot], classes: ClassMap
) -> None:
    console = out()
    first = next(iter(tables.values()))
    title = str(paths[0]) if len(paths) == 1 else f"{paths[0]} … {paths[-1].name}"
    console.print(summary(tables, store.crops, title, classes))
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
