"""Where the tissue is: a mask at a fixed physical scale, and one box per piece.

Every size is in µm, so that a slide gives the same pieces whatever its scanner's resolution.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.color import rgb2hsv
from skimage.filters import threshold_otsu

from wsistore.levels.box import Box
from wsistore.overview import Overview
from wsistore.settings import WITHOUT_RIMS, TissueSettings

Mask = NDArray[np.bool_]

PEN_MM2 = 0.01
"""The smallest mark that counts as ink."""

RIM_NEUTRALITY = 0.7
"""Smallest ratio of a rim's optical densities over its channels: black ink absorbs all alike."""

RIM_DENSITY = 0.06
"""Optical density above which a pixel is a rim and not glass."""


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
    *_, low, high = _extremes(image)
    candidates = image[(low > 170) & (high - low < 30)].astype(np.int16)
    scanned = candidates[(candidates < 255).any(axis=1)]
    if len(scanned) < 0.02 * low.size:
        scanned = candidates
    if len(scanned) < 0.005 * low.size:
        return np.full(3, 245.0)
    brightness = scanned.sum(axis=1) // 3
    counts = np.bincount(brightness, minlength=256).astype(np.float64)
    mode = int(np.argmax(ndimage.uniform_filter1d(counts, 3)))
    near = scanned[np.abs(brightness - mode) <= 2]
    colour: NDArray[np.float64] = near.mean(axis=0, dtype=np.float64)
    return colour


def _extremes(image: NDArray[np.uint8]) -> list[NDArray[np.int16]]:
    """Return red, green, blue, their smallest and their largest, each (h, w) int16."""
    red, green, blue = (image[..., channel].astype(np.int16) for channel in range(3))
    low = np.minimum(np.minimum(red, green), blue)
    high = np.maximum(np.maximum(red, green), blue)
    return [red, green, blue, low, high]


def optical_density(image: NDArray[np.uint8], glass: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the smallest optical density over the channels, −log((v + 1) / (glass + 1)), ≥ 0.

    Args:
        image: (h, w, 3) uint8.
        glass: (3,) colour of density 0.

    Returns:
        (h, w) float64.
    """
    red, green, blue = _densities(image, glass)
    positive: NDArray[np.float64] = np.maximum(np.minimum(np.minimum(red, green), blue), 0)
    return positive


def _densities(image: NDArray[np.uint8], glass: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Return the optical density of red, green and blue, each (h, w) float64."""
    # a logarithm for each of 256 values, not for each pixel
    of_value = -np.log((np.arange(256)[:, np.newaxis] + 1.0) / (glass + 1))
    return [of_value[image[..., channel], channel] for channel in range(3)]


def pen_mask(
    image: NDArray[np.uint8], mpp: float, glass: NDArray[np.float64] | None = None
) -> Mask:
    """Return where marker ink or a black ring lies, (h, w) bool.

    Ink is greener, bluer or redder than any stain at this scale, or black; its pale rim is found
    by growing strongly coloured seeds through weakly coloured pixels of the same kind. Marks
    below 0.01 mm² are not ink: broken light at the edge of a fold can be as green.

    Args:
        image: (h, w, 3) uint8.
        mpp: µm per pixel.
        glass: (3,) its color, which the brown or bluish rim of black ink is told by; without it,
            that rim is not ink.
    """
    hsv = _hsv_of_ink(image)
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
    if glass is not None and dark.any():
        neutral |= _rim_of_black(image, glass)
    pen |= _grow(dark, dark | neutral)
    labels, count = ndimage.label(pen, structure=np.ones((3, 3)))
    large = np.bincount(labels.ravel(), minlength=count + 1) * mpp**2 / 1e6 >= PEN_MM2
    large[0] = False
    kept: Mask = large[labels]
    return kept


def _rim_of_black(image: NDArray[np.uint8], glass: NDArray[np.float64]) -> Mask:
    """Return what may be the thin rim of black ink, (h, w) bool.

    It absorbs all colors nearly alike, and green not the most, as stains of pink and blue do: its
    hue is between 10° and 230°.
    """
    densities = _densities(image, glass)
    least, most = np.minimum.reduce(densities), np.maximum.reduce(densities)
    _, green, _, low, high = _extremes(image)
    rim: Mask = (
        (least > RIM_DENSITY) & (least >= RIM_NEUTRALITY * most) & (6 * (green - low) >= high - low)
    )
    return rim


def _grow(seeds: Mask, within: Mask) -> Mask:
    """Return the connected parts of ``within`` that hold a seed."""
    if not seeds.any():
        return seeds
    grown: Mask = ndimage.binary_propagation(seeds & within, np.ones((3, 3)), within)
    return grown


def _hsv_of_ink(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return hue, saturation and value, (h, w, 3) float64, with white for what is no ink.

    Most pixels of tissue and glass fail a test of whole numbers that all of `pen_mask` implies.
    """
    red, green, blue, low, high = _extremes(image)
    spread = high - low
    cool = (green >= red) & (50 * spread >= 3 * high)  # hue 60 … 240, saturation 0.06
    warm = (20 * spread >= 7 * high) & (5 * np.abs(green - blue) <= spread)  # within 12° of red
    dark = (high <= 56) | ((high <= 191) & (25 * spread <= 3 * high))  # values 0.22 and 0.75
    maybe = cool | warm | dark
    hsv = np.zeros(image.shape)
    hsv[..., 2] = 1
    hsv[maybe] = rgb2hsv(image[maybe])
    return hsv


def tissue_mask(overview: Overview, settings: TissueSettings) -> Mask:
    """Return where tissue lies, (h, w) bool, holes filled, ink and specks left out."""
    pixels_per_um = 1 / overview.mpp
    smooth = ndimage.gaussian_filter(
        overview.image.astype(np.float64), (8 * pixels_per_um, 8 * pixels_per_um, 0)
    )
    rounded = np.clip(np.rint(smooth), 0, 255).astype(np.uint8)
    glass = glass_colour(overview.image)
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
