"""Polygons to pixels, any part of a grid at a time, the same bits however it is cut."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from wsistore.annotations.model import Annotation
from wsistore.annotations.polygon import Outline
from wsistore.levels import Box

Mask = NDArray[np.bool_]
Cover = Callable[[NDArray[np.uint8], int], NDArray[np.uint8]]
"""A function of a strip, (h, w, 3) uint8, and of the level-0 row that it starts at → the strip."""

_CROSSINGS = 1 << 20


def mask(annotation: Annotation, box: Box, scale: float = 1.0) -> Mask:
    """Return where the centres of pixels lie inside an annotation.

    Each outline is filled by the even-odd rule; a polygon is its outer outline less its holes, an
    annotation the union of its polygons.

    Args:
        annotation: in level-0 pixels.
        box: in pixels of the grid; pixel j covers [j·scale, (j + 1)·scale) of level 0.
        scale: level-0 pixels per pixel of the grid.

    Returns:
        (box.height, box.width) bool. Memory is a few bytes for each of these.
    """
    out = np.zeros((box.height, box.width), bool)
    for outer, holes in annotation.polygons:
        window = _window(outer, box, scale)
        part = _fill(outer, window, scale)
        for hole in holes:
            inner = _window(hole, window, scale)
            part[_within(inner, window)] &= ~_fill(hole, inner, scale)
        out[_within(window, box)] |= part
    return out


def _window(ring: Outline, box: Box, scale: float) -> Box:
    """Return the part of a box that an outline can reach; it may have no pixels."""
    x0, y0 = np.floor(ring.min(axis=0) / scale).astype(int)
    x1, y1 = np.ceil(ring.max(axis=0) / scale).astype(int)
    left, top = max(int(x0), box.x), max(int(y0), box.y)
    right, bottom = min(int(x1), box.right), min(int(y1), box.bottom)
    return Box(left, top, max(right - left, 0), max(bottom - top, 0))


def _within(inner: Box, box: Box) -> tuple[slice, slice]:
    if inner.width == 0 or inner.height == 0:
        return slice(0, 0), slice(0, 0)  # its corner may lie outside the box
    return (
        slice(inner.y - box.y, inner.bottom - box.y),
        slice(inner.x - box.x, inner.right - box.x),
    )


def _fill(ring: Outline, box: Box, scale: float) -> Mask:
    """Fill one outline: each side flips, in the rows it spans, all pixels to its right.

    Where a side meets a row is computed from the side and the row alone, in coordinates of the
    slide, so that the result does not depend on the box.
    """
    if box.width == 0 or box.height == 0:
        return np.zeros((0, 0), bool)
    a, b = ring, np.roll(ring, -1, axis=0)
    down = (a[:, 1] <= b[:, 1])[:, None]
    low, high = np.where(down, a, b), np.where(down, b, a)
    # row r is spanned where low.y ≤ (r + ½)·scale < high.y
    first = np.ceil(low[:, 1] / scale - 0.5).astype(np.int64).clip(box.y, box.bottom)
    last = np.ceil(high[:, 1] / scale - 0.5).astype(np.int64).clip(box.y, box.bottom)
    (sides,) = np.nonzero(last > first)
    flips = np.zeros((box.height, box.width + 1), np.uint8)
    step = max(_CROSSINGS // box.height, 1)
    for start in range(0, len(sides), step):
        some = sides[start : start + step]
        count = (last - first)[some]
        side = np.repeat(some, count)
        starts = np.repeat(np.cumsum(count) - count, count)
        row = first[side] + np.arange(len(side)) - starts
        slope = (high[side, 0] - low[side, 0]) / (high[side, 1] - low[side, 1])
        x = low[side, 0] + ((row + 0.5) * scale - low[side, 1]) * slope
        column = np.ceil(x / scale - 0.5).astype(np.int64) - box.x
        np.bitwise_xor.at(flips, (row - box.y, column.clip(0, box.width)), np.uint8(1))
    inside: NDArray[np.uint8] = np.bitwise_xor.accumulate(flips, axis=1)
    return inside[:, :-1].astype(bool)


def glass_outside(annotation: Annotation, left: int, color: tuple[int, int, int]) -> Cover:
    """Return a function that replaces the pixels outside an annotation by a colour.

    Args:
        annotation: in level-0 pixels.
        left: the level-0 column that strips start at.
        color: red, green, blue.
    """
    glass = np.array(color, np.uint8)

    def cover(strip: NDArray[np.uint8], top: int) -> NDArray[np.uint8]:
        inside = mask(annotation, Box(left, top, strip.shape[1], strip.shape[0]))
        covered: NDArray[np.uint8] = np.where(inside[..., None], strip, glass)
        return covered

    return cover
