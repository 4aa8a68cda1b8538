"""Nuclei scattered in the stroma and along the border, drawn block by block from counters."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from wsistore.synthetic.lattice import Box, Textures, Window, covering, tiled
from wsistore.synthetic.noise import Float
from wsistore.synthetic.scene.outline import Hole
from wsistore.synthetic.scene.scene import Domain, Piece, Scene
from wsistore.synthetic.scene.traits import Histology
from wsistore.synthetic.tissue.sprites import VARIANTS, Kind, Layer, Stamps, join, sprite_number

FAR = np.float32(40.0)
"""Distances are cut off at ± this many µm, where nothing depends on them any more."""
_NOTHING = -4.0
"""Below this depth, fraying fibres leave no trace either."""


@dataclass(frozen=True, slots=True)
class Ground:
    """Fields on the nodes of a window, (rows, columns).

    Attributes:
        owner: int32, the piece each node belongs to, -1 far from all.
        border: float32, distance inside the border of the piece in µm.
        depth: the same, negative in holes too.
        bare: float32, 1 in the submucosa, 0 in the mucosa.
        rim: float32, thickness in µm of the epithelium that covers the border nearby.
    """

    owner: NDArray[np.int32]
    border: Float
    depth: Float
    bare: Float
    rim: Float


def lay_ground(
    window: Window, pieces: dict[int, Piece], textures: Textures, node: float
) -> Ground | None:
    """Lay the pieces of tissue, by index, on a window; return None where all of it is glass."""
    rows, columns = window.nodes()
    y, x = window.places(node)
    rough = tiled(textures.rough_y, rows, columns)
    fray = tiled(textures.cluster, rows, columns) + np.float32(0.45) * rough
    border = np.full((window.rows, window.columns), -FAR, np.float32)
    bare, rim = np.zeros_like(border), np.zeros_like(border)
    owner = np.full(border.shape, -1, np.int32)
    for index, piece in pieces.items():
        outline = piece.outline
        frayed = outline.depth(y, x) + np.float32(outline.rough) * fray
        mine = frayed > border
        np.maximum(border, frayed, out=border)
        owner[mine] = index
        submucosa = outline.submucosa(y, x)
        bare = np.where(mine, submucosa, bare)
        cover = np.float32(piece.histology.lining) * outline.covered(y, x) * (1 - submucosa)
        rim = np.where(mine, cover, rim)
    np.minimum(border, FAR, out=border)
    if border.max() <= _NOTHING:
        return None
    depth = border.copy()
    for index, piece in pieces.items():
        _dig(depth, window, piece.holes, owner == index, rough, node)
    return Ground(owner, border, np.maximum(depth, -FAR), bare, rim)


def _dig(
    depth: Float,
    window: Window,
    holes: tuple[Hole, ...],
    mine: NDArray[np.bool_],
    rough: Float,
    node: float,
) -> None:
    """Cut the holes of a piece out of its nodes, in place."""
    for hole in holes:
        place = window.overlap(covering(hole.box(float(FAR) / 2), node))
        if place is None:
            continue
        part = window.part(place)
        distance = hole.distance(*place.places(node))
        if hole.tear:
            distance = distance + np.float32(2.5) * rough[part]
        depth[part] = np.where(mine[part], np.minimum(depth[part], distance), depth[part])


_BLOCK = 240.0
"""Side of a block in µm; a block's candidates come from one generator."""
_CELLS = {Kind.SPINDLE: 15.0, Kind.ROUND: 6.6, Kind.EPITHELIAL: 5.0}
"""Side of the square in which at most one nucleus of a kind lies, in µm."""

Points = NDArray[np.float64]
Dice = NDArray[np.float32]


