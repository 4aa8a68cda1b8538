"""A slide opened, and the crops that it gives: all that comes before a level is made.

Builds and predictions both come by here, so that neither can find other crops than the other.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from wsistore.annotations import Cover
from wsistore.build.plan import open_planned
from wsistore.errors import SlideError
from wsistore.levels import Box, Level
from wsistore.readers import NativeLevels, Reader, seam_warning
from wsistore.regions import cover_of, find_annotated, find_regions
from wsistore.slides import fingerprint, slide_bytes
from wsistore.storage import layout
from wsistore.tables import CropRow, SlideRow

if TYPE_CHECKING:
    from wsistore.build.settings import BuildSettings, SlideTask


@dataclass(frozen=True)
class SlideCrops:
    """An open slide and its crops.

    Attributes:
        reader: the open slide; what was never scanned has the colour of its glass.
        vendor: its vendor levels, and which of them can stand for level 0.
        levels: those asked for, finest first.
        row: what is known of the slide, but for ``icc``.
        crops: in reading order.
        boxes: of the crops, in level-0 pixels.
        covers: what changes the pixels of each crop before they are downsampled, if anything does.
    """

    reader: Reader
    vendor: NativeLevels
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
        vendor = NativeLevels(reader)
        coarsest = plan.levels[-1]
        multiple = math.ceil(coarsest.factor)
        if settings.regions == "annotations":
            found = find_annotated(
                vendor, task.path, plan.mpp, multiple, task.annotations,
                settings.annotations, settings.tissue.mpp, task.slide,
            )  # fmt: skip
        else:
            found = find_regions(vendor, plan.mpp, multiple, settings.regions, settings.tissue)
        seams = seam_warning(reader)
        # what was never scanned gets the colour of what was scanned and is empty
        reader.fill = _rgb(found.glass)
        row = replace(
            task.row("ok" if found.regions else "empty"),
            reason="" if found.regions else task.said(found.none),
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
            warning=task.said(
                "; ".join(
                    (*plan.warnings, *vendor.notes, *((seams,) if seams else ()), *found.notes)
                )
            ),
            annotations=found.annotations,
            annotation_offset=task.annotations.offset_text if found.annotations else "",
        )
        for region in found.regions:
            if min(coarsest.size(region.box.width, region.box.height)) < 1:
                raise SlideError(
                    f"a region of {region.box.width} × {region.box.height} pixels has no whole "
                    f"pixel at {coarsest.name}; leave it out of --levels"
                )
        crops = tuple(
            CropRow(
                layout.crop_id(task.slide, number), task.slide, row.patient,
                region.label or row.label, **asdict(region.box), mpp=plan.mpp,
                tissue_mm2=region.tissue_mm2,
                annotation_class=region.label,
                annotation_name=region.annotation.name if region.annotation else "",
            )
            for number, region in enumerate(found.regions)
        )  # fmt: skip
        yield SlideCrops(
            reader,
            vendor,
            plan.levels,
            row,
            crops,
            tuple(region.box for region in found.regions),
            tuple(cover_of(region, found.glass, settings.annotations) for region in found.regions),
        )


def _rgb(color: str) -> tuple[int, int, int]:
    red, green, blue = bytes.fromhex(color.removeprefix("#"))
    return red, green, blue
