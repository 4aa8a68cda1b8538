"""What the format says of a slide, given its box and µm per pixel. Pure.

The rules are those of docs/reference/store-format.md.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from wsistore.errors import ResolutionError
from wsistore.levels import Box, Level, levels_of
from wsistore.storage import layout
from wsistore.store import translation
from wsistore.tables import CropRow, LevelRow, SlideRecord

CLOSE = 1e-9
"""Relative difference that is put down to another order of floating point operations."""


@dataclass(frozen=True)
class Expected:
    """A store's settings, as far as they decide shapes and scales.

    Attributes:
        levels: canonical names, finest first.
        exact_mpp: factors are fractions.
    """

    levels: tuple[str, ...]
    exact_mpp: bool

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Expected:
        """Return the law of a store with these attributes."""
        return cls(tuple(settings["levels"]), bool(settings["exact_mpp"]))

    def factors(self, mpp: float) -> tuple[Level, ...]:
        """Return the levels of a slide of ``mpp`` µm per level-0 pixel.

        Raises:
            ResolutionError: it is too coarse for one of them.
        """
        return levels_of(mpp, self.levels, self.exact_mpp)


def same(a: float, b: float) -> bool:
    """Tell whether two numbers are equal but for rounding."""
    return math.isclose(a, b, rel_tol=CLOSE, abs_tol=CLOSE)


def box_of(row: CropRow) -> Box:
    """Return a crop's box."""
    return Box(row.x, row.y, row.width, row.height)


def record_violations(record: SlideRecord, slide: str, law: Expected) -> Iterator[str]:
    """Yield what contradicts the law in a slide group's rows, one sentence each.

    Args:
        record: satisfies the schema.
        slide: the folder's name.
        law: of the store.
    """
    row = record.slide
    if row.slide != slide:
        yield f"is the record of slide {row.slide!r}"
    if (row.outcome == "ok") != bool(record.crops) or row.crops != len(record.crops):
        yield (
            f"has the outcome {row.outcome!r}, crops {row.crops} and {len(record.crops)} rows of "
            "crops, which contradict each other"
        )
    for number, crop in enumerate(record.crops):
        if crop.crop != layout.crop_id(slide, number):
            yield f"crop {crop.crop!r} stands where {layout.crop_id(slide, number)!r} belongs"
        for key in ("slide", "patient", "mpp"):
            if getattr(crop, key) != getattr(row, key):
                yield (
                    f"crop {crop.crop} has {key} {getattr(crop, key)!r}, its slide "
                    f"{getattr(row, key)!r}"
                )
        box = box_of(crop)
        if box.right > row.width or box.bottom > row.height:
            yield f"crop {crop.crop} reaches beyond its slide of {row.width} × {row.height} pixels"
    try:
        levels = law.factors(row.mpp)
    except ResolutionError as error:
        yield str(error)
        return
    yield from _level_violations(record, levels)


def _level_violations(record: SlideRecord, levels: tuple[Level, ...]) -> Iterator[str]:
    wanted = [(crop, level) for crop in record.crops for level in levels]
    if [(row.crop, row.level) for row in record.levels] != [
        (crop.crop, level.name) for crop, level in wanted
    ]:
        yield "its rows of levels are not one per crop and level, finest first"
        return
    for row, (crop, level) in zip(record.levels, wanted, strict=True):
        width, height = level.size(crop.width, crop.height)
        if (row.height, row.width) != (height, width):
            yield (
                f"{row.level} of crop {row.crop} has {row.height} × {row.width} pixels; the law "
                f"gives {height} × {width}"
            )
        for key in ("factor", "mpp"):
            if not same(getattr(row, key), getattr(level, key)):
                yield (
                    f"{row.level} of crop {row.crop} has {key} {getattr(row, key):g}; the law "
                    f"gives {getattr(level, key):g}"
                )


def image_violations(
    attributes: Mapping[str, Any], box: Box, mpp: float, levels: tuple[Level, ...]
) -> Iterator[str]:
    """Yield what contradicts the law in a crop's OME-Zarr metadata, one sentence each.

    Args:
        attributes: ``attributes.ome``, which satisfies the schema.
        box: in level-0 pixels.
        mpp: µm per level-0 pixel.
        levels: finest first.
    """
    datasets = attributes["multiscales"][0]["datasets"]
    names, wanted = [dataset["path"] for dataset in datasets], [level.name for level in levels]
    if names != wanted:
        yield f"its levels are {', '.join(names)}; the store's are {', '.join(wanted)}"
        return
    for dataset, level in zip(datasets, levels, strict=True):
        scale, shift = dataset["coordinateTransformations"]
        starts = (translation(start, level.factor, mpp) for start in (box.y, box.x))
        for kind, found, right in (
            ("scale", scale["scale"], [1.0, level.mpp, level.mpp]),
            ("translation", shift["translation"], [0.0, *starts]),
        ):
            if not all(map(same, found, right)):
                yield f"level {level.name} has the {kind} {found}; the law gives {right}"


def level_row(record: SlideRecord, crop: int, level: int, levels: int) -> LevelRow:
    """Return the row of a crop's level by their numbers, ``levels`` to a crop."""
    return record.levels[crop * levels + level]