class Stroma:
    """The nuclei of a slide that belong to no gland.

    Every square of a grid holds one candidate, drawn from the scene's counters; the density of the
    tissue at its place decides whether it exists.

    Args:
        scene: the slide.
        node: distance between lattice nodes in µm.
    """

    def __init__(self, scene: Scene, node: float) -> None:
        self._scene, self._node = scene, node
        self._block = lru_cache(maxsize=512)(self._draw_block)

    def scatter(
        self,
        window: Window,
        ground: Ground,
        index: int,
        look: Histology,
        outer: Float,
        cluster: Float,
        across: Float,
    ) -> list[Stamps]:
        """Return fibroblasts, turned along the fibres, and inflammatory cells of piece `index`.

        Args:
            window, ground: where, and what lies there.
            index, look: the piece.
            outer: distance to the nearest gland, on nodes.
            cluster: noise that gathers inflammatory cells, on nodes.
            across: coordinate across the fibres, on nodes.
        """
        bare = ground.bare
        free = (outer > 2.5) & (ground.depth > 2.0) & (ground.owner == index)
        crowd = np.clip(np.float32(0.85) + np.float32(0.5) * cluster, 0.1, 2.4)
        spindles = look.spindle_density * _area(Kind.SPINDLE) * (1 - 0.35 * bare)
        rounds = look.round_density * _area(Kind.ROUND) * crowd * (1 - 0.85 * bare)
        points, dice, i, j = self._chosen(window, Kind.SPINDLE, free, spindles)
        slope_y, slope_x = _slope(across, i, j)
        angle = np.arctan2(slope_x, -slope_y)
        parts = [_stamped(Kind.SPINDLE, points, dice, 1.0, 1.0, angle)]
        points, dice, i, j = self._chosen(window, Kind.ROUND, free, rounds)
        angle = dice[:, 3] * np.float32(np.pi)
        parts.append(
            _stamped(Kind.ROUND, points, dice, look.round_size, look.round_strength, angle)
        )
        return parts

    def cover(
        self, window: Window, ground: Ground, index: int, look: Histology, outer: Float
    ) -> Stamps:
        """Return the nuclei of the epithelium that covers the border of piece `index`."""
        base = ground.border - ground.rim
        band = np.abs(base + 3.6 + 2.4 * look.layers) < 0.6 + 2.4 * look.layers
        free = band & (outer > 1) & (ground.rim > 9) & (ground.owner == index)
        if not free.any():
            return join([])
        points, dice, i, j = self._chosen(window, Kind.EPITHELIAL, free, np.ones_like(base))
        slope_y, slope_x = _slope(base, i, j)
        angle = np.arctan2(slope_y, slope_x)
        return _stamped(
            Kind.EPITHELIAL, points, dice, look.lining_size, look.lining_strength, angle
        )

    def _chosen(
        self, window: Window, kind: Kind, free: NDArray[np.bool_], share: Float
    ) -> tuple[Points, Dice, NDArray[np.int64], NDArray[np.int64]]:
        """Return the candidates that exist: points (n, 2) in µm, dice (n, 4), nodes (n,), (n,)."""
        points, dice = self._candidates(kind, window.box(self._node))
        i, j = window.nearest(points[:, 0], points[:, 1], self._node)
        kept = free[i, j] & (dice[:, 0] < share[i, j])
        return points[kept], dice[kept], i[kept], j[kept]

    def _candidates(self, kind: Kind, box: Box) -> tuple[Points, Dice]:
        """Return points (n, 2) of y, x inside a box in µm, and (n, 4) numbers in [0, 1)."""
        y0, x0, y1, x1 = box
        points, dice = [np.empty((0, 2))], [np.empty((0, 4), np.float32)]
        for i in range(int(y0 // _BLOCK), int(y1 // _BLOCK) + 1):
            for j in range(int(x0 // _BLOCK), int(x1 // _BLOCK) + 1):
                block_points, block_dice = self._block(kind, i, j)
                kept = (block_points >= (y0, x0)).all(1) & (block_points < (y1, x1)).all(1)
                points.append(block_points[kept])
                dice.append(block_dice[kept])
        return np.concatenate(points), np.concatenate(dice)

    def _draw_block(self, kind: Kind, i: int, j: int) -> tuple[Points, Dice]:
        # blocks begin before the slide's first pixel; counters must not be negative
        rng = self._scene.stream(Domain.CELLS, kind, i + 2**20, j + 2**20)
        side = _CELLS[kind]
        count = int(_BLOCK / side)
        rows, columns = np.divmod(np.arange(count * count), count)
        corners = np.stack([rows, columns], axis=1)
        points = (corners + rng.random((len(corners), 2))) * side
        points += (i * _BLOCK, j * _BLOCK)
        return points, rng.random((len(corners), 4), dtype=np.float32)


def _area(kind: Kind) -> float:
    """Return the area of a candidate's square in mm²."""
    return _CELLS[kind] ** 2 / 1e6


def _slope(field: Float, i: NDArray[np.int64], j: NDArray[np.int64]) -> tuple[Float, Float]:
    """Return differences of `field` along y and x around nodes (n,), (n,)."""
    # nodes on the rim of a window only serve sprites that do not reach its inner part
    i, j = np.clip(i, 1, field.shape[0] - 2), np.clip(j, 1, field.shape[1] - 2)
    return field[i + 1, j] - field[i - 1, j], field[i, j + 1] - field[i, j - 1]


def _stamped(
    kind: Kind,
    points: Points,
    dice: Dice,
    size: float,
    strength: float,
    angle: Float,
) -> Stamps:
    """Return a nucleus at each of (n, 2) `points`, its looks decided by its (n, 4) `dice`."""
    turn = angle + np.float32(0.5) * (dice[:, 3] - np.float32(0.5))
    variant = dice[:, 2].astype(np.float64) * VARIANTS
    return Stamps(
        y=points[:, 0],
        x=points[:, 1],
        number=sprite_number(kind, size, dice[:, 1], turn, np.floor(variant)),
        strength=strength * (0.8 + 0.4 * (variant % 1)),
        layer=np.full(len(points), int(Layer.NUCLEI), np.int64),
    )
