"""``wsistore build``: slides in, a store of tissue crops out."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from wsistore.annotations import AnnotationSource
from wsistore.build import BuildSettings, Result, build, with_stored_tissue_method
from wsistore.cli.console import OK, SOME_FAILED, out, progress
from wsistore.cli.label_lines import short_lines
from wsistore.cli.options import (
    apply_icc_option,
    exact_mpp_option,
    id_option,
    labels_option,
    levels_option,
    mpp_option,
    no_lock_option,
    reader_option,
    storage_option,
    timeout_option,
)
from wsistore.errors import UsageError
from wsistore.formatting import echo
from wsistore.levels import parse_levels
from wsistore.regions import OUTSIDE_KINDS, REGION_KINDS, AnnotationSettings, TissueSettings
from wsistore.slides import find_slides, label_report, match_labels, read_labels, slide_text
from wsistore.storage import open_root


def _line(result: Result) -> str:
    row = result.record.slide
    name = slide_text(row.slide, row.file)
    if row.outcome == "failed":
        return f"{name}: failed: {row.reason}"
    if result.stored_before:
        return "; ".join(filter(None, (f"{name}: stored before", result.same_file)))
    text = f"{name}: {row.outcome}, {row.crops} crops, {row.mpp:g} µm/px ({row.mpp_source})"
    return "; ".join(filter(None, (text, row.warning, result.same_file)))


def _region_settings(
    regions: str, min_area: float, margin: float | None, outside: str | None
) -> tuple[TissueSettings, AnnotationSettings]:
    """Return the settings of both kinds of regions; options reach the one that is in use."""
    if margin is not None and regions == "whole":
        raise UsageError("--margin has no meaning with --regions whole")
    if margin is not None and not (math.isfinite(margin) and margin >= 0):
        raise UsageError(f"--margin {margin:g} is not a width in µm")
    if outside is not None and regions != "annotations":
        raise UsageError("--outside needs --regions annotations")
    if not (math.isfinite(min_area) and min_area >= 0):
        raise UsageError(f"--min-area {min_area:g} is not an area in mm²")
    tissue = TissueSettings(min_area_mm2=min_area)
    drawn = AnnotationSettings(outside=outside or AnnotationSettings.outside)
    if margin is not None and regions == "tissue":
        tissue = replace(tissue, margin_um=margin)
    elif margin is not None:
        drawn = replace(drawn, margin_um=margin)
    return tissue, drawn


def _annotation_source(regions: str, folder: Path | None, offset: str | None) -> AnnotationSource:
    """Return where annotations are, from the options."""
    for name, value in (("--annotations", folder), ("--annotation-offset", offset)):
        if value is not None and regions != "annotations":
            raise UsageError(f"{name} needs --regions annotations")
    if folder is not None and not folder.is_dir():
        raise UsageError(f"--annotations {folder}: is no folder")
    try:
        x, y = (int(part) for part in offset.split(",")) if offset is not None else (0, 0)
    except ValueError as error:
        raise UsageError(
            f"--annotation-offset {offset!r} is not X,Y: two whole numbers of level-0 pixels"
        ) from error
    return AnnotationSource(folder, (x, y))


@click.command("build")
@click.argument("slides", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", "place", required=True, metavar="STORE",
              help="The store: a folder, or a URL such as s3://bucket/store.")  # fmt: skip
@storage_option
@labels_option
@id_option
@levels_option
@exact_mpp_option
@click.option(
    "--regions", type=click.Choice(REGION_KINDS), default="tissue", show_default=True,
    help="One crop per piece of tissue, the whole slide, or one crop per annotation.",
)  # fmt: skip
@click.option("--min-area", type=float, default=TissueSettings.min_area_mm2, show_default=True,
              help="Smallest piece of tissue to keep, in mm².")  # fmt: skip
@click.option(
    "--margin", type=float,
    help="Kept around a region, in µm.  [default: 32 for tissue, 0 for annotations]",
)  # fmt: skip
@click.option(
    "--annotations", "folder", type=click.Path(path_type=Path),
    help="Folder of annotation files (SLIDE.geojson, .json, .xml, .annotations).  "
    "[default: beside each slide]",
)  # fmt: skip
@click.option("--annotation-offset", "offset", metavar="X,Y",
              help="Level-0 pixels added to the coordinates of annotations.")  # fmt: skip
@click.option(
    "--outside", type=click.Choice(OUTSIDE_KINDS),
    help="Pixels outside an annotation: as they are, or glass.  [default: keep]",
)  # fmt: skip
@mpp_option
@reader_option
@apply_icc_option
@click.option("--workers", type=click.IntRange(1), help="Processes.  [default: one per core]")
@click.option("--scheduler", metavar="ADDRESS",
              help="Dask scheduler whose workers do the work.")  # fmt: skip
@timeout_option
@click.option("--overwrite", is_flag=True, help="Store again slides that are in the store.")
@no_lock_option
@click.pass_context
def build_command(
    ctx: click.Context,
    slides: tuple[Path, ...],
    place: str,
    storage: dict[str, Any],
    labels: Path | None,
    rule: str,
    levels: str,
    exact_mpp: bool,
    regions: str,
    min_area: float,
    margin: float | None,
    folder: Path | None,
    offset: str | None,
    outside: str | None,
    mpp: float | None,
    reader: str,
    apply_icc: bool,
    workers: int | None,
    scheduler: str | None,
    timeout: float,
    overwrite: bool,
    no_lock: bool,
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
      wsistore build scanner1/ scanner2/ --out store --id relative-path
      wsistore build slides/ --out s3://bucket/store
      wsistore build slides/ --out store --regions annotations --annotations drawn/
      wsistore build slides/ --out store --scheduler tcp://login1:8786
    """
    if workers is not None and scheduler is not None:
        raise UsageError("--workers and --scheduler exclude each other; the cluster has its own")
    limited = ctx.get_parameter_source("timeout") is not ParameterSource.DEFAULT
    if limited and scheduler is not None:
        raise UsageError(
            "--timeout and --scheduler exclude each other; a cluster's slides have none"
        )
    store = open_root(place, storage)
    tissue, drawn = _region_settings(regions, min_area, margin, outside)
    settings = BuildSettings(parse_levels(levels), exact_mpp, regions, tissue, drawn, apply_icc)
    begun = with_stored_tissue_method(store, settings).tissue.method
    if regions == "tissue" and begun != settings.tissue.method:
        echo(
            f"{store}: tissue is found by {begun}, as in this store so far, not by "
            f"{settings.tissue.method}", err=True,
        )  # fmt: skip
    source = _annotation_source(regions, folder, offset)
    table = read_labels(labels) if labels else None
    files = find_slides(slides, rule, table)
    if labels is not None and table is not None:
        given = match_labels(files, table)
        for line in short_lines(label_report(files, given, table), labels):
            echo(line, err=True)
    results = build(
        files, store, settings, table, mpp, workers, overwrite, source, reader, scheduler,
        lock=not no_lock, timeout=timeout,
    )  # fmt: skip
    outcomes: Counter[str] = Counter()
    crops = 0
    for result in progress(results, len(files), "slides", _line):
        outcomes[result.record.slide.outcome] += 1
        crops += result.record.slide.crops
    total = ", ".join(f"{outcomes[name]} {name}" for name in ("ok", "empty", "failed"))
    out().print(f"{store}: {sum(outcomes.values())} slides ({total}), {crops} crops")
    ctx.exit(SOME_FAILED if outcomes["failed"] else OK)
