"""The weights of Lanczos-3 downsampling along one axis."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wsistore.levels.box import output_length
from wsistore.levels.convolution import LOBES


def kernel(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return sinc(x)·sinc(x / 3) for |x| < 3 and 0 elsewhere (Turkowski 1990), elementwise."""
    return np.where(np.abs(x) < LOBES, np.sinc(x) * np.sinc(x / LOBES), 0.0)


@dataclass(frozen=True)
class Taps:
    """The weights of one axis: ``out[i] = Σ_k weights[i, k] · source[start[i] + k]``.

    Attributes:
        start: first source pixel of each output pixel, (n_out,) int64, never decreasing.
        weights: (n_out, taps) float32; each row sums to 1.
    """

    start: NDArray[np.int64]
    weights: NDArray[np.float32]

    @property
    def end(self) -> NDArray[np.int64]:
        """First source pixel beyond each output pixel's support, (n_out,) int64."""
        end: NDArray[np.int64] = self.start + self.weights.shape[1]
        return end


def taps(length: int, factor: float) -> Taps:
    """Return the weights that downsample an axis of ``length`` pixels by ``factor`` ≥ 1.

    Output pixel i is centred on (i + ½)·factor of the source and is normalised over the source
    pixels that exist. Source pixels from ⌊length / factor⌋·factor on are not used, so a level
    does not depend on the strip that its last whole pixel leaves over.

    Raises:
        ValueError: ``factor`` is below 1 or the axis is shorter than one output pixel.
    """
    n_out = output_length(length, factor)
    if factor < 1 or n_out < 1:
        raise ValueError(f"an axis of {length} pixels cannot be reduced by {factor}")
    used = min(length, math.ceil(n_out * factor - 1e-9))
    count = min(used, math.ceil(2 * LOBES * factor) + (0 if float(factor).is_integer() else 1))
    center = (np.arange(n_out) + 0.5) * factor
    first = np.floor(center - LOBES * factor + 0.5).astype(np.int64)
    start = np.clip(first, 0, used - count)
    source = start[:, None] + np.arange(count)
    weights = kernel((source + 0.5 - center[:, None]) / factor)
    weights /= weights.sum(axis=1, keepdims=True)
    return Taps(start, weights.astype(np.float32))
