"""Sampled tiles of a slide's levels, derived from the slide anew and compared bit for bit."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import zarr

from wsistore.annotations import AnnotationSource
from wsistore.errors import SlideError
from wsistore.levels import Level
from wsistore.readers import Reader, open_slide
from wsistore.regions import AnnotationSettings, Region, annotation_regions
from wsistore.slides import fingerprint
from wsistore.storage import layout
from wsistore.tables import SlideRecord, SlideRow
from wsistore.verify.findings import Check, rebuild_hint
from wsistore.verify.slide.expected import box_of
from wsistore.verify.slide.reference import derive, tile_at, tiles_across
from wsistore.verify.slide.reference_slide import ReferenceSlide


class NotComparedError(Exception):
    """The slide at hand cannot serve; the message says why. It says nothing about the store."""


def compare(
    store: Path,
    record: SlideRecord,
    levels: Sequence[Level],
    whole: Sequence[bool],
    source: ReferenceSlide,
    check: Check,
) -> None:
    """Compare sampled tiles of all whole levels with the slide.

    Args:
        store: its folder.
        record: the slide's rows.
        levels: finest first.
        whole: which rows of ``record.levels`` had no fault; others are left out.
        source: the slide and the sample.
        check: takes faults, and how many tiles were compared.
    """
    row = record.slide
    try:
        with ExitStack() as stack:
            reader = stack.enter_context(_open(row, source))
            regions = _regions(record, levels, source, check)
            for crop, number, tile in _sample(record, levels, whole, source):
                level = levels[number]
                part = f"{layout.SLIDES}/{record.crops[crop].crop}/{level.name}"
                height, width = _size(record, crop, number, len(levels))
                place = tile_at(tile, height, width, level.factor)
                region = regions[crop] if regions else None
                box = box_of(record.crops[crop])
                wanted = derive(reader, box, level.factor, place, region, reader.fill)
                array = zarr.open_array(store=str(store / part), mode="r")
                pixels = np.asarray(
                    array[:, place.top : place.bottom, place.left : place.right]
                ).transpose(1, 2, 0)
                check.tiles[level.name] = check.tiles.get(level.name, 0) + 1
                error = np.abs(pixels.astype(int) - wanted)
                if error.any():
                    what = (
                        f"pixels from y {place.top}, x {place.left} ({error.shape[0]} × "
                        f"{error.shape[1]}) are not the slide's: {int(error.any(axis=2).sum())} "
                        f"differ, by up to {int(error.max())}"
                    )
                    check.fault(part, what, rebuild_hint(row.file))
    except (NotComparedError, SlideError, OSError) as error:
        check.not_compared = str(error)


def _open(row: SlideRow, source: ReferenceSlide) -> Reader:
    """Open the slide as the build did.

    Raises:
        NotComparedError: it is another file, or its size is not the recorded one.
        SlideError, OSError: it cannot be opened.
    """
    if fingerprint(source.path) != row.fingerprint:
        raise NotComparedError(f"{source.path} is another file than the one that was stored")
    reader = open_slide(source.path, row.reader)
    if reader.level_sizes[0] != (row.width, row.height):
        reader.close()
        raise NotComparedError(
            f"{row.reader} reads {source.path} as {reader.level_sizes[0]} pixels, not as recorded"
        )
    if source.settings["apply_icc"]:
        reader.apply_icc()
    red, green, blue = bytes.fromhex(row.glass.removeprefix("#"))
    reader.fill = (red, green, blue)
    return reader


def _regions(
    record: SlideRecord, levels: Sequence[Level], source: ReferenceSlide, check: Check
) -> tuple[Region, ...]:
    """Return the drawn regions whose outside is glass, one a crop; nothing where pixels are kept.

    Raises:
        NotComparedError: the annotation file is another, or does not give the stored boxes.
        SlideError, OSError: it cannot be found or read.
    """
    row, settings = record.slide, source.settings
    if settings["regions"] != "annotations" or settings["annotations"]["outside"] == "keep":
        return ()
    text = row.annotation_offset
    x, y = (int(part) for part in text.split(",")) if text else (0, 0)
    drawn, digest = AnnotationSource(source.annotations).read(source.path, row.slide)
    if digest != row.annotations:
        raise NotComparedError("its annotation file changed since it was stored")
    regions, _ = annotation_regions(
        [annotation.shifted(x, y) for annotation in drawn.regions], (row.width, row.height),
        row.mpp, math.ceil(levels[-1].factor), AnnotationSettings(**settings["annotations"]),
    )  # fmt: skip
    if [region.box for region in regions] != [box_of(crop) for crop in record.crops]:
        what = "its crops' boxes are not those that its annotation file gives"
        check.fault(f"{layout.SLIDES}/{row.slide}/zarr.json", what, rebuild_hint(row.file))
        raise NotComparedError("its crops do not match its annotation file")
    return regions


def _size(record: SlideRecord, crop: int, number: int, levels: int) -> tuple[int, int]:
    row = record.levels[crop * levels + number]
    return row.height, row.width


def _sample(
    record: SlideRecord, levels: Sequence[Level], whole: Sequence[bool], source: ReferenceSlide
) -> list[tuple[int, int, int]]:
    """Return (crop, level, tile) by their numbers, drawn per level, from top to bottom.

    The draw depends on the seed, the slide and the level alone; every tile is as likely.
    """
    drawn = []
    for number, level in enumerate(levels):
        counts = []
        for crop in range(len(record.crops)):
            size = _size(record, crop, number, len(levels))
            tiles = math.prod(tiles_across(side, level.factor) for side in size)
            counts.append(tiles if whole[crop * len(levels) + number] else 0)
        ends = np.cumsum(counts)
        total = int(ends[-1]) if counts else 0
        key = f"{source.seed}\0{record.slide.slide}\0{level.name}".encode()
        rng = np.random.default_rng(int.from_bytes(hashlib.sha256(key).digest()))
        for tile in rng.choice(total, min(source.sample, total), replace=False).tolist():
            crop = int(np.searchsorted(ends, tile, side="right"))
            drawn.append((crop, number, tile - int(ends[crop]) + counts[crop]))
    # flat images are decoded from the top, so whoever goes up starts again
    return sorted(drawn, key=lambda d: _top(record, levels, *d))


def _top(record: SlideRecord, levels: Sequence[Level], crop: int, number: int, tile: int) -> float:
    """Return the level-0 row of the slide at which a tile begins."""
    factor = levels[number].factor
    place = tile_at(tile, *_size(record, crop, number, len(levels)), factor)
    return record.crops[crop].y + place.top * factor
