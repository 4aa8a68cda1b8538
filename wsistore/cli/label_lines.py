"""What ``plan`` says of a labels table; ``build`` and ``label`` say it in short."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from wsistore.formatting import label_text
from wsistore.slides import LabelReport, Unmatched, slides_text

if TYPE_CHECKING:
    from rich.table import Table

_SHOWN = 3
"""Names of a kind that the short form has."""


def class_table(report: LabelReport, path: Path) -> Table:
    """Return classes with their patients and slides; a patient may be in several."""
    from rich.table import Table  # here: a build shows none

    made = Table(title=f"\n{path}: slides by class", title_justify="left")
    made.add_column("class")
    for title in ("patients", "slides"):
        made.add_column(title, justify="right")
    for row in report.classes:
        made.add_row(label_text(row.label), f"{row.patients:,}", f"{row.slides:,}")
    made.add_section()
    total = sum(row.slides for row in report.classes)
    made.add_row("all", f"{report.patients:,}", f"{total:,}")
    return made


def all_lines(report: LabelReport, path: Path) -> Iterator[str]:
    """Yield a line for each row and each slide that does not match, and each warning."""
    for row in report.rows:
        named = f"{path}: line {row.line} names {row.name!r}"
        yield f"{named}, which is none of the slides given{_near(row)}"
    for slide in report.slides:
        yield f"{path}: no row names {slide.name}{_near(slide)}"
    if report.unknown_patients:
        count = slides_text(report.unknown_patients)
        yield f"{path}: {count} no patient there and will be taken as a patient of their own each"
    yield from (f"{path}: {warning}" for warning in report.warnings)


def short_lines(report: LabelReport, path: Path, among: str = "given") -> Iterator[str]:
    """Yield at most a line for the rows, one for the slides, and the warnings.

    Args:
        report: what was found.
        path: the table.
        among: what the slides are: given, or in the store.
    """
    if report.rows:
        count, first = len(report.rows), _first(report.rows)
        what = "row names a slide" if count == 1 else "rows name slides"
        yield f"{path}: {count:,} {what} not {among} ({first})"
    if report.slides:
        yield f"{path}: {slides_text(len(report.slides))} no row ({_first(report.slides)})"
    yield from (f"{path}: {warning}" for warning in report.warnings)


def _first(found: Sequence[Unmatched]) -> str:
    # those that have something near come first: they are the likely mistakes
    ordered = sorted(found, key=lambda one: not one.near)[:_SHOWN]
    named = "; ".join(
        one.name + (f", near {' and '.join(one.near[:_SHOWN])}" if one.near else "")
        for one in ordered
    )
    return named + ("; …" if len(found) > _SHOWN else "")


def _near(one: Unmatched) -> str:
    return f"; is it {' or '.join(map(repr, one.near[:_SHOWN]))}?" if one.near else ""
