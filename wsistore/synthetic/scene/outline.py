"""Outlines, zones, tears and fat vacuoles of a piece of tissue. All lengths in µm."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wsistore.synthetic.lattice import Box
from wsistore.synthetic.noise import Float

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
    """Throw darts; after 200 misses, shrink the piece."""
    others = np.array([(spot.y, spot.x, spot.radius) for spot in taken]).reshape(-1, 3)
    while True:
        reach = min(REACH * radius + min(_FRAY, 0.02 * side), 0.49 * side)
        darts = rng.uniform(reach, side - reach, (200, 2))
        if edge:
            darts[:, 1] = 0.25 * radius
        apart = np.hypot(*(darts[:, None, k] - others[None, :, k] for k in (0, 1)))
        free = (apart > REACH * (radius + others[:, 2]) + 0.01 * side).all(axis=1)
        if free.any():
            y, x = darts[np.argmax(free)].tolist()
            return Spot(y, x, radius)
        radius *= 0.92


_ANGLES = 2048


@dataclass(frozen=True, slots=True)
class Outline:
    """A star-shaped border and the direction of the tissue's layers.

    Attributes:
        y, x: centre.
        radii: (2048,) float64, distance of the border from the centre by angle from -π.
        reach: largest radius.
        rough: amplitude of the frayed edge.
        layer: unit vector (y, x) across the layers of the tissue.
        period: thickness of mucosa and submucosa together.
        phase: where the layers begin, in periods.
        bare: share of a period without glands (the submucosa).
        surface: angle at the middle of the side that an epithelium covers.
    """

    y: float
    x: float
    radii: NDArray[np.float64]
    reach: float
    rough: float
    layer: tuple[float, float]
    period: float
    phase: float
    bare: float
    surface: float

    def depth(self, y: Float, x: Float) -> Float:
        """Return the approximate distance inside the border (negative outside), broadcast."""
        dy, dx = y - np.float32(self.y), x - np.float32(self.x)
        turn = (np.arctan2(dy, dx) / np.float32(2 * np.pi) + np.float32(0.5)) * np.float32(_ANGLES)
        radius = self.radii.astype(np.float32)[turn.astype(np.int32) % _ANGLES]
        return np.asarray(radius - np.sqrt(dy * dy + dx * dx), dtype=np.float32)

    def covered(self, y: Float, x: Float) -> Float:
        """Return 1 near the border that an epithelium covers, 0 near cut borders."""
        dy, dx = y - np.float32(self.y), x - np.float32(self.x)
        ahead = dy * np.float32(np.sin(self.surface)) + dx * np.float32(np.cos(self.surface))
        cosine = ahead / np.sqrt(dy * dy + dx * dx + np.float32(1))
        return np.asarray(np.clip(cosine * 3 + np.float32(0.9), 0, 1), dtype=np.float32)

    def submucosa(self, y: Float, x: Float) -> Float:
        """Return 1 in the layer without glands, 0 in the mucosa, with a soft border."""
        across = (y - np.float32(self.y)) * np.float32(self.layer[0])
        across = across + (x - np.float32(self.x)) * np.float32(self.layer[1])
        place = across / np.float32(self.period) + np.float32(self.phase)
        place = place - np.floor(place)
        centered = np.abs(place - np.float32(0.5)) - np.float32((1 - self.bare) / 2)
        soft = np.clip(centered * np.float32(self.period / 40) + np.float32(0.5), 0, 1)
        return np.asarray(soft, dtype=np.float32)

    def at(self, y: float, x: float) -> tuple[float, float]:
        """Return the depth inside the border and the share of submucosa at one point."""
        point = np.array([y], np.float32), np.array([x], np.float32)
        return float(self.depth(*point)[0]), float(self.submucosa(*point)[0])


@dataclass(frozen=True, slots=True)
class Hole:
    """A gap in the tissue: a capsule from (y0, x0) to (y1, x1) of half-width `radius`.

    A tear is thin and frays with the noise of the tissue; a fat vacuole is a clean disc.
    """

    y0: float
    x0: float
    y1: float
    x1: float
    radius: float
    tear: bool

    def box(self, margin: float) -> Box:
        """Return y0, x0, y1, x1 around the gap and `margin`."""
        reach = self.radius + margin
        return (
            min(self.y0, self.y1) - reach,
            min(self.x0, self.x1) - reach,
            max(self.y0, self.y1) + reach,
            max(self.x0, self.x1) + reach,
        )

    def distance(self, y: Float, x: Float) -> Float:
        """Return the distance to the gap's border, negative inside, of points (y, x)."""
        py, px = y - np.float32(self.y0), x - np.float32(self.x0)
        ay, ax = np.float32(self.y1 - self.y0), np.float32(self.x1 - self.x0)
        length = ay * ay + ax * ax
        if length > 0:
            along = np.clip((py * ay + px * ax) / length, 0, 1)
            py, px = py - along * ay, px - along * ax
        distance = np.sqrt(py * py + px * px) - np.float32(self.radius)
        return np.asarray(distance, dtype=np.float32)


