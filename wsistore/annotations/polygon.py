"""Closed outlines: checked, measured, compared. Points are (x, y) in level-0 pixels.

A pixel covers ``[j, j + 1)``, so its centre is at ``j + ½``. What lies inside an outline is decided
by the even-odd rule.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from wsistore.annotations.crossings import any_crossing
from wsistore.errors import SlideError

Outline = NDArray[np.float64]
"""(n, 2) float64, x and y of each corner; the last is joined to the first."""

_LIMIT = 1e9
_PAIRS = 1 << 20
_NEIGHBORS = 200
"""Sides that a side is compared with, on average, from which on a sweep is quicker."""
_ROWS = 1024
"""Points tested at a time, of like y, so that few sides span them."""


def outline(points: object, where: str) -> Outline:
    """Return points as an outline, without repeated neighbours or a repeated first point.

    Args:
        points: a sequence of (x, y) pairs; further coordinates are not used.
        where: the file and the feature, for the message.

    Returns:
        (n, 2) float64; n may be below 3, see `encloses`.

    Raises:
        SlideError: a coordinate is missing, no number, not finite, or beyond any slide.
    """
    if isinstance(points, list) and not points:
        return np.empty((0, 2))
    try:
        array = np.asarray(points)
    except ValueError:
        array = np.empty(0)
    if array.ndim != 2 or array.shape[1] < 2 or array.dtype.kind not in "iuf":
        raise SlideError(f"{where}: has points that are no pairs of numbers")
    corners: Outline = array[:, :2].astype(np.float64)
    if not (np.abs(corners) <= _LIMIT).all():
        raise SlideError(f"{where}: has a coordinate that no slide has")
    repeated = (corners == np.roll(corners, -1, axis=0)).all(axis=1)
    distinct: Outline = corners[~repeated]
    return distinct


def area(ring: Outline) -> float:
    """Return the area of an outline that does not cross itself, in square pixels (shoelace)."""
    x, y = (ring - ring[0]).T  # near the origin, where products lose no digits
    return abs(float((x * np.roll(y, -1) - np.roll(x, -1) * y).sum())) / 2


def encloses(ring: Outline) -> bool:
    """Tell whether an outline encloses anything: three corners or more, not on one line."""
    if len(ring) < 3:
        return False
    width, height = np.ptp(ring, axis=0)
    return area(ring) > float(1e-12 * (width**2 + height**2)) or crosses_itself(ring)


def crosses_itself(ring: Outline) -> bool:
    """Tell whether two sides of an outline cross at a point inside both.

    Sides are sorted by their left end, and each is compared with those that start before it ends:
    a few neighbors where the outline is hand-drawn. Where they are many (a comb, a star), a sweep
    takes O(n log n) instead.
    """
    order = np.argsort(np.minimum(ring[:, 0], np.roll(ring[:, 0], -1)), kind="stable")
    a, b = ring[order], np.roll(ring, -1, axis=0)[order]
    low, high = np.minimum(a, b), np.maximum(a, b)
    sides = np.arange(len(ring))
    count = np.searchsorted(low[:, 0], high[:, 0], side="right") - sides - 1
    before = np.concatenate([[0], np.cumsum(count)])
    if before[-1] > _NEIGHBORS * len(ring):
        return any_crossing(a, b)
    first = 0
    while first < len(ring):
        last = int(np.searchsorted(before, before[first] + _PAIRS, side="right")) - 1
        last = max(last, first + 1)
        i = np.repeat(sides[first:last], count[first:last])
        j = i + 1 + np.arange(len(i)) - np.repeat(
            before[first:last] - before[first], count[first:last]
        )  # fmt: skip
        near = (low[i, 1] <= high[j, 1]) & (low[j, 1] <= high[i, 1])
        i, j = i[near], j[near]
        apart = (_side(a[i], b[i], a[j]) * _side(a[i], b[i], b[j]) < 0) & (
            _side(a[j], b[j], a[i]) * _side(a[j], b[j], b[i]) < 0
        )
        if apart.any():
            return True
        first = last
    return False


def _side(a: Outline, b: Outline, c: Outline) -> NDArray[np.float64]:
    """Return on which side of the lines a → b the points c lie: −1, 0 or 1, (n,) float64."""
    ab, ac = b - a, c - a
    sign: NDArray[np.float64] = np.sign(ab[:, 0] * ac[:, 1] - ab[:, 1] * ac[:, 0])
    return sign


def holds_any(ring: Outline, points: Outline) -> bool:
    """Tell whether any of the points lies inside an outline."""
    near = points[((points >= ring.min(axis=0)) & (points <= ring.max(axis=0))).all(axis=1)]
    near = near[np.argsort(near[:, 1], kind="stable")]
    ends = np.roll(ring, -1, axis=0)
    low, high = np.minimum(ring[:, 1], ends[:, 1]), np.maximum(ring[:, 1], ends[:, 1])
    for start in range(0, len(near), _ROWS):
        rows = near[start : start + _ROWS]
        spanning = (low <= rows[-1, 1]) & (high > rows[0, 1])
        a, b = ring[spanning], ends[spanning]
        step = max(_PAIRS // max(len(a), 1), 1)
        if any(_holds(a, b, rows[n : n + step]).any() for n in range(0, len(rows), step)):
            return True
    return False


def _holds(a: Outline, b: Outline, points: Outline) -> NDArray[np.bool_]:
    """Return which points have an odd number of the sides a → b at their left, (n,) bool."""
    x, y = points[:, :1], points[:, 1:]
    spans = (a[:, 1] <= y) != (b[:, 1] <= y)
    rise = np.where(a[:, 1] == b[:, 1], 1.0, b[:, 1] - a[:, 1])
    left = a[:, 0] + (y - a[:, 1]) * (b[:, 0] - a[:, 0]) / rise <= x
    odd: NDArray[np.bool_] = (spans & left).sum(axis=1) % 2 == 1
    return odd


def rectangle(ring: Outline) -> Outline:
    """Return the four corners of a rectangle given by two opposite ones."""
    (x0, y0), (x1, y1) = ring.min(axis=0), ring.max(axis=0)
    return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])


def ellipse(ring: Outline) -> Outline:
    """Return the upright ellipse inscribed in the bounding box of some points.

    The points may be two opposite corners of the box, all four, or the middles of its sides. The
    polygon stays within a quarter of a pixel of the ellipse.
    """
    low, high = ring.min(axis=0), ring.max(axis=0)
    radius = float((high - low).max()) / 2
    sides = 16
    if radius > 1:
        sides = max(sides, math.ceil(math.pi / math.acos(1 - 0.25 / radius)))
    angle = np.arange(sides) * (2 * np.pi / sides)
    unit = np.column_stack([np.cos(angle), np.sin(angle)])
    corners: Outline = (low + high) / 2 + unit * (high - low) / 2
    return corners
