"""Images of known stains, and stain normalization pixel by pixel, as slow as its equations."""

import numpy as np
from numpy.typing import NDArray

from distill.data.stain_figures import StainFigures
from distill.data.stain_normalization import normalize_stains

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float64]
HEMATOXYLIN = np.array([0.65, 0.70, 0.29]) / np.linalg.norm([0.65, 0.70, 0.29])
EOSIN = np.array([0.07, 0.99, 0.11]) / np.linalg.norm([0.07, 0.99, 0.11])


def stained(
    hematoxylin: Floats,
    eosin: Floats,
    seed: int = 0,
    size: tuple[int, int] = (61, 83),
    amount: float = 1.0,
) -> Bytes:
    """A crop of two stains, (3, H, W): nuclei of one, cytoplasm of the other, both, and glass.

    Amounts are such that no value is below 10, so that rounding to uint8 stays small.
    """
    rng = np.random.default_rng(seed)
    count = size[0] * size[1]
    kind = rng.choice(4, count, p=(0.25, 0.25, 0.3, 0.2))
    first = rng.uniform(0.3, 0.8, count) * np.isin(kind, (0, 2))
    second = rng.uniform(0.3, 0.8, count) * np.isin(kind, (1, 2))
    density = amount * (np.outer(hematoxylin, first) + np.outer(eosin, second))
    return np.rint(255 * 10**-density).astype(np.uint8).reshape(3, *size)


def density(image: Bytes) -> Floats:
    """Optical densities of pixels, (3, n)."""
    return -np.log10(np.maximum(image.reshape(3, -1).astype(np.float64), 1) / 255)


def is_tissue(image: Bytes) -> NDArray[np.bool_]:
    """Which pixels are tissue, (n,)."""
    found: NDArray[np.bool_] = np.linalg.norm(density(image), axis=0) >= 0.15
    return found


def rounded(light: Floats, shape: tuple[int, ...]) -> Bytes:
    return np.rint(np.clip(255 * light, 0, 255)).astype(np.uint8).reshape(shape)


def apart(one: Bytes, other: Bytes) -> NDArray[np.int64]:
    """Differences of two images, in grey levels."""
    return np.abs(one.astype(np.int64) - other.astype(np.int64))


def require_close(found: Bytes, wanted: Bytes) -> None:
    """Float32 against float64: a rounding turns the other way for one value in a thousand."""
    off = apart(found, wanted)
    assert off.max() <= 1
    assert (off > 0).mean() < 1e-3


def normalized(image: Bytes, reference: StainFigures) -> Bytes:
    """A copy of a crop, which can be normalized, brought to a reference."""
    made = image.copy()
    assert normalize_stains(made, reference)
    return made