def draw_outline(rng: np.random.Generator, spot: Spot) -> Outline:
    """Draw a border of mean radius `spot.radius`: an ellipse, or a rounded square, with bumps."""
    theta = np.linspace(-np.pi, np.pi, _ANGLES, endpoint=False)
    if spot.full:
        cosine, sine = np.abs(np.cos(theta)), np.abs(np.sin(theta))
        radii = spot.radius / (cosine**12 + sine**12) ** (1 / 12)
        strength = 0.008
    else:
        aspect, turn = np.exp(rng.uniform(0.03, 0.26)), rng.uniform(0, np.pi)
        radii = spot.radius / np.hypot(np.cos(theta - turn) / aspect, np.sin(theta - turn) * aspect)
        strength = 0.085
    orders = np.arange(2, 15)
    waves = rng.normal(0, 1, (2, len(orders))) / orders**0.9 * strength * 1.6
    bumps = waves[0] @ np.cos(orders[:, None] * theta) + waves[1] @ np.sin(orders[:, None] * theta)
    radii = radii * np.exp(bumps)
    # a soft ceiling, so that neighbours never touch
    ceiling = spot.radius * (1.5 if spot.full else REACH - 0.03)
    radii = ceiling * np.tanh((radii / ceiling) ** 3) ** (1 / 3)
    angle = rng.uniform(0, 2 * np.pi)
    return Outline(
        y=spot.y,
        x=spot.x,
        radii=radii,
        reach=float(radii.max()),
        rough=float(rng.uniform(4, 9)),
        layer=(float(np.sin(angle)), float(np.cos(angle))),
        period=float(rng.uniform(1050, 1500)),
        phase=float(rng.uniform(0, 1)),
        bare=float(rng.uniform(0.08, 0.20)),
        surface=float(rng.uniform(-np.pi, np.pi)),
    )


def draw_holes(rng: np.random.Generator, outline: Outline) -> tuple[Hole, ...]:
    """Draw tears and groups of fat vacuoles, in numbers that follow the area."""
    area = float(np.pi * np.mean(outline.radii**2)) / 1e6
    holes: list[Hole] = []
    for _ in range(rng.poisson(1.6 * area + 0.3)):
        y, x = _inside(rng, outline, 0.95)
        angle, length = rng.uniform(0, 2 * np.pi), rng.uniform(60, 260)
        width = rng.uniform(2, 8)
        for _ in range(3):
            end = y + length / 3 * np.sin(angle), x + length / 3 * np.cos(angle)
            holes.append(Hole(y, x, end[0], end[1], width, tear=True))
            (y, x), angle, width = end, angle + rng.normal(0, 0.5), width * rng.uniform(0.6, 1.2)
    for _ in range(rng.poisson(5.0 * area + 0.5)):
        y, x = _inside(rng, outline, 0.8)
        for _ in range(rng.integers(2, 14)):
            fy, fx = y + rng.normal(0, 45), x + rng.normal(0, 45)
            radius = float(rng.uniform(9, 24))
            if outline.at(fy, fx)[1] > 0.5:  # fat lies below the mucosa
                holes.append(Hole(fy, fx, fy, fx, radius, tear=False))
    return tuple(holes)


def _inside(rng: np.random.Generator, outline: Outline, share: float) -> tuple[float, float]:
    """Draw a point (y, x) within `share` of the way to the border."""
    index = int(rng.integers(_ANGLES))
    distance = outline.radii[index] * share * float(np.sqrt(rng.random()))
    angle = index / _ANGLES * 2 * np.pi - np.pi
    return outline.y + distance * float(np.sin(angle)), outline.x + distance * float(np.cos(angle))
