"""A level made from the pyramid in the slide's file, instead of from its level-0 pixels.

It is quick and not exact; a build never uses it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from wsistore.build.strips import level_rows
from wsistore.errors import SlideError
from wsistore.levels import Box, Level, StreamingDownsampler
from wsistore.readers import Reader

SLACK = 0.01
"""Share by which a vendor level may be coarser than wanted: sizes are cut to whole pixels."""


class NoPixelError(SlideError):
    """A box is smaller than a pixel of the level that is to be made of it."""


def scales(sizes: Sequence[tuple[int, int]], vendor: int) -> tuple[float, float]:
    """Return level-0 pixels per pixel of a vendor level, along x and y.

    Args:
        sizes: (width, height) of the vendor levels, level 0 first.
        vendor: index of the vendor level.
    """
    (width0, height0), (width, height) = sizes[0], sizes[vendor]
    return width0 / width, height0 / height


def fine_enough(sizes: Sequence[tuple[int, int]], factor: float) -> list[int]:
    """Return the indices of the vendor levels that a factor does not fall below, coarsest first."""
    fine = [n for n in range(len(sizes)) if max(scales(sizes, n)) <= factor * (1 + SLACK)]
    return sorted(fine, key=lambda n: max(scales(sizes, n)), reverse=True)


def native_level_rows(
    reader: Reader, box: Box, level: Level, vendor: int
) -> Iterator[NDArray[np.uint8]]:
    """Make a level of a box from a vendor level; Lanczos-3 by what is left of the factor.

    Args:
        reader: the open slide.
        box: in level-0 pixels.
        level: to be made.
        vendor: index of the vendor level, one of `fine_enough`.

    Yields:
        (k, width, 3) uint8, from top to bottom.

    Raises:
        SlideError: the pixels cannot be decoded.
        NoPixelError: the vendor level has none of the box.
    """
    by_x, by_y = scales(reader.level_sizes, vendor)
    left = max(2 * level.factor / (by_x + by_y), 1.0)
    wanted = level.size(box.width, box.height)
    x, width = _span(box.x / by_x, wanted[0] * left, reader.level_sizes[vendor][0])
    y, height = _span(box.y / by_y, wanted[1] * left, reader.level_sizes[vendor][1])
    if min(width, height) < left:
        raise NoPixelError(
            f"its vendor level of {max(by_x, by_y):.4g}× has no pixel for a crop at {level.name}; "
            "make the level from the slide's base instead"
        )
    streams = StreamingDownsampler(width, height, [left])
    for (rows,) in level_rows(reader, Box(x, y, width, height), streams, vendor=vendor):
        yield rows


def _span(start: float, length: float, limit: int) -> tuple[int, int]:
    """Return the whole pixels (first, number) nearest to a stretch, inside 0 … limit."""
    first = min(round(start), limit)
    return first, min(math.ceil(length - 1e-9), limit - first)
