"""A few pixels of a level, computed from the slide by the format's formula: slow and plain.

The same sums in the same order as `wsistore.levels.lanczos`, in numpy and not compiled, over no
more of the slide than the pixels depend on.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wsistore.annotations import glass_outside
from wsistore.levels import Box, Taps, taps
from wsistore.readers import Reader
from wsistore.regions import Region

SOURCE_SIDE = 1024
"""A tile covers about so many level-0 pixels along each axis."""


@dataclass(frozen=True)
class Tile:
    """A part of a level, in its pixels: rows ``top`` … ``bottom`` - 1, columns likewise."""

    top: int
    bottom: int
    left: int
    right: int


def tile_side(factor: float) -> int:
    """Return the side of the tiles of a level, in its pixels."""
    return int(min(max(SOURCE_SIDE / factor, 4), 256))


def tiles_across(length: int, factor: float) -> int:
    """Return how many tiles lie along an axis of a level of that length in its pixels."""
    return -(-length // tile_side(factor))


def tile_at(number: int, height: int, width: int, factor: float) -> Tile:
    """Return a tile by its number in reading order; those at the far borders are smaller."""
    side = tile_side(factor)
    y, x = divmod(number, tiles_across(width, factor))
    return Tile(y * side, min((y + 1) * side, height), x * side, min((x + 1) * side, width))


def derive(
    reader: Reader,
    box: Box,
    factor: float,
    tile: Tile,
    region: Region | None = None,
    glass: tuple[int, int, int] = (255, 255, 255),
) -> NDArray[np.uint8]:
    """Return a tile of a level of a crop, computed from the slide's level-0 pixels.

    Args:
        reader: the open slide, its fill and colours set as for a build.
        box: the crop, in level-0 pixels.
        factor: of the level.
        tile: which of its pixels.
        region: a drawn region whose outside becomes glass, if any.
        glass: the colour it gets.

    Returns:
        (h, w, 3) uint8, axes y, x, c.

    Raises:
        SlideError: the slide's pixels cannot be decoded.
    """
    down = _part(taps(box.height, factor), tile.top, tile.bottom)
    across = _part(taps(box.width, factor), tile.left, tile.right)
    top, left = int(down.start[0]), int(across.start[0])
    height, width = int(down.end[-1]) - top, int(across.end[-1]) - left
    source = reader.read(0, box.x + left, box.y + top, width, height)
    if region is not None and region.annotation is not None:
        source = glass_outside(region.annotation, box.x + left, glass)(source, box.y + top)
    columns = weighted(source.reshape(height, width * 3), down.start - top, down.weights)
    turned = columns.reshape(-1, width, 3).transpose(1, 0, 2).reshape(width, -1)
    rows = weighted(turned, across.start - left, across.weights)
    image = rows.reshape(tile.right - tile.left, -1, 3).transpose(1, 0, 2)
    rounded: NDArray[np.uint8] = np.clip(image + np.float32(0.5), 0, 255).astype(np.uint8)
    return rounded


def _part(axis: Taps, first: int, last: int) -> Taps:
    return Taps(axis.start[first:last], axis.weights[first:last])


def weighted(
    source: NDArray[np.generic], start: NDArray[np.int64], weights: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return ``out[i] = Σ_k weights[i, k] · source[start[i] + k]``, added in the order of k.

    Args:
        source: (n, m) uint8 or float32.
        start: (o,) int64.
        weights: (o, taps) float32.

    Returns:
        (o, m) float32, each product and each sum rounded to float32.
    """
    out = np.zeros((len(start), source.shape[1]), np.float32)
    for k in range(weights.shape[1]):
        out += weights[:, k, None] * source[start + k].astype(np.float32)
    return out
