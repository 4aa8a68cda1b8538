"""Where the tissue is: a mask at a fixed physical scale, and one box per piece.

Every size is in µm, so that a slide gives the same pieces whatever its scanner's resolution.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from skimage.filters import threshold_otsu

from wsistore.levels import Box
from wsistore.regions.glass import Mask, glass_color, optical_density
from wsistore.regions.ink import pen_mask
from wsistore.regions.settings import WITHOUT_RIMS, TissueSettings
from wsistore.regions.thumbnail import Thumbnail


@dataclass(frozen=True)
class Piece:
    """A piece of tissue.

    Attributes:
        box: in overview pixels, margin included, clipped to the overview.
        area_mm2: tissue inside it.
    """

    box: Box
    area_mm2: float


def tissue_mask(overview: Thumbnail, settings: TissueSettings) -> Mask:
    """Return where tissue lies, (h, w) bool, holes filled, ink and specks left out."""
    pixels_per_um = 1 / overview.mpp
    smooth = ndimage.gaussian_filter(
        overview.image.astype(np.float64), (8 * pixels_per_um, 8 * pixels_per_um, 0)
    )
    rounded = np.clip(np.rint(smooth), 0, 255).astype(np.uint8)
    glass = glass_color(overview.image)
    density = optical_density(rounded, glass)
    ink = pen_mask(rounded, overview.mpp, None if settings.method == WITHOUT_RIMS else glass)
    pen = ndimage.binary_dilation(ink, _disk(_radius(24, overview.mpp)))
    usable = density[~pen]
    if usable.size == 0 or usable.max() < settings.min_density:
        return np.zeros(density.shape, bool)
    threshold = float(np.clip(threshold_otsu(usable), settings.min_density, settings.max_density))
    mask = (density > threshold) & ~pen
    close = _disk(_radius(32, overview.mpp))
    edge = len(close)
    padded = np.pad(mask, edge)
    closed = ndimage.binary_closing(padded, close)[edge:-edge, edge:-edge]
    filled = ndimage.binary_fill_holes(closed)
    opened: Mask = ndimage.binary_opening(filled, _disk(_radius(16, overview.mpp)))
    return opened


def _disk(radius: int) -> Mask:
    """Return the pixels at most ``radius`` from the middle one, (2·radius + 1,) · 2 bool."""
    y, x = np.ogrid[-radius : radius + 1, -radius : radius + 1]
    within: Mask = x**2 + y**2 <= radius**2
    return within


def _radius(um: float, mpp: float) -> int:
    return max(round(um / mpp), 1)


def find_pieces(mask: Mask, mpp: float, settings: TissueSettings) -> list[Piece]:
    """Return the pieces of a tissue mask, in no particular order.

    Args:
        mask: (h, w) bool.
        mpp: µm per pixel of the mask.
        settings: sizes; fragments nearer than the gap are joined before the area is judged.
    """
    reach = settings.gap_um / 2 / mpp
    joined = ndimage.distance_transform_edt(~mask) <= reach if mask.any() else mask
    labels, count = ndimage.label(joined, structure=np.ones((3, 3)))
    pieces = []
    margin = round(settings.margin_um / mpp)
    for label, where in enumerate(ndimage.find_objects(labels, count), start=1):
        part = (labels[where] == label) & mask[where]
        area = float(part.sum()) * mpp**2 / 1e6
        if area < settings.min_area_mm2:
            continue
        ys, xs = np.nonzero(part)
        box = Box(
            where[1].start + int(xs.min()),
            where[0].start + int(ys.min()),
            int(xs.max() - xs.min()) + 1,
            int(ys.max() - ys.min()) + 1,
        )
        pieces.append(Piece(box.grown(margin).clipped(mask.shape[1], mask.shape[0]), area))
    return pieces
