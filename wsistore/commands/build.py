"""``wsistore build``: slides in, a store of tissue crops out."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click

from wsistore.build import Result, build
from wsistore.commands.options import (
    apply_icc_option,
    exact_mpp_option,
    labels_option,
    levels_option,
    mpp_option,
    reader_option,
)
from wsistore.console import OK, SOME_FAILED, out, progress
from wsistore.find import find_slides
from wsistore.ingest import BuildSettings
from wsistore.labels import read_labels
from wsistore.magnification import parse_levels
from wsistore.regions import REGION_KINDS
from wsistore.tissue import TissueSettings


def _line(result: Result) -> str:
    row = result.record.slide
    if row.outcome == "failed":
        return f"{row.file}: failed: {row.reason}"
    if result.stored_before:
        return f"{row.file}: stored before"
    text = f"{row.file}: {row.outcome}, {row.crops} crops, {row.mpp:g} µm/px ({row.mpp_source})"
    return f"{text}; {row.warning}" if row.warning else text


@click.command("build")
@click.argument("slides", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", "store", required=True, type=click.Path(path_type=Path), help="The store.")
@labels_option
@levels_option
@exact_mpp_option
@click.option(
    "--regions", type=click.Choice(REGION_KINDS), default="tissue", show_default=True,
    help="One crop per piece of tissue, or the whole slide.",
)  # fmt: skip
@click.option("--min-area", type=float, default=TissueSettings.min_area_mm2, show_default=True,
              help="Smallest piece of tissue to keep, in mm².")  # fmt: skip
@mpp_option
@reader_option
@apply_icc_option
@click.option("--workers", type=click.IntRange(1), help="Processes.  [default: one per core]")
@click.option("--overwrite", is_flag=True, help="Store again slides that are in the store.")
@click.pass_context
def build_command(
    ctx: click.Context,
    slides: tuple[Path, ...],
    store: Path,
    labels: Path | None,
    levels: str,
    exact_mpp: bool,
    regions: str,
    min_area: float,
    mpp: float | None,
    reader: str,
    apply_icc: bool,
    workers: int | None,
    overwrite: bool,
) -> None:
    """Store the tissue of SLIDES (files or folders) as multiscale crops.

    Every level is a Lanczos-3 downsampling taken straight from the slide's own pixels. One bad
    slide does not stop the others: it is named, and the exit code is 1. Slides already in the
    store are left as they are, so the same command finishes an interrupted build.

    \b
    Examples:
      wsistore build slides/ --out store --labels labels.csv
      wsistore build a.svs b.svs --out store --levels 5x,1.25x
      wsistore build old.tif --out store --mpp 0.25
    """
    settings = BuildSettings(
        parse_levels(levels), exact_mpp, regions, TissueSettings(min_area_mm2=min_area), apply_icc
    )
    files = find_slides(slides)
    table = read_labels(labels) if labels else {}
    known = {name for file in files for name in (file.name, file.stem)}
    unused = [name for name in table if name not in known]
    if unused:
        click.echo(f"{labels}: {len(unused)} rows name slides not given ({unused[0]}, …)", err=True)
    results = build(files, store, settings, table, mpp, workers, overwrite, reader)
    outcomes: Counter[str] = Counter()
    crops = 0
    for result in progress(results, len(files), "slides", _line):
        outcomes[result.record.slide.outcome] += 1
        crops += result.record.slide.crops
    total = ", ".join(f"{outcomes[name]} {name}" for name in ("ok", "empty", "failed"))
    out().print(f"{store}: {sum(outcomes.values())} slides ({total}), {crops} crops")
    ctx.exit(SOME_FAILED if outcomes["failed"] else OK)
