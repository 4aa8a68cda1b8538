"""Stain normalization by the mean and deviation of colors: Reinhard et al. (2001).

"Color transfer between images", IEEE Computer Graphics and Applications 21 (5), in the space lαβ
of Ruderman et al. (1998), as the paper has it; not in CIELAB.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from distill.data.stain_figures import (
    LIGHT,
    Bytes,
    StainFigures,
    medians,
    mix,
    sampled_tissue,
    to_bytes,
)
from distill.types import Floats

CONES: Floats = np.array(
    [[0.3811, 0.5783, 0.0402], [0.1967, 0.7244, 0.0782], [0.0241, 0.1288, 0.8444]]
)
"""L, M and S of R, G and B: equation 4 of the paper."""
OPPONENT: Floats = (
    np.array([[1.0, 1, 1], [1, 1, -2], [1, -1, 0]]) / np.sqrt(np.array([3.0, 6, 2]))[:, None]
)
"""l, α and β of log10 L, log10 M and log10 S: equation 6."""
FLAT = 1e-6
"""Deviation that is none but for rounding: the α and β of a grey crop are each one number."""
_MOST = 30.0
"""Largest log10 of light; white is 0. Beyond, float32 has no number."""


@dataclass(frozen=True)
class Reinhard(StainFigures):
    """Mean and population standard deviation of l, α and β over tissue."""

    method: ClassVar[str] = "reinhard"
    lacks: ClassVar[str] = "has too little tissue"
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    @classmethod
    def measure(cls, image: Bytes) -> Self | None:
        """Return the figures of a crop, (3, H, W) uint8, RGB; None with too little tissue."""
        pixels = sampled_tissue(image)
        if pixels is None:
            return None
        colors = mix(OPPONENT, np.log10(mix(CONES, LIGHT[pixels])))
        return cls(tuple(colors.mean(1).tolist()), tuple(colors.std(1).tolist()))

    @classmethod
    def median(cls, found: Sequence[Self]) -> Self:
        """Return the reference of some crops: the median of each figure."""
        return cls(medians([one.mean for one in found]), medians([one.std for one in found]))

    def transfer(self, source: Self) -> Callable[[Bytes], Bytes]:
        """Return what gives tissue these means and deviations.

        c ← (c - m) s' / s + m' for each of l, α and β, with m and s of the source, m' and s' of
        this; where s is at most `FLAT`, c ← c - m + m'. It holds for every pixel, as in the paper:
        glass that stayed as it is would have an edge where tissue begins.
        """
        own, theirs = np.array(self.std), np.array(source.std)
        flat = theirs <= FLAT
        scale = np.where(flat, 1.0, own / np.where(flat, 1.0, theirs))
        shift = np.array(self.mean) - scale * np.array(source.mean)
        # the steps between the logarithms are linear: one product
        back = np.asarray(np.linalg.inv(OPPONENT), np.float64)
        moved, added = back @ (scale[:, None] * OPPONENT), back @ shift
        light = LIGHT.astype(np.float32)
        constants = (added * math.log(10)).astype(np.float32)
        unmixed = np.asarray(np.linalg.inv(CONES), np.float64)

        def apply(pixels: Bytes) -> Bytes:
            cones = mix(moved, np.log(mix(CONES, light[pixels])))
            cones += constants.reshape(3, *[1] * (pixels.ndim - 1))
            cones = np.exp(np.minimum(cones, np.float32(_MOST * math.log(10))))
            return to_bytes(mix(unmixed, cones))

        return apply

    def check(self) -> None:
        """Raise ValueError for a negative deviation."""
        if min(self.std) < 0:
            raise ValueError(f"std is {self.std!r}, and none may be negative")
