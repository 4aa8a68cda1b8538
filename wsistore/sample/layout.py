"""Where the pieces of tissue lie on the slide."""

from dataclasses import dataclass

import numpy as np

NOMINAL_SIDE = 2048.0
"""Side in µm of the default slide, on which pieces are 500 to 900 µm across."""

REACH = 1.35
"""Largest radius of a piece over its mean radius."""
_FRAY = 30.0
"""How far fibres may reach beyond a border, in µm."""


@dataclass(frozen=True, slots=True)
class Spot:
    """A place for a piece: centre (y, x), mean radius in µm, and whether it fills the slide."""

    y: float
    x: float
    radius: float
    full: bool = False


def full_spot(side: float) -> Spot:
    """Return the spot of one section that covers nearly the whole slide of `side` µm."""
    return Spot(side / 2, side / 2, 0.475 * side, full=True)


def lay_out(rng: np.random.Generator, side: float, count: int, edge: bool) -> list[Spot]:
    """Place `count` pieces on a slide of `side` µm without contact.

    Pieces grow with the square root of the side, and shrink where `count` would not fit.
    With `edge`, the first piece is cut by the left border of the slide.
    """
    if count == 0:
        return []
    scale = float(np.sqrt(max(side, 1.0) / NOMINAL_SIDE))
    room = side * float(np.sqrt(0.40 / count)) / REACH * 1.1
    nominal = rng.uniform(290, 430, count) * scale
    radii = np.minimum(nominal, 0.5 * room * rng.uniform(0.85, 1, count))
    radii = np.sort(radii)[::-1]
    spots: list[Spot] = []
    for index, radius in enumerate(radii.tolist()):
        spots.append(_place(rng, side, spots, radius, edge and index == 0))
    return spots


def _place(
    rng: np.random.Generator, side: float, taken: list[Spot], radius: float, edge: bool
) -> Spot:
    """Throw darts; after many misses, shrink the piece."""
    while True:
        reach = min(REACH * radius + _FRAY, 0.49 * side)
        for _ in range(200):
            y, x = rng.uniform(reach, side - reach, 2).tolist()
            if edge:
                x = 0.25 * radius
            gaps = (np.hypot(y - s.y, x - s.x) - REACH * (radius + s.radius) for s in taken)
            if all(gap > 0.01 * side for gap in gaps):
                return Spot(y, x, radius)
        radius *= 0.92
