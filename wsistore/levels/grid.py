"""Physical boxes and the pixels that they hold. Pure: µm in, ranges of pixels out.

The origin is the centre of the slide's level-0 pixel (0, 0), as in the images' OME metadata; a
level-0 pixel j reaches from (j − ½)·mpp to (j + ½)·mpp. Boxes are (x0, y0, x1, y1) in µm and
half-open: a point on the left or upper edge is inside, one on the right or lower edge is not, so
boxes side by side share no pixel and lose none.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from wsistore.levels.box import Box

BoxUm = tuple[float, float, float, float]
"""x0, y0, x1, y1 in µm."""

EDGE_TOLERANCE = 1e-6
"""Pixels: nearer than this to an edge or a centre is on it, whatever floating point makes of it."""


def box_um(box: Box, mpp: float) -> BoxUm:
    """Return the area that a box of level-0 pixels covers, outer edge to outer edge."""
    return (
        (box.x - 0.5) * mpp,
        (box.y - 0.5) * mpp,
        (box.right - 0.5) * mpp,
        (box.bottom - 0.5) * mpp,
    )


@dataclass(frozen=True)
class AxisGrid:
    """The pixels of a level along one axis.

    Attributes:
        first: µm of the first pixel's centre (OME ``translation``).
        step: µm per pixel (OME ``scale``).
        count: pixels.
    """

    first: float
    step: float
    count: int

    def edge(self, pixel: int) -> float:
        """Return the µm of a pixel's left or upper edge."""
        return self.first + (pixel - 0.5) * self.step

    def centered_in(self, start: float, stop: float) -> slice:
        """Return the pixels whose centres lie in [start, stop), of those that exist."""
        a, b = (math.ceil((at - self.first) / self.step - EDGE_TOLERANCE) for at in (start, stop))
        return slice(min(max(a, 0), self.count), min(max(b, 0), self.count))

    def touched_by(self, start: float, stop: float) -> slice:
        """Return the pixels of which [start, stop) holds a part, of those that exist."""
        a = math.floor((start - self.edge(0)) / self.step + EDGE_TOLERANCE)
        b = max(math.ceil((stop - self.edge(0)) / self.step - EDGE_TOLERANCE), a + 1)
        return slice(min(max(a, 0), self.count), min(max(b, 0), self.count))


@dataclass(frozen=True)
class PixelGrid:
    """The pixels of a level: one span an axis."""

    x: AxisGrid
    y: AxisGrid

    def centered_in(self, box: BoxUm) -> tuple[slice, slice]:
        """Return (rows, columns) of the pixels whose centres lie in a box."""
        x0, y0, x1, y1 = box
        return self.y.centered_in(y0, y1), self.x.centered_in(x0, x1)

    def touched_by(self, box: BoxUm) -> tuple[slice, slice]:
        """Return (rows, columns) of the pixels of which a box holds a part."""
        x0, y0, x1, y1 = box
        return self.y.touched_by(y0, y1), self.x.touched_by(x0, x1)

    def area(self, rows: slice, columns: slice) -> BoxUm:
        """Return the box that these pixels cover, outer edge to outer edge."""
        return (
            self.x.edge(columns.start),
            self.y.edge(rows.start),
            self.x.edge(columns.stop),
            self.y.edge(rows.stop),
        )


def reason_outside(box: BoxUm, within: BoxUm, mpp: float) -> str:
    """Say why a box cannot be read from a crop; empty if it can.

    Args:
        box: what is asked for.
        within: the crop's box.
        mpp: µm per level-0 pixel; a box may lie outside by a millionth of that.
    """
    if not all(math.isfinite(value) for value in box):
        return "is not four numbers of µm"
    if box[0] >= box[2] or box[1] >= box[3]:
        return "holds nothing; give x0, y0, x1, y1 with x0 < x1 and y0 < y1"
    hair = EDGE_TOLERANCE * mpp
    low = min(box[0] - within[0], box[1] - within[1])
    high = min(within[2] - box[2], within[3] - box[3])
    return "" if min(low, high) >= -hair else f"is not inside the crop, {format_box(within)}"


def format_box(box: BoxUm) -> str:
    """Return a box as messages show it."""
    return f"({', '.join(f'{value:g}' for value in box)}) µm"
