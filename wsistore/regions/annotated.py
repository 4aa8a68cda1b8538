"""From annotations to the boxes of crops: one box each, whatever they overlap."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path

from wsistore.annotations import Annotation, AnnotationSource, Cover, glass_outside
from wsistore.errors import SlideError
from wsistore.levels import Box, snap
from wsistore.readers import NativeLevels
from wsistore.regions.glass import glass_color
from wsistore.regions.region import Region, Regions, hex_color
from wsistore.regions.settings import AnnotationSettings
from wsistore.regions.thumbnail import read_thumbnail


def annotation_regions(
    annotations: Iterable[Annotation],
    size: tuple[int, int],
    mpp: float,
    coarsest_factor: int,
    settings: AnnotationSettings,
) -> tuple[tuple[Region, ...], tuple[str, ...]]:
    """Return the crops that annotations ask for, and notes on those that reach off the slide.

    Args:
        annotations: in level-0 pixels of the slide.
        size: the slide's (width, height) in level-0 pixels.
        mpp: µm per level-0 pixel.
        coarsest_factor: box sides become multiples of it where the slide has room.
        settings: see there.

    Returns:
        Regions in reading order (the file's order where boxes are equal), and sentences.

    Raises:
        SlideError: an annotation lies wholly outside the slide.
    """
    width, height = size
    margin = round(settings.margin_um / mpp)
    found = []
    partly = 0
    for annotation in annotations:
        left, top, right, bottom = annotation.bounds
        x, y = math.floor(left), math.floor(top)
        drawn = Box(x, y, max(math.ceil(right) - x, 1), max(math.ceil(bottom) - y, 1))
        inside = drawn.clipped(width, height)
        if 0 in (inside.width, inside.height):
            raise SlideError(
                f"{_called(annotation)} from x {x}, y {y} lies outside its {width} × {height} "
                "pixels; is it of another slide, or does --annotation-offset have to move it?"
            )
        # less than a pixel beyond the border is rounding
        partly += left < -1 or top < -1 or right > width + 1 or bottom > height + 1
        box = snap(drawn.grown(margin).clipped(width, height), coarsest_factor, width, height)
        found.append(Region(box, None, annotation.label, annotation))
    found.sort(key=lambda r: (r.box.y, r.box.x, r.box.width, r.box.height))
    notes = (
        (f"{partly} × annotation reaches off the slide and is cut there; see --annotation-offset",)
        if partly
        else ()
    )
    return tuple(found), notes


def find_annotated(
    levels: NativeLevels,
    slide: Path,
    mpp: float,
    coarsest_factor: int,
    source: AnnotationSource,
    settings: AnnotationSettings,
    glass_mpp: float,
    name: str = "",
) -> Regions:
    """Return the crops that a slide's annotation file asks for.

    Args:
        levels: of the open slide.
        slide: its file, whose name the annotation file shares.
        mpp: µm per level-0 pixel.
        coarsest_factor: box sides become multiples of it where the slide has room.
        source: where the file is, and how far its coordinates are to be moved.
        settings: how annotations become crops.
        glass_mpp: µm per pixel of the image that the colour of the glass is taken from.
        name: the slide's id; by default its name.

    Raises:
        SlideError: the file is missing, ambiguous or damaged, an annotation lies off the slide, or
            the slide's pixels cannot be decoded.
        OSError: the file cannot be read.
    """
    drawn, digest = source.read(slide, name)
    regions, notes = annotation_regions(
        [annotation.shifted(*source.offset) for annotation in drawn.regions],
        levels.reader.level_sizes[0], mpp, coarsest_factor, settings,
    )  # fmt: skip
    glass = hex_color(glass_color(read_thumbnail(levels, mpp, glass_mpp).image))
    none = "its annotation file holds no region"
    return Regions(regions, glass, none, drawn.notes + notes, digest)


def cover_of(region: Region, glass: str, settings: AnnotationSettings) -> Cover | None:
    """Return what changes a region's pixels before they are downsampled, if anything does.

    Args:
        region: a crop to be made.
        glass: the colour of the slide's glass as ``#rrggbb``.
        settings: how annotations become crops.
    """
    if region.annotation is None or settings.outside == "keep":
        return None
    red, green, blue = bytes.fromhex(glass.removeprefix("#"))
    return glass_outside(region.annotation, region.box.x, (red, green, blue))


def _called(annotation: Annotation) -> str:
    names = [name for name in (annotation.label, annotation.name) if name]
    return f"an annotation ({', '.join(map(repr, names))})" if names else "an annotation"
