"""The coarse fields of a window of a slide: everything that varies over micrometres."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from wsistore.synthetic.lattice import Box, Textures, Window, tiled
from wsistore.synthetic.noise import Float
from wsistore.synthetic.scene.glands import MARGIN
from wsistore.synthetic.scene.scene import Domain, Scene
from wsistore.synthetic.tissue.cells import FAR, Ground, Stroma, lay_ground
from wsistore.synthetic.tissue.patches import Patch, draw_patch
from wsistore.synthetic.tissue.sprites import Stamps, join


@dataclass(frozen=True, slots=True)
class Fields:
    """Fields on the nodes of a window, each float32 (rows, columns).

    Attributes:
        depth: distance inside the tissue in µm, negative on glass and in holes.
        outer, inner: signed distance to the outline and the lumen of the nearest gland.
        content: secretion in the lumen, 0 to 1.
        along, across: coordinates in the fibre texture, in pixels.
        eosin, haematoxylin: stain of the stroma.
        bundle: contrast of its fibres.
        stamps: all sprites that reach the window.
    """

    depth: Float
    outer: Float
    inner: Float
    content: Float
    along: Float
    across: Float
    eosin: Float
    haematoxylin: Float
    bundle: Float
    stamps: Stamps


class Painter:
    """Evaluates the coarse fields of one scene.

    Args:
        scene: the slide.
        textures: its noise.
        mpp: µm per pixel.
        step: pixels between lattice nodes.
    """

    def __init__(self, scene: Scene, textures: Textures, mpp: float, step: int) -> None:
        self._scene, self._textures = scene, textures
        self._mpp, self._node = mpp, mpp * step
        self._stroma = Stroma(scene, self._node)
        self._patch = lru_cache(maxsize=1024)(self._draw_patch)

    def paint(self, window: Window) -> Fields | None:
        """Evaluate the fields of `window`, or return None where all of it is glass."""
        y0, x0, y1, x1 = window.box(self._node)
        pieces = {}
        for index, piece in enumerate(self._scene.pieces):
            o = piece.outline
            reach = o.reach + 8 * o.rough
            if y0 < o.y + reach and y1 > o.y - reach and x0 < o.x + reach and x1 > o.x - reach:
                pieces[index] = piece
        ground = lay_ground(window, pieces, self._textures, self._node) if pieces else None
        return None if ground is None else self._grow(window, ground, list(pieces))

    def _grow(self, window: Window, ground: Ground, pieces: list[int]) -> Fields:
        """Grow glands, fibres and cells on the ground."""
        t = self._textures
        outer, inner, content, parts = self._glands(window, ground, pieces)
        rows, columns = window.nodes()
        y, x = window.places(self._node)
        scale = np.float32(1 / self._mpp)
        bend = np.float32(24 * scale)
        # fibres run around glands: the texture's rows follow the distance to the outline there
        near = np.clip(outer, 0, np.float32(MARGIN)) / np.float32(MARGIN)
        collar = np.float32(7) * near * (2 - near) * scale
        along = x * scale + bend * tiled(t.warp_x, rows, columns)
        across = y * scale + bend * tiled(t.warp_y, rows, columns) + collar
        cluster = tiled(t.cluster, rows, columns)
        for index in pieces:
            look = self._scene.pieces[index].histology
            parts += self._stroma.scatter(window, ground, index, look, outer, cluster, across)
            parts.append(self._stroma.cover(window, ground, index, look, outer))
        lined = (ground.rim > 4) & (ground.border < ground.rim + 4)
        eosin = np.float32(0.46) + np.float32(0.05) * tiled(t.patch, rows, columns)
        pale = np.float32(0.07) * ground.bare
        return Fields(
            depth=ground.depth,
            outer=np.where(lined, np.minimum(outer, ground.border - ground.rim), outer),
            inner=np.where(lined, np.minimum(inner, ground.border), inner),
            content=content,
            along=along,
            across=across,
            eosin=eosin * (1 + np.float32(0.25) * ground.bare),
            haematoxylin=np.float32(0.13) + np.float32(0.015) * cluster - pale,
            bundle=np.float32(0.42) + np.float32(0.2) * ground.bare,
            stamps=self._on_tissue(window, join(parts), ground),
        )

    def _glands(
        self, window: Window, ground: Ground, pieces: list[int]
    ) -> tuple[Float, Float, Float, list[Stamps]]:
        """Return outer, inner and content of all glands on the window, and their cells."""
        shape = (window.rows, window.columns)
        outer, inner = np.full(shape, FAR), np.full(shape, FAR)
        content = np.zeros(shape, np.float32)
        parts = []
        for index in pieces:
            mine = ground.owner == index
            for number in _near(self._scene.pieces[index].boxes, window.box(self._node)):
                patch = self._patch(index, number)
                place = window.overlap(patch.window)
                if place is None:
                    continue
                here, there = window.part(place), patch.window.part(place)
                own = mine[here]
                np.minimum(outer[here], patch.outer[there], out=outer[here], where=own)
                np.minimum(inner[here], patch.inner[there], out=inner[here], where=own)
                np.maximum(content[here], patch.content[there], out=content[here], where=own)
                parts.append(self._owned(window, patch.stamps, ground, index))
        return outer, inner, content, parts

    def _draw_patch(self, index: int, number: int) -> Patch:
        piece = self._scene.pieces[index]
        gland = piece.glands[number]
        others = [piece.glands[k] for k in _near(piece.boxes, gland.box()) if k != number]
        rng = self._scene.stream(Domain.GLAND, index, number)
        return draw_patch(rng, gland, others, piece.histology, self._textures, self._node)

    def _owned(self, window: Window, stamps: Stamps, ground: Ground, index: int) -> Stamps:
        """Return the stamps whose centre lies in the window, on the piece `index`."""
        i, j = window.nearest(stamps.y, stamps.x, self._node)
        inside = (i >= 0) & (i < window.rows) & (j >= 0) & (j < window.columns)
        inside[inside] = ground.owner[i[inside], j[inside]] == index
        return stamps.where(inside)

    def _on_tissue(self, window: Window, stamps: Stamps, ground: Ground) -> Stamps:
        """Return the stamps whose centre lies on tissue; all centres lie in the window."""
        i, j = window.nearest(stamps.y, stamps.x, self._node)
        return stamps.where(ground.depth[i, j] > 1.5)


def _near(boxes: NDArray[np.float64], box: Box) -> list[int]:
    """Return the indices of the (n, 4) `boxes` that overlap `box`."""
    y0, x0, y1, x1 = box
    hit = (boxes[:, 0] < y1) & (boxes[:, 2] > y0) & (boxes[:, 1] < x1) & (boxes[:, 3] > x0)
    found: list[int] = np.flatnonzero(hit).tolist()
    return found
