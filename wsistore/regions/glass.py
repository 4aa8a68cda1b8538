"""The color of a slide's glass, and how much light tissue takes away beside it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Mask = NDArray[np.bool_]


def glass_color(image: NDArray[np.uint8]) -> NDArray[np.float64]:
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
    color: NDArray[np.float64] = near.mean(axis=0, dtype=np.float64)
    return color


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
