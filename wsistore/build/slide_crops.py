"""An open slide and its crops: all that happens before a level is made.

Build and prediction both use this module, so that both find the same crops.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from wsistore.annotations import Cover
from wsistore.build.plan import SlidePlan, open_planned
from wsistore.errors import SlideError, shortened
from wsistore.levels import Box, Level
from wsistore.readers import NativeLevels, Reader, seam_warning
from wsistore.regions import Regions, cover_of, find_annotated, find_regions
from wsistore.slides import fingerprint, slide_bytes
from wsistore.storage import layout
from wsistore.tables import CropRow, SlideRow

if TYPE_CHECKING:
    from wsistore.build.settings import BuildSettings, SlideTask


@dataclass(frozen=True)
class SlideCrops:
    """An open slide and its crops.

    Attributes:
        reader: the open slide; what was never scanned has the color of its glass.
        native: its levels in the file, and which of them can stand for level 0.
        levels: those asked for, finest first.
        row: what is known of the slide, but for ``icc``.
        crops: in reading order.
        boxes: of the crops, in level-0 pixels.
        covers: what changes the pixels of each crop before they are downsampled, if anything does.
    """

    reader: Reader
    native: NativeLevels
    levels: tuple[Level, ...]
    row: SlideRow
    crops: tuple[CropRow, ...]
    boxes: tuple[Box, ...]
    covers: tuple[Cover | None, ...]


@contextmanager
def open_slide_crops(
    task: SlideTask, settings: BuildSettings, names: tuple[str, ...] | None = None
) -> Iterator[SlideCrops]:
    """Open a slide, decide its levels and find its crops; close it at the end.

    Args:
        task: the slide.
        settings: what decides the crops.
        names: canonical names of the levels that are wanted, finest first; all by default. The
            coarsest of the settings must be among them: boxes are grown to a multiple of it.

    Raises:
        SlideError: the slide fails.
        OSError: a file cannot be read.
    """
    reader, plan = open_planned(
        task.path,
        names or settings.levels,
        task.given_mpp,
        settings.exact_mpp,
        task.reader,
        settings.apply_icc,
    )
    with reader:
        native = NativeLevels(reader)
        found = _regions(task, settings, native, plan)
        seams = seam_warning(reader)
        # what was never scanned gets the color of what was scanned and is empty
        reader.fill = _rgb(found.glass)
        warnings = (*plan.warnings, *native.notes, *((seams,) if seams else ()), *found.notes)
        row = _slide_row(task, plan, found, "; ".join(map(shortened, warnings)))
        _require_whole_pixels(found, plan.levels[-1])
        yield SlideCrops(
            reader,
            native,
            plan.levels,
            row,
            tuple(_crop_rows(row, found, plan.mpp)),
            tuple(region.box for region in found.regions),
            tuple(cover_of(region, found.glass, settings.annotations) for region in found.regions),
        )


def _regions(
    task: SlideTask, settings: BuildSettings, native: NativeLevels, plan: SlidePlan
) -> Regions:
    """Find a slide's regions as the settings say; boxes grow to whole pixels of the coarsest."""
    multiple = math.ceil(plan.levels[-1].factor)
    if settings.regions != "annotations":
        return find_regions(native, plan.mpp, multiple, settings.regions, settings.tissue)
    return find_annotated(
        native, task.path, plan.mpp, multiple, task.annotations,
        settings.annotations, settings.tissue.mpp, task.slide,
    )  # fmt: skip


def _slide_row(task: SlideTask, plan: SlidePlan, found: Regions, warning: str) -> SlideRow:
    return replace(
        task.row("ok" if found.regions else "empty"),
        reason="" if found.regions else task.said(found.empty_reason),
        bytes=slide_bytes(task.path),
        fingerprint=fingerprint(task.path),
        reader=plan.reader,
        vendor=plan.vendor,
        width=plan.width,
        height=plan.height,
        mpp=plan.mpp,
        mpp_source=plan.mpp_source,
        objective_power=plan.objective_power,
        crops=len(found.regions),
        glass=found.glass,
        warning=task.said(warning),
        annotations=found.annotations,
        annotation_offset=task.annotations.offset_text if found.annotations else "",
    )


def _crop_rows(slide: SlideRow, found: Regions, mpp: float) -> Iterator[CropRow]:
    for number, region in enumerate(found.regions):
        yield CropRow(
            layout.crop_id(slide.slide, number), slide.slide, slide.patient,
            region.label or slide.label, **asdict(region.box), mpp=mpp,
            tissue_mm2=region.tissue_mm2,
            annotation_class=region.label,
            annotation_name=region.annotation.name if region.annotation else "",
        )  # fmt: skip


def _require_whole_pixels(found: Regions, coarsest: Level) -> None:
    for region in found.regions:
        if min(coarsest.size(region.box.width, region.box.height)) < 1:
            raise SlideError(
                f"a region of {region.box.width} × {region.box.height} pixels has no whole "
                f"pixel at {coarsest.name}; leave it out of --levels"
            )


def _rgb(color: str) -> tuple[int, int, int]:
    red, green, blue = bytes.fromhex(color.removeprefix("#"))
    return red, green, blue
