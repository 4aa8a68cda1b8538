"""Glands and vessels: their shape as distance functions. All lengths in µm."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wsistore.synthetic.noise import Float
from wsistore.synthetic.scene.outline import Outline
from wsistore.synthetic.scene.traits import Histology

MARGIN = 12.0
"""Width of the rim around a gland within which its distance is known, in µm."""


@dataclass(frozen=True, slots=True)
class Gland:
    """A gland, or a vessel: a tree of capsules with a lining around a lumen.

    Attributes:
        index: number of the gland within its piece.
        joints: (k, 2) float64, y and x of the joints of its axis.
        links: pairs of joints that bound a capsule.
        radii: (k,) float64, half-width at each joint.
        bend: amplitude of the irregularity of the outline.
        lining: thickness of the lining.
        vessel: whether it is a vessel: a thin wall, red cells in its lumen.
    """

    index: int
    joints: NDArray[np.float64]
    links: tuple[tuple[int, int], ...]
    radii: NDArray[np.float64]
    bend: float
    lining: float
    vessel: bool = False

    def box(self) -> tuple[float, float, float, float]:
        """Return y0, x0, y1, x1 around the gland, its irregularity and `MARGIN` included."""
        reach = float(self.radii.max()) + 2.5 * self.bend + MARGIN
        low, high = self.joints.min(axis=0) - reach, self.joints.max(axis=0) + reach
        return float(low[0]), float(low[1]), float(high[0]), float(high[1])

    def distance(self, y: Float, x: Float) -> Float:
        """Return the signed distance to the outline, negative inside, of points (y, x)."""
        shape = np.broadcast_shapes(y.shape, x.shape)
        nearest = np.full(shape, np.inf, np.float32)
        for first, last in self.links:
            y0, x0 = np.float32(self.joints[first, 0]), np.float32(self.joints[first, 1])
            ay = np.float32(self.joints[last, 0]) - y0
            ax = np.float32(self.joints[last, 1]) - x0
            py, px = y - y0, x - x0
            length = ay * ay + ax * ax
            radius = np.float32(self.radii[first])
            if length > 0:
                along = np.clip((py * ay + px * ax) / length, 0, 1)
                py, px = py - along * ay, px - along * ax
                widths = radius + along * np.float32(self.radii[last] - self.radii[first])
                distance = np.sqrt(py * py + px * px) - widths
            else:
                distance = np.sqrt(py * py + px * px) - radius
            np.minimum(nearest, distance, out=nearest)
        return nearest


def draw_glands(
    rng: np.random.Generator, outline: Outline, histology: Histology
) -> tuple[Gland, ...]:
    """Draw the glands of the mucosa on a jittered hexagonal grid, and vessels everywhere."""
    glands: list[Gland] = []
    spacing = histology.spacing
    for y, x in _grid(rng, outline, spacing, jitter=0.10):
        depth, bare = outline.at(y, x)
        if depth > 0.35 * histology.radius and bare < 0.5 and rng.random() < 0.95:
            glands.append(_gland(rng, len(glands), y, x, histology))
    for y, x in _grid(rng, outline, 210, jitter=0.30):
        depth, bare = outline.at(y, x)
        if depth > 30 and rng.random() < 0.25 + 0.5 * bare:
            radius = float(np.exp(rng.normal(2.3 + 0.6 * bare, 0.3)))
            shift = rng.normal(0, 0.7 * radius, 2)
            center = np.array([[y, x], [y + shift[0], x + shift[1]]])
            widths = np.array([radius, radius * 0.8])
            glands.append(Gland(len(glands), center, ((0, 1),), widths, 1.5, 2.6, vessel=True))
    return tuple(glands)


def _grid(
    rng: np.random.Generator, outline: Outline, spacing: float, jitter: float
) -> NDArray[np.float64]:
    """Return (n, 2) points y, x of a turned hexagonal grid over the outline's disc."""
    count = int(outline.reach * 1.5 / spacing) + 2
    rows, columns = np.mgrid[-count : count + 1, -count : count + 1]
    y = rows * spacing * np.sqrt(0.75)
    x = (columns + 0.5 * (rows % 2)) * spacing
    turn = rng.uniform(0, np.pi)
    points = np.stack(
        [y * np.cos(turn) - x * np.sin(turn), y * np.sin(turn) + x * np.cos(turn)], axis=-1
    ).reshape(-1, 2)
    points = points + rng.normal(0, jitter * spacing, points.shape)
    points = points[np.hypot(points[:, 0], points[:, 1]) < outline.reach]
    return np.asarray(points + np.array([outline.y, outline.x]))


def _gland(rng: np.random.Generator, index: int, y: float, x: float, look: Histology) -> Gland:
    """Draw one gland: a bent axis of three joints, at times with a side branch."""
    radius = look.radius * float(np.exp(rng.normal(0, look.radius_spread)))
    length = radius * look.elongation * rng.uniform(0.3, 1.25)
    angle, bow = rng.uniform(0, 2 * np.pi), rng.normal(0, 0.22) * length
    along = np.array([np.sin(angle), np.cos(angle)])
    across = np.array([along[1], -along[0]])
    center = np.array([y, x])
    joints = [center - along * length / 2, center + across * bow, center + along * length / 2]
    radii = radius * np.exp(rng.normal(0, 0.4 * look.radius_spread, 3))
    links = [(0, 1), (1, 2)]
    if rng.random() < look.branching:
        side = 1.0 if rng.random() < 0.5 else -1.0
        lean = along * rng.normal(0, 0.5) + across * side
        joints.append(joints[1] + lean * radius * rng.uniform(1.1, 2.2))
        radii = np.append(radii, radius * rng.uniform(0.65, 0.9))
        links.append((1, 3))
    lining = look.lining * float(np.exp(rng.normal(0, 0.06)))
    return Gland(index, np.array(joints), tuple(links), radii, look.bend, lining)
