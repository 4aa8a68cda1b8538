"""Marks of pens on the glass, which are no tissue."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.color import rgb2hsv

from wsistore.regions.glass import Mask, _densities, _extremes

PEN_MM2 = 0.01
"""The smallest mark that counts as ink."""

RIM_NEUTRALITY = 0.7
"""Smallest ratio of a rim's optical densities over its channels: black ink absorbs all alike."""

RIM_DENSITY = 0.06
"""Optical density above which a pixel is a rim and not glass."""


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
