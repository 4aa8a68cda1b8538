"""Where the tissue is: a mask at a fixed physical scale, and one box per piece.

Every size is in µm, so that a slide gives the same pieces whatever its scanner's resolution.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.color import rgb2hsv
from skimage.filters import threshold_otsu
from skimage.morphology import disk, reconstruction

from wsistore.geometry import Box
from wsistore.overview import Overview

Mask = NDArray[np.bool_]

METHOD = "optical-density-2"
"""Names this way of finding tissue in a store; another way has another name."""

PEN_MM2 = 0.01
"""The smallest mark that counts as ink."""


@dataclass(frozen=True)
class TissueSettings:
    """How tissue is found; recorded in the store.

    Attributes:
        mpp: µm per pixel of the image it is looked for in.
        min_area_mm2: pieces with less tissue are left out.
        gap_um: fragments nearer than this are one piece.
        margin_um: glass kept around a piece.
        min_density, max_density: bounds of the optical density that separates tissue from glass;
            Otsu's threshold is taken where it lies between them. The upper bound keeps pale
            tissue beside dark tissue, the lower one keeps out shading of the glass.
    """

    mpp: float = 8.0
    min_area_mm2: float = 0.02
    gap_um: float = 100.0
    margin_um: float = 32.0
    min_density: float = 0.04
    max_density: float = 0.08

    def record(self) -> dict[str, float | str]:
        """Return the settings and the method's name, for the store."""
        return {"method": METHOD, **asdict(self)}


@dataclass(frozen=True)
class Piece:
    """A piece of tissue.

    Attributes:
        box: in overview pixels, margin included, clipped to the overview.
        area_mm2: tissue inside it.
    """

    box: Box
    area_mm2: float


def glass_colour(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the colour of the empty glass, (3,) float64 in 0…255.

    It is the most frequent brightness among bright, nearly neutral pixels. Pure white counts only
    where nothing else does: scanners pad with it. An image without any glass gets 245.
    """
    pixels = image.reshape(-1, 3).astype(np.int16)
    spread = pixels.max(axis=1) - pixels.min(axis=1)
    candidates = pixels[(pixels.min(axis=1) > 170) & (spread < 30)]
    scanned = candidates[candidates.min(axis=1) < 255]
    if len(scanned) < 0.02 * len(pixels):
        scanned = candidates
    if len(scanned) < 0.005 * len(pixels):
        return np.full(3, 245.0)
    brightness = scanned.sum(axis=1) // 3
    counts = np.bincount(brightness, minlength=256).astype(np.float64)
    mode = int(np.argmax(ndimage.uniform_filter1d(counts, 3)))
    near = scanned[np.abs(brightness - mode) <= 2]
    colour: NDArray[np.float64] = near.mean(axis=0, dtype=np.float64)
    return colour


def optical_density(image: NDArray[np.uint8], glass: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the largest optical density over the channels, −log((v + 1) / (glass + 1)), ≥ 0.

    Args:
        image: (h, w, 3) uint8.
        glass: (3,) colour of density 0.

    Returns:
        (h, w) float64.
    """
    density = -np.log((image + 1.0) / (glass + 1)).max(axis=2)
    positive: NDArray[np.float64] = np.maximum(density, 0)
    return positive


def pen_mask(image: NDArray[np.uint8], mpp: float) -> Mask:
    """Return where marker ink or a black ring lies, (h, w) bool.

    Ink is greener, bluer or redder than any stain at this scale, or black; its pale rim is found
    by growing strongly coloured seeds through weakly coloured pixels of the same kind. Marks
    below 0.01 mm² are not ink: broken light at the edge of a fold can be as green.

    Args:
        image: (h, w, 3) uint8.
        mpp: µm per pixel.
    """
    hsv = rgb2hsv(image)
    hue, saturation, value = hsv[..., 0] * 360, hsv[..., 1], hsv[..., 2]
    kinds = (
        ((hue > 70) & (hue < 185), 0.25, 0.06),  # green, cyan
        ((hue >= 185) & (hue < 240), 0.50, 0.12),  # blue; haematoxylin alone stays below
        ((hue < 12) | (hue > 350), 0.70, 0.35),  # red
    )
    pen = np.zeros(hue.shape, bool)
    for in_range, strong, weak in kinds:
        pen |= _grow(in_range & (saturation > strong), in_range & (saturation > weak))
    # a thin black stroke is grey at this scale; no stain is both dark and without colour
    dark = ((value < 0.22) & (saturation < 0.6)) | ((value < 0.45) & (saturation < 0.12))
    neutral = (value < 0.75) & (saturation < 0.12)
    pen |= _grow(dark, dark | neutral)
    labels, count = ndimage.label(pen, structure=np.ones((3, 3)))
    large = np.bincount(labels.ravel(), minlength=count + 1) * mpp**2 / 1e6 >= PEN_MM2
    large[0] = False
    kept: Mask = large[labels]
    return kept


def _grow(seeds: Mask, within: Mask) -> Mask:
    """Return the connected parts of ``within`` that hold a seed."""
    if not seeds.any():
        return seeds
    grown: Mask = reconstruction(seeds & within, within, method="dilation").astype(bool)
    return grown


def tissue_mask(overview: Overview, settings: TissueSettings) -> Mask:
    """Return where tissue lies, (h, w) bool, holes filled, ink and specks left out."""
    pixels_per_um = 1 / overview.mpp
    smooth = ndimage.gaussian_filter(
        overview.image.astype(np.float64), (8 * pixels_per_um, 8 * pixels_per_um, 0)
    )
    rounded = np.clip(np.rint(smooth), 0, 255).astype(np.uint8)
    density = optical_density(rounded, glass_colour(overview.image))
    pen = ndimage.binary_dilation(pen_mask(rounded, overview.mpp), disk(_radius(24, overview.mpp)))
    usable = density[~pen]
    if usable.size == 0 or usable.max() < settings.min_density:
        return np.zeros(density.shape, bool)
    threshold = float(np.clip(threshold_otsu(usable), settings.min_density, settings.max_density))
    mask = (density > threshold) & ~pen
    close = disk(_radius(32, overview.mpp))
    edge = len(close)
    padded = np.pad(mask, edge)
    closed = ndimage.binary_closing(padded, close)[edge:-edge, edge:-edge]
    filled = ndimage.binary_fill_holes(closed)
    opened: Mask = ndimage.binary_opening(filled, disk(_radius(16, overview.mpp)))
    return opened


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
