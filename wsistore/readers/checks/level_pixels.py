"""Whether a vendor level shows what level 0 shows: by its size, its missing tiles, and samples.

Scanners' coarse levels lack tiles, are black, or are another image's. Nothing proves one right but
reading all of level 0; a few tiles of it, taken where something is most likely amiss, find what is
grossly wrong.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from wsistore.errors import SlideError
from wsistore.levels import Box, is_reduced_size
from wsistore.readers import Reader
from wsistore.readers.base import Tiles

TOLERANCE = 16.0
"""Grey levels by which the mean of a sample may differ: filters, compression and gamma differ."""

SAMPLES = (4, 16)
"""The fewest and the most level-0 tiles that are read for a check."""

SHARE = 64
"""Tiles of level 0 for each one that is read, so that a check costs little on small slides too."""

EDGE = 1024
"""Largest side of a sample in level-0 pixels."""

UNTILED_EDGE = 256
"""Side of a sample where the format does not list its tiles."""


def level_fault(reader: Reader, level: int) -> str:
    """Return why a vendor level cannot stand for level 0; empty where nothing speaks against it.

    Args:
        reader: the open slide.
        level: index of a vendor level, from 1.
    """
    size, size0 = reader.level_sizes[level], reader.level_sizes[0]
    if not is_reduced_size(size, size0):
        return f"its {size[0]} × {size[1]} pixels are no reduced copy of {size0[0]} × {size0[1]}"
    base, coarse = reader.tiles(0), reader.tiles(level)
    if base is not None and coarse is not None:
        if lost := int(lost_tiles(base, coarse, _scales(reader, level)).sum()):
            return f"{lost} of its {coarse.bytes.size} tiles are missing where level 0 has pixels"
        boxes = _boxes(likely_tiles(base, coarse, _scales(reader, level)), base, size0)
    else:
        boxes = _spread_boxes(size0)
    try:
        wrong = [box for box in boxes if not _agrees(reader, level, box)]
    except SlideError as error:
        return str(error)
    if wrong:
        return (
            f"it does not show what level 0 shows, in {len(wrong)} of {len(boxes)} places "
            f"(x {wrong[0].x}, y {wrong[0].y} of level 0)"
        )
    return ""


def lost_tiles(base: Tiles, coarse: Tiles, scales: tuple[float, float]) -> NDArray[np.bool_]:
    """Return which tiles are missing from a level though level 0 has pixels there.

    What is missing from both was never scanned.

    Args:
        base, coarse: the tiles of level 0 and of the level.
        scales: level-0 pixels per pixel of the level, along x and y.

    Returns:
        (tile rows, tile columns) bool, of the level.
    """
    lost = coarse.missing
    # a pixel less on each side: sizes of levels are rounded
    rows, columns = _under(base, coarse, scales, margin=1)
    for row, column in np.argwhere(coarse.missing):
        within = base.bytes[slice(*rows[row]), slice(*columns[column])]
        lost[row, column] = within.any()
    return lost


def likely_tiles(base: Tiles, coarse: Tiles, scales: tuple[float, float]) -> list[tuple[int, int]]:
    """Return the level-0 tiles that would show best that a level is wrong.

    A tile with much in it has many bytes. So these are taken: where level 0 has most bytes for
    each byte of the level, as where the level is white and the base is not; and the tile of most
    bytes in each part of the slide.

    Args:
        base, coarse: the tiles of level 0 and of the level.
        scales: level-0 pixels per pixel of the level, along x and y.

    Returns:
        (row, column) of each, in reading order.
    """
    half = _samples(base.bytes.size) // 2
    found = set()
    share = np.zeros(coarse.bytes.shape)
    rows, columns = _under(base, coarse, scales)
    for row, (top, bottom) in enumerate(rows):
        for column, (left, right) in enumerate(columns):
            within = base.bytes[top:bottom, left:right]
            share[row, column] = within.sum() / max(coarse.bytes[row, column], 1)
    for place in np.argsort(-share, axis=None, kind="stable")[:half]:
        row, column = np.unravel_index(place, share.shape)
        found.add(_fullest(base.bytes, *rows[row], *columns[column]))
    for top, bottom in _parts(base.bytes.shape[0], half):
        for left, right in _parts(base.bytes.shape[1], half):
            found.add(_fullest(base.bytes, top, bottom, left, right))
    return sorted(place for place in found if base.bytes[place])


def _samples(tiles: int) -> int:
    return min(max(tiles // SHARE, SAMPLES[0]), SAMPLES[1])


def _parts(length: int, count: int) -> list[tuple[int, int]]:
    """Cut a side into parts, so that both sides' parts make about ``count`` fields."""
    side = min(max(round(count**0.5), 1), length)
    edges = [length * n // side for n in range(side + 1)]
    return list(pairwise(edges))


def _fullest(
    stored: NDArray[np.int64], top: int, bottom: int, left: int, right: int
) -> tuple[int, int]:
    """Return (row, column) of the tile with the most bytes among some."""
    row, column = divmod(int(stored[top:bottom, left:right].argmax()), right - left)
    return top + row, left + column


def _under(
    base: Tiles, coarse: Tiles, scales: tuple[float, float], margin: int = 0
) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Return the level-0 tiles (first, one beyond the last) under each tile row and column.

    Args:
        base, coarse: the tiles of level 0 and of the level.
        scales: level-0 pixels per pixel of the level, along x and y.
        margin: pixels of the level that are left out on each side of a tile.
    """

    def along(axis: int, tile: int, scale: float, base_tile: int) -> list[tuple[int, int]]:
        last = base.bytes.shape[axis] - 1
        found = []
        for index in range(coarse.bytes.shape[axis]):
            start, stop = index * tile + margin, (index + 1) * tile - margin
            first = min(int(start * scale // base_tile), last)
            beyond = min(int(np.ceil(stop * scale / base_tile)), last + 1)
            found.append((first, max(beyond, first + 1)))
        return found

    rows = along(0, coarse.height, scales[1], base.height)
    return rows, along(1, coarse.width, scales[0], base.width)


def _boxes(places: list[tuple[int, int]], base: Tiles, size: tuple[int, int]) -> list[Box]:
    """Return tiles as boxes in level-0 pixels."""
    return [
        Box(
            column * base.width, row * base.height, min(base.width, EDGE), min(base.height, EDGE)
        ).clipped(*size)
        for row, column in places
    ]


def _spread_boxes(size: tuple[int, int]) -> list[Box]:
    """Return boxes in the middle of equal fields of the slide."""
    edge = UNTILED_EDGE
    count = _samples(size[0] * size[1] // edge**2)
    return [
        Box((left + right - edge) // 2, (top + bottom - edge) // 2, edge, edge).clipped(*size)
        for top, bottom in _parts(size[1], count)
        for left, right in _parts(size[0], count)
    ]


def _agrees(reader: Reader, level: int, box: Box) -> bool:
    """Tell whether a level shows a box (level-0 pixels) in the mean color that level 0 has there.

    The level's mean is taken at the box's place and up to a pixel beside it, since scanners place
    levels differently.

    Raises:
        SlideError: the level's pixels cannot be decoded.
    """
    try:
        base = reader.read(0, box.x, box.y, box.width, box.height).mean((0, 1))
    except SlideError:
        # what is damaged in level 0 says nothing of the level, and fails the crop that needs it
        return True
    by_x, by_y = _scales(reader, level)
    width, height = reader.level_sizes[level]
    around = Box(
        int(box.x / by_x) - 1,
        int(box.y / by_y) - 1,
        int(np.ceil(box.width / by_x)) + 3,
        int(np.ceil(box.height / by_y)) + 3,
    ).clipped(width, height)
    pixels = reader.read(level, around.x, around.y, around.width, around.height)
    means = _means(pixels, max(round(box.height / by_y), 1), max(round(box.width / by_x), 1))
    low, high = means.min((0, 1)) - TOLERANCE, means.max((0, 1)) + TOLERANCE
    return bool(((base >= low) & (base <= high)).all())


def _means(pixels: NDArray[np.uint8], height: int, width: int) -> NDArray[np.float64]:
    """Return the means of all windows of a size, (rows, columns, 3) float64."""
    height, width = min(height, pixels.shape[0]), min(width, pixels.shape[1])
    sums = np.pad(pixels.astype(np.float64).cumsum(0).cumsum(1), ((1, 0), (1, 0), (0, 0)))
    windows: NDArray[np.float64] = (
        sums[height:, width:] - sums[:-height, width:] - sums[height:, :-width]
        + sums[:-height, :-width]
    )  # fmt: skip
    return windows / (height * width)


def _scales(reader: Reader, level: int) -> tuple[float, float]:
    (width0, height0), (width, height) = reader.level_sizes[0], reader.level_sizes[level]
    return width0 / width, height0 / height
