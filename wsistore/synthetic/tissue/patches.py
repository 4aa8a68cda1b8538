"""A gland on the lattice: distances to its outline and its lumen, and the cells of its lining."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from skimage.measure import find_contours

from wsistore.synthetic.lattice import Textures, Window, covering, tiled
from wsistore.synthetic.noise import Float
from wsistore.synthetic.scene.glands import Gland
from wsistore.synthetic.scene.traits import Histology
from wsistore.synthetic.tissue.sprites import Kind, Layer, Stamps, drawn, join

_GAP = 9.0
"""Stroma that is left between neighbouring glands, in µm."""


@dataclass(frozen=True, slots=True)
class Patch:
    """One gland on a window of the lattice.

    Attributes:
        window: the nodes it covers.
        outer: (rows, columns) signed distance to the outline in µm, negative inside.
        inner: the same for the lumen.
        content: secretion in the lumen, 0 to 1.
        stamps: the cells of its lining, and the red cells of a vessel.
    """

    window: Window
    outer: Float
    inner: Float
    content: Float
    stamps: Stamps


def draw_patch(
    rng: np.random.Generator,
    gland: Gland,
    neighbors: list[Gland],
    look: Histology,
    textures: Textures,
    node: float,
) -> Patch:
    """Put a gland on the lattice of `node` µm, pressed flat where it meets a neighbour."""
    window = covering(gland.box(), node)
    rows, columns = window.nodes()
    bend_y, bend_x = tiled(textures.rough_y, rows, columns), tiled(textures.rough_x, rows, columns)
    amplitude = np.float32(gland.bend)
    y, x = window.places(node)
    y, x = y + amplitude * bend_y, x + amplitude * bend_x
    outer = gland.distance(y, x)
    alone = outer
    for other in neighbors:
        shared = (alone - other.distance(y, x) + np.float32(_GAP)) * np.float32(0.5)
        outer = np.maximum(outer, shared)
    ragged = np.float32(0.10 * gland.lining)
    inner = outer + np.float32(gland.lining) + ragged * (bend_y - bend_x)
    cells = _vessel_cells if gland.vessel else _lining_cells
    y0, x0 = window.top * node, window.left * node
    parts = [
        replace(stamps, y=stamps.y + y0, x=stamps.x + x0)
        for stamps in cells(rng, gland, look, outer, inner, node)
    ]
    fill = np.float32(0 if gland.vessel else max(0.0, rng.uniform(-0.3, 1.0)))
    uneven = np.clip(np.float32(0.6) + np.float32(0.5) * bend_x, 0, 1)
    content = np.where(inner < 2, fill * uneven, np.float32(0))
    return Patch(window, outer, inner, content, join(parts))


def _walk(
    rng: np.random.Generator, field: Float, level: float, node: float, pitch: float, jitter: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return points every `pitch` µm along the line `field` = `level`, (n, 2), and its direction.

    Points are in µm from the patch's first node; `jitter` scatters them along the line, as a
    share of the pitch.
    """
    found, ways = [np.empty((0, 2))], [np.empty(0)]
    for contour in find_contours(field, level):  # type: ignore[no-untyped-call]
        line = np.asarray(contour, dtype=np.float64) * node
        lengths = np.hypot(*np.diff(line, axis=0).T)
        reached = np.concatenate([[0], np.cumsum(lengths)])
        count = int(reached[-1] / pitch)
        if count < 4:
            continue
        places = (np.arange(count) + rng.uniform(-jitter, jitter, count)) * (reached[-1] / count)
        places = places % reached[-1]
        points = np.stack([np.interp(places, reached, line[:, k]) for k in (0, 1)], axis=1)
        ahead = (places + 3.0) % reached[-1]
        beyond = np.stack([np.interp(ahead, reached, line[:, k]) for k in (0, 1)], axis=1)
        found.append(points)
        ways.append(np.arctan2(*(beyond - points).T))
    return np.concatenate(found), np.concatenate(ways)


def _lining_cells(
    rng: np.random.Generator, gland: Gland, look: Histology, outer: Float, inner: Float, node: float
) -> list[Stamps]:
    """Return the nuclei, goblet cells and lymphocytes of an epithelium."""
    parts = []
    size, strength, rows = look.lining_size, look.lining_strength, look.layers
    for row in range(rows):
        depth = 5.2 + row * (gland.lining - 12.0) / max(rows - 1, 1)
        points, way = _walk(rng, outer, -depth, node, 5.6 * size + 0.5 * row, 0.12 + 0.1 * rows)
        inward = np.stack([-np.cos(way), np.sin(way)], axis=1)
        count = len(points)
        nuclei = points + rng.normal(0, look.disorder, count)[:, None] * inward
        turned = way + np.pi / 2 + rng.normal(0, 0.08 + 0.08 * look.disorder, count)
        i, j = np.rint(nuclei / node).astype(np.int64).T
        kept = inner[i, j] > 3.2
        parts.append(
            drawn(
                rng,
                nuclei[kept],
                Kind.EPITHELIAL,
                Layer.NUCLEI,
                size=size,
                strength=strength,
                angle=turned[kept],
            )
        )
        if row > 0:
            continue
        share = 5.6 * size / 100
        goblet = rng.random(count) < look.goblets * share
        mucin = points[goblet] + (0.68 * gland.lining - depth) * inward[goblet]
        angle = way[goblet] + np.pi / 2
        parts.append(drawn(rng, mucin, Kind.GOBLET, Layer.MUCIN, size=0.88, angle=angle))
        guest = rng.random(count) < look.lymphocytes * share
        points = points[guest] + rng.normal(0, 2.0, (int(guest.sum()), 2))
        paleness = look.round_strength
        parts.append(drawn(rng, points, Kind.ROUND, Layer.NUCLEI, size=0.85, strength=paleness))
    return parts


def _vessel_cells(
    rng: np.random.Generator, gland: Gland, look: Histology, outer: Float, inner: Float, node: float
) -> list[Stamps]:
    """Return the flat nuclei of a vessel's wall and the red cells in it."""
    points, way = _walk(rng, outer, -1.6, node, 17.0, 0.35)
    parts = [drawn(rng, points, Kind.SPINDLE, Layer.NUCLEI, size=0.85, angle=way)]
    fill = rng.uniform(-0.3, 1.0)
    rows, columns = np.nonzero(inner < -2.8)
    kept = rng.random(len(rows)) < fill * node * node / 22
    points = np.stack([rows[kept], columns[kept]], axis=1).astype(np.float64)
    points = (points + rng.uniform(-0.5, 0.5, points.shape)) * node
    parts.append(drawn(rng, points, Kind.RED_CELL, Layer.EOSIN))
    return parts
