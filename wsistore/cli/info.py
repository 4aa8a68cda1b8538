"""``wsistore info``: what is in a store."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from wsistore.cli.console import out
from wsistore.cli.options import store_argument
from wsistore.formatting import echo_json, label_text, size_text

if TYPE_CHECKING:
    from rich.table import Table

    from wsistore.split import SplitInfo
    from wsistore.storage import StoreRoot
    from wsistore.store import Info, LevelInfo

_NAMED = 3
"""Slides named for each reason that they gave no crops."""


def _table(title: str, first: str, *columns: str) -> Table:
    from rich.table import Table

    table = Table(title=f"\n{title}", title_justify="left")
    table.add_column(first)
    for column in columns:
        table.add_column(column, justify="right")
    return table


def _pair(height: float, width: float) -> str:
    # without separators of thousands, so that the table fits 80 columns
    return f"{height:.0f} × {width:.0f}"


def sizes(levels: tuple[LevelInfo, ...]) -> Table:
    """Return the paper's Table 1; the largest height and width may be of two crops."""
    table = _table(
        "Sizes in pixels, height × width", "level", "crops", "median", "maximum", "IQR, height",
        "IQR, width",
    )  # fmt: skip
    for level in levels:
        cells = [""] * 4
        if level.height is not None and level.width is not None:
            h, w = level.height, level.width
            cells = [
                _pair(h.median, w.median), _pair(h.maximum, w.maximum),
                f"{h.q1:.0f}–{h.q3:.0f}", f"{w.q1:.0f}–{w.q3:.0f}",
            ]  # fmt: skip
        table.add_row(level.level, f"{level.crops:,}", *cells)
    return table


def scales(levels: tuple[LevelInfo, ...]) -> Table:
    """Return each level's true scale, its deviation from nominal, and its storage."""
    table = _table(
        "Scale in µm per pixel, and storage", "level", "nominal", "median", "deviation",
        "megapixels", "on disk", "of raw",
    )  # fmt: skip
    for level in levels:
        true = "" if level.mpp is None else f"{level.mpp.median:.4g}"
        spread = level.deviation
        deviation = "" if spread is None else f"{spread.minimum:+.1%} to {spread.maximum:+.1%}"
        known = level.unrecorded == 0
        table.add_row(
            level.level, f"{level.nominal_mpp:g}", true, deviation, f"{level.pixels / 1e6:,.2f}",
            size_text(level.bytes) if known else "unknown",
            f"{level.bytes / (3 * level.pixels):.0%}" if known and level.pixels else "",
        )  # fmt: skip
    return table


def split_table(split: SplitInfo) -> Table:
    """Return a split as the paper's Tables 2 to 4: patients and crops per class and set."""
    table = _table(f"Split {split.name}: patients / crops", "class", *split.subsets)
    for label, total in (*((name, False) for name in split.labels), (None, True)):
        row = [split.cell(subset, label, total=total) for subset in split.subsets]
        if total:
            table.add_section()
        name = "all" if total else label_text(label)
        table.add_row(name, *(f"{cell.patients:,} / {cell.crops:,}" for cell in row))
    notes = [split.classes.text] if split.classes else []
    if split.excluded:
        notes.append(f"{split.excluded:,} crops are excluded")
    table.caption, table.caption_justify = "; ".join(notes) or None, "left"
    return table


def _lines(info: Info) -> Iterator[str]:
    outcomes = ", ".join(f"{count:,} {name}" for name, count in info.outcomes.items())
    yield f"{info.store}: {sum(info.outcomes.values()):,} slides ({outcomes})"
    warned = f"; slides with a warning: {info.warnings:,}" if info.warnings else ""
    yield f"{info.crops:,} crops of {info.patients:,} patients{warned}"
    if info.slide_mpp is not None:
        sources = ", ".join(f"{n:,} from {source}" for source, n in info.mpp_sources.items())
        low, high = info.slide_mpp.minimum, info.slide_mpp.maximum
        yield f"resolution: {sources}; {low:.4g} to {high:.4g} µm per level-0 pixel"
    reasons: dict[tuple[str, str], list[str]] = defaultdict(list)
    for problem in info.problems:
        reasons[problem.outcome, problem.reason].append(problem.slide)
    for (outcome, reason), slides in reasons.items():
        named = ", ".join(slides[:_NAMED]) + (", …" if len(slides) > _NAMED else "")
        yield f"{len(slides):,} {outcome}: {reason} ({named})"
    yield from _duplicate_lines(info)


def _duplicate_lines(info: Info) -> Iterator[str]:
    for group in info.duplicates[:_NAMED]:
        named = ", ".join(f"{one.slide} (patient {one.patient})" for one in group)
        yield f"the same file under {len(group)} names: {named}"
    more = len(info.duplicates) - _NAMED
    if more > 0:
        yield f"and {more:,} more files under several names, see the warnings of slides.csv"


@click.command("info")
@store_argument
@click.option("--json", "as_json", is_flag=True, help="Write one JSON object.")
def info_command(store: StoreRoot, as_json: bool) -> None:
    """Show what STORE holds; reads its tables and no pixels.

    Outcomes with their reasons; where resolutions are from, and how far each level's true scale
    lies from nominal; sizes of crops (Table 1 of the paper); storage per level; patients and crops
    per class and set of every split (Tables 2 to 4).

    \b
    Examples:
      wsistore info store
      wsistore info store --json
    """
    from wsistore.store import Store

    info = Store(store).info()
    if as_json:
        echo_json(info.to_json())
        return
    console = out()
    for line in _lines(info):
        console.print(line)
    classes = _table("Classes", "class", "patients", "slides", "crops")
    for row in info.classes:
        classes.add_row(
            label_text(row.label), f"{row.patients:,}", f"{row.slides:,}", f"{row.crops:,}"
        )
    for table in (classes, sizes(info.levels), scales(info.levels), *map(split_table, info.splits)):
        console.print(table)
    missing = sum(level.unrecorded for level in info.levels)
    if missing:
        console.print(
            f"{missing:,} arrays were stored before their bytes were recorded; "
            "'wsistore build --overwrite' records them"
        )
    else:
        console.print(f"all levels: {size_text(sum(level.bytes for level in info.levels))}")
