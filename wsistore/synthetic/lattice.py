"""The coarse lattice on which a slide's slow fields live, and the way from there to pixels."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wsistore.synthetic.noise import Float, periodic_noise

FIBRE_SIDE = 1024

Index = NDArray[np.int64]
Place = tuple[slice, slice]
Box = tuple[float, float, float, float]
"""A rectangle (y0, x0, y1, x1) in µm."""


@dataclass(frozen=True, slots=True)
class Window:
    """A rectangle of lattice nodes; node (i, j) lies at pixel (i·step, j·step), i down, j right.

    Attributes:
        top, left: index of the first node.
        rows, columns: number of nodes.
    """

    top: int
    left: int
    rows: int
    columns: int

    def nodes(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the node indices (rows,) and (columns,), int64."""
        return (
            np.arange(self.top, self.top + self.rows),
            np.arange(self.left, self.left + self.columns),
        )

    def box(self, node: float) -> Box:
        """Return the rectangle between the outermost nodes, for `node` µm between nodes."""
        bottom, right = self.top + self.rows - 1, self.left + self.columns - 1
        return self.top * node, self.left * node, bottom * node, right * node

    def places(self, node: float) -> tuple[Float, Float]:
        """Return y (rows, 1) and x (1, columns) of the nodes in µm, float32."""
        rows, columns = self.nodes()
        y = rows.astype(np.float32)[:, None] * np.float32(node)
        x = columns.astype(np.float32)[None, :] * np.float32(node)
        return y, x

    def nearest(
        self, y: NDArray[np.float64], x: NDArray[np.float64], node: float
    ) -> tuple[Index, Index]:
        """Return row and column in the window of the node nearest to each point (n,) in µm.

        They are out of range for points outside of the window.
        """
        rows, columns = np.rint(y / node).astype(np.int64), np.rint(x / node).astype(np.int64)
        return rows - self.top, columns - self.left

    def overlap(self, other: "Window") -> "Window | None":
        """Return the nodes in both windows, or None."""
        top, left = max(self.top, other.top), max(self.left, other.left)
        rows = min(self.top + self.rows, other.top + other.rows) - top
        columns = min(self.left + self.columns, other.left + other.columns) - left
        return Window(top, left, rows, columns) if rows > 0 and columns > 0 else None

    def part(self, inner: "Window") -> Place:
        """Return the slices that cut `inner`, which lies inside, out of a field on this window."""
        top, left = inner.top - self.top, inner.left - self.left
        return slice(top, top + inner.rows), slice(left, left + inner.columns)


def covering(box: Box, node: float) -> Window:
    """Return the smallest window that holds a rectangle, for `node` µm between nodes."""
    top, left = int(np.floor(box[0] / node)), int(np.floor(box[1] / node))
    bottom, right = int(np.ceil(box[2] / node)), int(np.ceil(box[3] / node))
    return Window(top, left, bottom - top + 1, right - left + 1)


def tiled(texture: Float, rows: Index, columns: Index) -> Float:
    """Return the periodic `texture` at every (row, column), float32 (rows, columns)."""
    taken = np.take(np.take(texture, rows, axis=0, mode="wrap"), columns, axis=1, mode="wrap")
    return np.asarray(taken, dtype=np.float32)


def upsample(nodes: Float, step: int) -> Float:
    """Interpolate bilinearly from lattice nodes (n + 1, m + 1) to pixels (n·step, m·step).

    Pixel `k·step` equals node `k`. A pixel depends on its four nodes alone, by the same
    operations wherever the window begins, so that windows agree bit for bit.
    """
    n, m = nodes.shape[0] - 1, nodes.shape[1] - 1
    wide = np.empty((n + 1, m, step), np.float32)
    slope = nodes[:, 1:] - nodes[:, :-1]
    out = np.empty((n, step, m * step), np.float32)
    for k in range(step):
        weight = np.float32(k / step)
        np.multiply(slope, weight, out=wide[:, :, k])
        wide[:, :, k] += nodes[:, :-1]
    flat = wide.reshape(n + 1, m * step)
    slope = flat[1:] - flat[:-1]
    for k in range(step):
        np.multiply(slope, np.float32(k / step), out=out[:, k])
        out[:, k] += flat[:-1]
    return out.reshape(n * step, m * step)


@dataclass(frozen=True, slots=True)
class Textures:
    """Periodic textures; those "on nodes" hold one value per lattice node.

    Their periods differ, so that no combination of them repeats within a slide's tissue.

    Attributes:
        warp_y, warp_x: on nodes, about 70 µm long: bends fibres.
        rough_y, rough_x: on nodes, 14 µm long: irregular outlines.
        patch: on nodes, 110 µm long: uneven stain.
        cluster: on nodes, 60 µm long: groups of cells.
        fibre: (1024, 1024) per pixel, flattened: long along x, for the stroma.
        grain: per pixel: cytoplasm.
        camera: per pixel: noise of the camera, in units of optical density.
    """

    warp_y: Float
    warp_x: Float
    rough_y: Float
    rough_x: Float
    patch: Float
    cluster: Float
    fibre: Float
    grain: Float
    camera: Float


def draw_textures(rng: np.random.Generator, mpp: float, step: int, noise: float) -> Textures:
    """Draw the textures of a slide of `mpp` µm per pixel with a lattice of `step` pixels."""
    node = mpp * step

    def on_nodes(side: int, length: float, slope: float = 1.5) -> Float:
        return periodic_noise(rng, (side, side), (length / node,) * 2, slope)

    side = (FIBRE_SIDE, FIBRE_SIDE)
    coarse = periodic_noise(rng, side, (2.2 / mpp, 13 / mpp), 1.3)
    fine = periodic_noise(rng, side, (0.8 / mpp, 3.5 / mpp), 1.0)
    fibre = np.tanh(0.75 * (0.7 * coarse + 0.6 * fine))
    return Textures(
        warp_y=on_nodes(648, 36, 2.0),
        warp_x=on_nodes(600, 36, 2.0),
        rough_y=on_nodes(500, 9, 2.0),
        rough_x=on_nodes(512, 9, 2.0),
        patch=on_nodes(625, 70, 1.5),
        cluster=on_nodes(576, 32, 1.8),
        fibre=fibre.astype(np.float32).ravel(),
        grain=periodic_noise(rng, (480, 480), (0.9 / mpp, 0.9 / mpp), 1.2),
        camera=(rng.standard_normal((486, 512)) * noise).astype(np.float32),
    )
