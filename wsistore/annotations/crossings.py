"""Whether sides of an outline cross, in O(n log n): the sweep of Shamos and Hoey (1976)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Point = tuple[float, float]


def any_crossing(starts: NDArray[np.float64], ends: NDArray[np.float64]) -> bool:
    """Tell whether two of some segments cross at a point inside both.

    A vertical line moves from left to right over the segments and keeps those that it meets in
    order from bottom to top. Segments that cross are neighbors in that order before they do, so
    only neighbors are compared. Segments that only touch do not cross, and do not disturb the
    order.

    Args:
        starts, ends: (n, 2) float64, x and y of both ends of each segment, which differ.
    """
    lines = [
        (min(a, b), max(a, b))
        for a, b in zip(map(_point, starts.tolist()), map(_point, ends.tolist()), strict=True)
    ]
    met: list[int] = []
    for number, begins in _events(lines):
        if begins:
            place = _place(met, lines, number, lines[number][0])
            below = met[place - 1 : place]
            above = met[place : place + 1]
            if any(_cross(lines[number], lines[other]) for other in below + above):
                return True
            met.insert(place, number)
            continue
        place = _place(met, lines, number, lines[number][1])
        # where several end or touch, its own place is near
        place = next((n for n in (place, place - 1) if met[n : n + 1] == [number]), -1)
        if place < 0:
            place = met.index(number)
        del met[place]
        if 0 < place < len(met) and _cross(lines[met[place - 1]], lines[met[place]]):
            return True
    return False


def _point(pair: list[float]) -> Point:
    x, y = pair
    return x, y


def _events(lines: list[tuple[Point, Point]]) -> Iterator[tuple[int, bool]]:
    """Yield (segment, whether it begins) from left to right; at one point, ends come first."""
    order = sorted(
        [(first, True, number) for number, (first, _) in enumerate(lines)]
        + [(last, False, number) for number, (_, last) in enumerate(lines)]
    )
    for _, begins, number in order:
        yield number, begins


def _place(met: list[int], lines: list[tuple[Point, Point]], number: int, at: Point) -> int:
    """Return how many of the segments met lie below a segment at one of its ends."""
    first, last = lines[number]
    low, high = 0, len(met)
    while low < high:
        middle = (low + high) // 2
        a, b = lines[met[middle]]
        side = _side(a, b, at) or _side(a, b, last) or _side(a, b, first)
        if side > 0 or (side == 0 and met[middle] < number):
            low = middle + 1
        else:
            high = middle
    return low


def _side(a: Point, b: Point, c: Point) -> int:
    """Return on which side of the line a → b a point lies: 1 above, −1 below, 0 on it."""
    turn = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
    return (turn > 0) - (turn < 0)


def _cross(one: tuple[Point, Point], other: tuple[Point, Point]) -> bool:
    return (
        _side(*one, other[0]) * _side(*one, other[1]) < 0
        and _side(*other, one[0]) * _side(*other, one[1]) < 0
    )
