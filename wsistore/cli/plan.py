"""``wsistore plan``: what a build would do, before any pixel is read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from wsistore.build import SlidePlan, plan_slides
from wsistore.cli.console import OK, SOME_FAILED, out
from wsistore.cli.label_lines import all_lines, class_table
from wsistore.cli.options import (
    apply_icc_option,
    exact_mpp_option,
    id_option,
    labels_option,
    levels_option,
    mpp_option,
    reader_option,
    timeout_option,
)
from wsistore.formatting import echo_json
from wsistore.levels import parse_levels
from wsistore.slides import (
    LabelReport,
    find_slides,
    label_report,
    match_labels,
    read_labels,
    slide_text,
)

if TYPE_CHECKING:
    from rich.table import Table


def table(plans: Sequence[SlidePlan]) -> Table:
    """Return one row a slide: reader, size, resolution, factors with their deviations."""
    from rich.table import Table

    made = Table()
    for title in ("slide", "reader", "pixels", "µm/px", "level: factor, deviation"):
        made.add_column(title, overflow="fold")
    for plan in plans:
        name = slide_text(plan.slide, plan.file)
        if plan.error:
            made.add_row(name, "fails")
            continue
        levels = "\n".join(
            f"{level.name}: {level.factor:g}, {level.deviation:+.1%}" for level in plan.levels
        )
        size = f"{plan.width} × {plan.height}"
        made.add_row(
            slide_text(plan.slide, plan.file),
            plan.reader,
            size,
            f"{plan.mpp:g}\n({plan.mpp_source})",
            levels,
        )
    return made


def _json(plans: Sequence[SlidePlan], report: LabelReport | None) -> object:
    slides = [plan.to_json() for plan in plans]
    return slides if report is None else {"slides": slides, "labels": report.to_json()}


@click.command("plan")
@click.argument("slides", nargs=-1, required=True, type=click.Path(path_type=Path))
@labels_option
@id_option
@levels_option
@exact_mpp_option
@mpp_option
@reader_option
@apply_icc_option
@timeout_option
@click.option(
    "--json", "as_json", is_flag=True,
    help="Write JSON: a list, one object a slide; with --labels an object of that list, 'slides', "
    "and 'labels'.",
)  # fmt: skip
@click.pass_context
def plan_command(
    ctx: click.Context,
    slides: tuple[Path, ...],
    labels: Path | None,
    rule: str,
    levels: str,
    exact_mpp: bool,
    mpp: float | None,
    reader: str,
    apply_icc: bool,
    timeout: float,
    as_json: bool,
) -> None:
    """Show what 'wsistore build' with the same options would do with SLIDES; reads no pixels.

    For each slide: who reads it, its size, its µm per pixel and where that is from, the factor of
    each level and how far it lies from nominal, warnings, or the error it would end with. With
    --labels also: classes and patients, every row that names no slide, every slide without a row,
    with what is spelled nearly alike, and words such as NA that are taken as names. The exit code
    is 0 if all would be built and 1 if some would fail. What only pixels tell (a damaged
    tile, a slide without tissue) is not foreseen.

    \b
    Examples:
      wsistore plan slides/
      wsistore plan slides/ --labels labels.csv --levels 5x,1.25x --json
    """
    names = parse_levels(levels)
    known = read_labels(labels) if labels else None
    files = find_slides(slides, rule, known)
    given = match_labels(files, known or {})
    report = label_report(files, given, known) if known is not None else None
    sizes = [mpp if label.mpp is None else label.mpp for label in given]
    pairs = list(zip(files, sizes, strict=True))
    plans = plan_slides(pairs, names, exact_mpp, reader, apply_icc, timeout)
    failed = [plan for plan in plans if plan.error]
    console = out()
    if as_json:
        echo_json(_json(plans, report))
    else:
        console.print(table(plans))
        for plan in plans:
            for warning in plan.warnings:
                console.print(f"{slide_text(plan.slide, plan.file)}: {warning}")
        for plan in failed:
            console.print(f"{slide_text(plan.slide, plan.file)}: fails: {plan.error}")
        if labels is not None and report is not None:
            console.print(class_table(report, labels))
            for line in all_lines(report, labels):
                console.print(line)
        console.print(f"{len(plans) - len(failed)} would be built, {len(failed)} would fail")
    ctx.exit(SOME_FAILED if failed else OK)
