"""One crop: from a box of a slide to an OME-Zarr image, in one pass over its pixels."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
from numpy.typing import NDArray

from wsistore.annotations import Cover
from wsistore.levels import BLOCK_COLUMNS, MAX_ROWS, Box, StreamingDownsampler
from wsistore.readers import Reader

STRIP_PIXELS = 8_400_000
"""Source pixels decoded at a time; more only where one row of tiles is wider."""


def block_edges(reader: Reader, box: Box) -> list[int] | None:
    """Return where a box is cut into blocks of columns, as `StreamingDownsampler` takes it.

    Returns:
        Columns of the box, on the slide's tiles, so that each is decoded once; None where tiles are
        too large to be read by blocks, or the reader is no quicker with some than with all.
    """
    tile = reader.tile_columns
    if tile is None or tile > BLOCK_COLUMNS or reader.tile_rows > MAX_ROWS:
        return None
    step = BLOCK_COLUMNS // tile * tile
    first = (box.x // step + 1) * step
    return [0, *(x - box.x for x in range(first, box.right, step)), box.width]


def read_strips(reader: Reader, box: Box, vendor: int = 0) -> Iterator[NDArray[np.uint8]]:
    """Yield a box from top to bottom, cut along the slide's tiles.

    Cutting there means that each tile of the slide is decoded once.

    Args:
        reader: the open slide.
        box: in pixels of the vendor level.
        vendor: index of the vendor level.

    Yields:
        (h, box.width, 3) uint8.

    Raises:
        SlideError: the pixels cannot be decoded.
    """
    tile = reader.tile_rows
    step = max(STRIP_PIXELS // (box.width * tile), 1) * tile
    y = box.y
    while y < box.bottom:
        stop = min((y // step + 1) * step, box.bottom)
        yield reader.read(vendor, box.x, y, box.width, stop - y)
        y = stop


def level_rows(
    reader: Reader,
    box: Box,
    streams: StreamingDownsampler,
    cover: Cover | None = None,
    vendor: int = 0,
) -> Iterator[list[NDArray[np.uint8]]]:
    """Pass a box through streams, a strip at a time, and yield the rows that it completes.

    Where `block_edges` has blocks for level 0 and nothing changes pixels, a row of tiles is read
    block by block, each as it is needed, and no strip is held.

    Args:
        reader: the open slide.
        box: in pixels of the vendor level.
        streams: made for the box's size, and cut at its `block_edges`.
        cover: changes pixels before they are downsampled.
        vendor: index of the vendor level.

    Yields:
        For each level (k, level width, 3) uint8, k ≥ 0.

    Raises:
        SlideError: the pixels cannot be decoded.
    """
    top = box.y
    if cover is None and vendor == 0 and block_edges(reader, box) is not None:
        step = MAX_ROWS // reader.tile_rows * reader.tile_rows
        while top < box.bottom:
            stop = min((top // step + 1) * step, box.bottom)
            yield streams.take(stop - top, partial(_block, reader, box.x, top, stop))
            top = stop
        return
    for strip in read_strips(reader, box, vendor):
        if cover is not None:
            strip = cover(strip, top)
        top += len(strip)
        finished = streams.push(strip)
        del strip  # or it would be held while shards are written and the next one is decoded
        yield finished
        del finished  # as well


def _block(
    reader: Reader, x: int, top: int, bottom: int, left: int, right: int
) -> NDArray[np.uint8]:
    """Read columns left … right - 1, counted from ``x``, of level 0."""
    return reader.read(0, x + left, top, right - left, bottom - top)
