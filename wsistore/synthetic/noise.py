"""Random streams keyed by counters, and periodic noise."""

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]


def stream(*key: int) -> np.random.Generator:
    """Return the Philox generator named by `key` (non-negative integers).

    The same key gives the same numbers in any process, order or thread.
    """
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(key)))


def periodic_noise(
    rng: np.random.Generator, shape: tuple[int, int], scale: tuple[float, float], slope: float = 1.5
) -> Float:
    """Return smooth noise that repeats without a seam, float32 `shape`, mean 0, sd 1.

    White noise is filtered with `(1 + (s_y k_y)² + (s_x k_x)²)^-slope`, with `k` in radians per
    sample and `scale` = (s_y, s_x) the correlation lengths in samples; larger slopes are smoother.
    """
    ky = (2 * np.pi * np.fft.fftfreq(shape[0]) * scale[0])[:, None]
    kx = (2 * np.pi * np.fft.rfftfreq(shape[1]) * scale[1])[None, :]
    spectrum = np.fft.rfft2(rng.standard_normal(shape)) * (1 + ky * ky + kx * kx) ** -slope
    spectrum[0, 0] = 0
    noise = np.fft.irfft2(spectrum, s=shape)
    return np.asarray(noise / noise.std(), dtype=np.float32)
