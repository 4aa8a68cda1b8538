"""Boxes on a slide. Pure integer arithmetic in level-0 pixels."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass


def output_length(length: int, factor: float) -> int:
    """Return ⌊length / factor⌋, the number of whole output pixels along an axis."""
    return math.floor(length / factor + 1e-9)


def is_reduced_size(size: tuple[int, int], base: tuple[int, int]) -> bool:
    """Tell whether an image of a size (width, height) can be a coarser level of another.

    Both sides are smaller by one factor, but for two pixels of rounding or 1 %.
    """
    (width, height), (width0, height0) = size, base
    if min(width, height) < 1 or width > width0 or height > height0 or size == base:
        return False
    by_x, by_y = width0 / width, height0 / height
    slack = 2 * max(by_x / width, by_y / height) + 0.01 * max(by_x, by_y)
    return abs(by_x - by_y) <= slack


@dataclass(frozen=True, order=True)
class Box:
    """A half-open box ``[x, x + width) × [y, y + height)`` in level-0 pixels."""

    x: int
    y: int
    width: int
    height: int

    @property
    def right(self) -> int:
        """First column beyond the box."""
        return self.x + self.width

    @property
    def bottom(self) -> int:
        """First row beyond the box."""
        return self.y + self.height

    def grown(self, margin: int) -> Box:
        """Return the box with ``margin`` pixels more on each side."""
        return Box(
            self.x - margin, self.y - margin, self.width + 2 * margin, self.height + 2 * margin
        )

    def clipped(self, width: int, height: int) -> Box:
        """Return the part of the box inside a slide of that size."""
        x0, y0 = max(self.x, 0), max(self.y, 0)
        x1, y1 = min(self.right, width), min(self.bottom, height)
        return Box(x0, y0, max(x1 - x0, 0), max(y1 - y0, 0))

    @property
    def area(self) -> int:
        """Number of pixels."""
        return self.width * self.height

    def overlap(self, other: Box) -> float:
        """Return which share of the smaller box lies in the other, 0 to 1."""
        width = min(self.right, other.right) - max(self.x, other.x)
        height = min(self.bottom, other.bottom) - max(self.y, other.y)
        if width <= 0 or height <= 0:
            return 0.0
        return width * height / min(self.area, other.area)

    def union(self, other: Box) -> Box:
        """Return the smallest box that holds both."""
        x0, y0 = min(self.x, other.x), min(self.y, other.y)
        return Box(x0, y0, max(self.right, other.right) - x0, max(self.bottom, other.bottom) - y0)


def _snap_span(start: int, length: int, limit: int, multiple: int) -> tuple[int, int]:
    wanted = -(-length // multiple) * multiple
    if wanted > limit:
        # the slide itself has no room: keep all of it rather than lose tissue
        return 0, limit
    start = min(max(start - (wanted - length) // 2, 0), limit - wanted)
    return start, wanted


def snap(box: Box, multiple: int, width: int, height: int) -> Box:
    """Grow a box evenly until each side is a multiple, moving it inward at the slide's border.

    A side longer than the largest multiple that fits the slide becomes the slide's whole side.

    Args:
        box: a box inside the slide.
        multiple: the coarsest factor of the levels to be made.
        width, height: the slide's size in level-0 pixels.
    """
    x, w = _snap_span(box.x, box.width, width, multiple)
    y, h = _snap_span(box.y, box.height, height, multiple)
    return Box(x, y, w, h)


def merge_overlapping(boxes: Iterable[Box], share: float) -> list[Box]:
    """Join boxes of which more than ``share`` of the smaller lies in the other, until none do.

    Pieces that lie askew have boxes that overlap at a corner; joining those would make one crop of
    two pieces and much glass, so they stay apart.

    Returns:
        Boxes sorted by (y, x): reading order.
    """
    merged: list[Box] = []
    for box in boxes:
        while hit := [other for other in merged if other.overlap(box) > share]:
            for other in hit:
                merged.remove(other)
                box = box.union(other)
        merged.append(box)
    return sorted(merged, key=lambda b: (b.y, b.x, b.width, b.height))
