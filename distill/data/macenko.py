"""Stain normalization by two stains and how much there is of each: Macenko et al. (2009).

"A method for normalizing histology slides for quantitative analysis", ISBI 2009.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from distill.data.stain_figures import (
    DENSITY,
    Bytes,
    StainFigures,
    medians,
    mix,
    sampled_tissue,
    to_bytes,
)
from distill.types import Floats

ANGLES = (1, 99)
"""Percentiles of the angle that stand for its ends."""
MOST = 99
"""Percentile of the amount of a stain that stands for the most there is."""
MIN_ANGLE = 0.05
"""Radians between two stains below which they are one: 2.9°. Hematoxylin and eosin have 30° to 50°;
a grey crop has 0."""
MIN_MOST = 0.01
"""Optical density below which there is none of a stain."""


@dataclass(frozen=True)
class Macenko(StainFigures):
    """Two stains, each the unit vector of its optical densities in R, G and B, and their amounts.

    Attributes:
        hematoxylin: the stain that takes more of the red light.
        eosin: the other.
        most: of either, the amount that is reached by a hundredth of the tissue.
    """

    method: ClassVar[str] = "macenko"
    lacks: ClassVar[str] = "has too little tissue or no two stains, as where all is grey"
    hematoxylin: tuple[float, float, float]
    eosin: tuple[float, float, float]
    most: tuple[float, float]

    @classmethod
    def measure(cls, image: Bytes) -> Self | None:
        """Return the figures of a crop, (3, H, W) uint8, RGB.

        The densities of tissue are projected on the plane of their two largest singular vectors
        (about the origin). The stains are the directions in that plane at the 1st and 99th
        percentile of the angle; amounts come from least squares.

        Returns:
            None with too little tissue, or where there are no two stains.
        """
        pixels = sampled_tissue(image)
        if pixels is None:
            return None
        density = DENSITY[pixels]
        first, second = _plane(density)
        along, across = mix(np.stack([first, second]), density)
        ends = np.percentile(np.arctan2(across, along), ANGLES)
        if ends[1] - ends[0] < MIN_ANGLE:
            return None
        stains = [math.cos(angle) * first + math.sin(angle) * second for angle in ends.tolist()]
        hematoxylin, eosin = sorted(stains, key=lambda stain: -float(stain[0]))
        amounts = mix(_unmixing(hematoxylin, eosin), density)
        most = np.percentile(amounts, MOST, axis=1)
        if most.min() < MIN_MOST:
            return None
        return cls(tuple(hematoxylin.tolist()), tuple(eosin.tolist()), tuple(most.tolist()))

    @classmethod
    def median(cls, found: Sequence[Self]) -> Self:
        """Return the reference of some crops: the median of each figure; stains of length 1."""
        stains = []
        for name in ("hematoxylin", "eosin"):
            vector = np.array(medians([getattr(one, name) for one in found]))
            stains.append(tuple((vector / np.sqrt((vector**2).sum())).tolist()))
        return cls(stains[0], stains[1], medians([one.most for one in found]))

    def transfer(self, source: Self) -> Callable[[Bytes], Bytes]:
        """Return what puts these stains in the place of the source's, as much as there is of each.

        The amounts of a pixel, by the least squares of the source's stains, are multiplied by
        this most / the source's, and mixed with these stains. It holds for every pixel, glass too:
        no density stays none.
        """
        theirs = _unmixing(np.array(source.hematoxylin), np.array(source.eosin))
        scale = np.array(self.most) / np.array(source.most)
        own = np.stack([self.hematoxylin, self.eosin], axis=1)
        changed = own @ (scale[:, None] * theirs)
        natural = (DENSITY * math.log(10)).astype(np.float32)

        def apply(pixels: Bytes) -> Bytes:
            density = mix(changed, natural[pixels])
            # more light than white is white, however much
            return to_bytes(np.exp(-np.maximum(density, np.float32(0))))

        return apply

    def check(self) -> None:
        """Raise ValueError for stains that are not of length 1, are one, or of which there is none.

        That two stains have another angle than 0 keeps what they are mixed of from being undefined.
        """
        stains = np.array([self.hematoxylin, self.eosin])
        if np.abs((stains**2).sum(1) - 1).max() > 1e-6 or (stains[0] * stains[1]).sum() > 1 - 1e-6:
            raise ValueError(f"{stains.tolist()} are not two stains of length 1")
        if min(self.most) <= 0:
            raise ValueError(f"most is {self.most!r}, and none may be 0")


def _plane(density: Floats) -> tuple[Floats, Floats]:
    """Return the two largest left singular vectors of densities, (3, n), of a fixed sign."""
    products = np.empty((3, 3))
    for i in range(3):
        for j in range(i, 3):
            products[i, j] = products[j, i] = (density[i] * density[j]).sum()
    _, vectors = np.linalg.eigh(products)
    # no density is negative, and so is no part of the first
    first, second = vectors[:, 2], vectors[:, 1]
    first = first * math.copysign(1.0, float(first.sum()))
    second = second * math.copysign(1.0, float(second[np.abs(second).argmax()]))
    return first, second


def _unmixing(hematoxylin: Floats, eosin: Floats) -> Floats:
    """Return the pseudoinverse, (2, 3), of two unit vectors side by side."""
    stains = np.stack([hematoxylin, eosin])
    between = float((hematoxylin * eosin).sum())
    inverse = np.array([[1, -between], [-between, 1]]) / (1 - between**2)
    return inverse @ stains
