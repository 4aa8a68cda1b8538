"""Where there is tissue, and of which piece: the first fields of a window."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wsistore.sample.lattice import Window, covering, tiled
from wsistore.sample.noise import Float
from wsistore.sample.outline import Hole
from wsistore.sample.scene import Piece
from wsistore.sample.textures import Textures

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
