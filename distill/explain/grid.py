"""Where the cells of a feature map are on the slide, and how two maps meet. Pure arithmetic.

**Where a cell is centred.** Every convolution and pool of our networks has an odd kernel of 2p + 1
taps, padding p and a stride s: its output i weighs the inputs s·i - p … s·i + p, centred on s·i. By
induction cell i of a map of stride 32 is centred on the *centre of pixel* 32·i: cell 0 on the first
pixel, not on the middle of the first 32 pixels. To stretch a map over the picture, as is often
done, shows every cell 15.5 pixels too far to the right and down. (The group norms look everywhere,
but alike in every direction.)
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from wsistore import AxisGrid, PixelGrid

Map = NDArray[np.float64]
"""(h, w) float64, the cells of a map."""


def cell_grid(pixels: PixelGrid, stride: int) -> PixelGrid:
    """Return where the cells of a feature map are.

    Args:
        pixels: of the level that the network took, from `wsistore.Crop.grid`.
        stride: pixels per cell; n pixels have ⌈n / stride⌉ cells.
    """
    return PixelGrid(_cells(pixels.x, stride), _cells(pixels.y, stride))


def _cells(pixels: AxisGrid, stride: int) -> AxisGrid:
    return AxisGrid(pixels.first, stride * pixels.step, -(-pixels.count // stride))


def smooth(cells: Map, grid: PixelGrid, pixels: PixelGrid, size: tuple[int, int]) -> Map:
    """Return a map as a picture of its crop shows it: bilinear between the centres of the cells.

    Beyond the outermost centres the nearest value goes on. So no pixel is higher or lower than the
    cells around it.

    Args:
        cells: (h, w) on `grid`.
        grid: where the cells are.
        pixels: a level of the crop; the picture covers it from outer edge to outer edge.
        size: height and width of the picture.

    Returns:
        (height, width) float64.
    """
    at = [
        (_centers(level, count) - axis.first) / axis.step
        for axis, level, count in zip((grid.y, grid.x), (pixels.y, pixels.x), size, strict=True)
    ]
    shown: Map = ndimage.map_coordinates(
        cells, np.meshgrid(*at, indexing="ij"), order=1, mode="nearest"
    )
    return shown


def _centers(level: AxisGrid, count: int) -> Map:
    """Return the µm of the centres of `count` equal parts of a level along an axis."""
    parts = np.arange(count, dtype=np.float64) + 0.5
    return level.edge(0) + parts * (level.count * level.step / count)


def averaged(values: Map, fine: PixelGrid, coarse: PixelGrid) -> Map:
    """Return a map on a coarser grid: the mean over each coarse cell's area.

    A cell reaches half a step from its centre. A coarse cell's value is the mean of the fine cells
    that it overlaps, each weighed by the area of the overlap; what no fine cell covers is left out.

    Args:
        values: (h, w) on `fine`.
        fine: the grid of `values`.
        coarse: the grid wanted, of the same slide.

    Returns:
        (h', w') float64, the size of `coarse`.
    """
    down, across = _overlaps(fine.y, coarse.y), _overlaps(fine.x, coarse.x)
    result: Map = down @ values @ across.T
    return result


def _overlaps(fine: AxisGrid, coarse: AxisGrid) -> Map:
    """Return (coarse, fine): the share that each fine cell has in a coarse one's mean."""
    fines, coarses = (
        span.first + (np.arange(span.count + 1) - 0.5) * span.step for span in (fine, coarse)
    )
    ends = np.minimum(coarses[1:, None], fines[None, 1:])
    starts = np.maximum(coarses[:-1, None], fines[None, :-1])
    length = np.clip(ends - starts, 0, None)
    shares: Map = length / length.sum(1, keepdims=True)
    return shares
