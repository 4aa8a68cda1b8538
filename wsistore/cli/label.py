"""``wsistore label``: patients, labels and sites of stored slides, corrected."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from wsistore.cli.console import OK, SOME_FAILED, out
from wsistore.cli.label_lines import short_lines
from wsistore.cli.options import no_lock_option, store_argument
from wsistore.errors import StoreError
from wsistore.formatting import echo
from wsistore.slides import Label, StoredSlide, label_report, read_labels
from wsistore.tables import SlideRecord, read_records, read_settings

if TYPE_CHECKING:
    from wsistore.split import Fault
    from wsistore.storage import StoreRoot
    from wsistore.store import Change

_SHOWN = 3
"""Faults of a split that are named; ``split --check`` names all."""
_EXTENDABLE = {"label", "missing", "unknown"}


@click.command("label")
@store_argument
@click.option("--labels", "path", type=click.Path(path_type=Path), required=True,
              help="CSV: slide, patient, label[, id, site].")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Say what would change; write nothing.")
@no_lock_option
@click.pass_context
def label_command(
    ctx: click.Context, /, store: StoreRoot, path: Path, dry_run: bool, no_lock: bool
) -> None:
    """Correct patients, labels and sites of the slides in STORE, without reading a slide.

    A slide that no row names stays as it is. An empty cell clears: no label, or a slide of its
    own patient. Crops that were drawn with a class keep it. Each change is shown, old and new, and
    so is every split that no longer fits: no split is changed. The exit code is 1 if a row cannot
    be taken over, or a split no longer fits.

    \b
    Examples:
      wsistore label store --labels corrected.csv --dry-run
      wsistore label store --labels corrected.csv
    """
    from wsistore.store import apply_relabeling, plan_relabeling, stored_labels

    drawn = read_settings(store)["regions"] == "annotations"
    table = read_labels(path)
    records = read_records(store)
    given = stored_labels(records, table)
    slides = [StoredSlide.of(slide, record.slide.file) for slide, record in records.items()]
    report = label_report(slides, [given.get(slide, Label()) for slide in records], table)
    for line in short_lines(report, path, "in the store"):
        echo(line, err=True)
    relabeling = plan_relabeling(records, given, drawn)
    if not dry_run:
        apply_relabeling(store, relabeling, given, drawn, not no_lock)
    console = out()
    for change in relabeling.changes:
        console.print(_line(change))
    for file, reason in relabeling.refused.items():
        console.print(f"{file}: failed: {reason}")
    unfit = list(_unfit(store, relabeling.records))
    for line in unfit:
        console.print(line)
    crops = sum(change.crops for change in relabeling.changes)
    verb = "would change" if dry_run else "changed"
    console.print(f"{store}: {len(relabeling.changes)} slides {verb}, {crops} crops")
    ctx.exit(SOME_FAILED if relabeling.refused or unfit else OK)


def _line(change: Change) -> str:
    parts = [
        f"{name} {pair[0] or '(none)'!r} → {pair[1] or '(none)'!r}"
        for name, pair in (
            ("patient", change.patient),
            ("label", change.label),
            ("site", change.site),
        )
        if pair is not None
    ]
    kept = f"; {change.kept} with classes of their own keep them" if change.kept else ""
    return f"{change.file}: {', '.join(parts) or 'crops'}; {change.crops} crops{kept}"


def _unfit(store: StoreRoot, records: Mapping[str, SlideRecord]) -> Iterator[str]:
    """Yield a line for each split that has faults with these records."""
    import pandas as pd

    from wsistore.split import check_split, checkable

    crops = pd.DataFrame(
        [
            (
                crop.crop,
                slide,
                crop.patient,
                crop.label or None,
                record.slide.fingerprint,
                record.slide.site,
            )
            for slide, record in sorted(records.items())
            for crop in record.crops
        ],
        columns=["crop", "slide", "patient", "label", "fingerprint", "site"],
        dtype=object,
    )
    for name in checkable(store):
        faults = check_split(store, name, crops)
        if faults:
            texts = "; ".join(fault.text for fault in faults[:_SHOWN])
            more = f"; and {len(faults) - _SHOWN} more" if len(faults) > _SHOWN else ""
            yield f"split {name} does not fit: {texts}{more}; {_advice(store, name, faults)}"


def _advice(store: StoreRoot, name: str, faults: list[Fault]) -> str:
    from wsistore.split import read_record

    try:
        record = read_record(store, name)
    except StoreError:
        record = None  # which is one of the faults
    if record is None or record.request is None:
        return f"make it again with 'wsistore split --name {name} --from-csv FILE --overwrite'"
    if {fault.kind for fault in faults} <= _EXTENDABLE:
        return f"'wsistore split --name {name} --extend' takes the labels over"
    return f"make it again with 'wsistore split --name {name} --overwrite' and its options"
