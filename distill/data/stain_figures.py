"""What is measured of the stains of a crop, and on which of its pixels.

A value v of a channel lets the light max(v, 1) / 255 pass; its optical density is -log10 of that,
so white has 0. *Tissue* is where the density of a pixel, the Euclidean norm over R, G and B, is at
least β: glass says nothing of stains. See docs/explanation/stain-normalization.md.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from distill.types import Floats

Bytes = NDArray[np.uint8]
Mask = NDArray[np.bool_]
LIGHT: Floats = np.maximum(np.arange(256), 1) / 255
DENSITY: Floats = -np.log10(LIGHT)
TISSUE = 0.15
"""β of Macenko et al. (2009)."""
MIN_TISSUE = 50
"""Pixels of tissue below which nothing is measured."""
SAMPLE = 2**18
"""Pixels of a crop that are looked at, at most."""
_SQUARES = (DENSITY**2).astype(np.float32)


@dataclass(frozen=True)
class StainFigures(ABC):
    """The stains of a crop, or those that crops are brought to: the reference.

    Attributes:
        method: name of the way to normalize that they are of.
    """

    method: ClassVar[str]
    lacks: ClassVar[str]
    """What crops lack that cannot be measured, for messages."""

    @classmethod
    @abstractmethod
    def measure(cls, image: Bytes) -> Self | None:
        """Return the figures of a crop, (3, H, W) uint8, RGB; None if it has too little to say."""

    @classmethod
    @abstractmethod
    def median(cls, found: Sequence[Self]) -> Self:
        """Return the reference of some crops, at least one: the median of each figure."""

    @abstractmethod
    def transfer(self, source: Self) -> Callable[[Bytes], Bytes]:
        """Return what brings pixels, (3, …) uint8, of a crop with the figures `source` to these."""

    @abstractmethod
    def check(self) -> None:
        """Raise ValueError if these are no figures that a crop can be brought to."""

    def record(self) -> dict[str, Any]:
        """Return what weights.json holds."""
        figures = {name: list(values) for name, values in asdict(self).items()}
        return {"method": self.method, **figures}

    @classmethod
    def of(cls, recorded: Mapping[str, Any]) -> Self:
        """Return what `record` wrote.

        Raises:
            ValueError: it is something else.
        """
        lengths = {one.name: 2 if one.name == "most" else 3 for one in fields(cls)}
        if recorded.keys() - {"method"} != lengths.keys():
            raise ValueError(f"figures of {cls.method} are {', '.join(lengths)}")
        made = cls(**{name: tuple(float(one) for one in recorded[name]) for name in lengths})
        for name, length in lengths.items():
            values = getattr(made, name)
            if len(values) != length or not all(map(math.isfinite, values)):
                raise ValueError(f"{name} is {recorded[name]!r}, not {length} finite numbers")
        made.check()
        return made


def tissue(pixels: Bytes) -> Mask:
    """Return which pixels, (3, …) uint8, are tissue."""
    # in float32, term after term, so that it is the same wherever a pixel stands
    red, green, blue = _SQUARES[pixels]
    found: Mask = (red + green) + blue >= np.float32(TISSUE**2)
    return found


def sampled_tissue(image: Bytes) -> Bytes | None:
    """Return the pixels of tissue that are measured, (3, n); None for fewer than `MIN_TISSUE`.

    All are looked at in a crop of up to `SAMPLE` pixels. Of a larger one every s-th row and column
    is, from the middle of the first s on, with s = ⌈√(H W / SAMPLE)⌉.
    """
    _, height, width = image.shape
    step = math.isqrt(max(0, height * width - 1) // SAMPLE) + 1
    rows, columns = (slice(min(step, side) // 2, None, step) for side in (height, width))
    pixels = image[:, rows, columns].reshape(3, -1)
    found = pixels[:, tissue(pixels)]
    return found if found.shape[1] >= MIN_TISSUE else None


def mix(matrix: Floats, channels: NDArray[Any]) -> NDArray[Any]:
    """Return matrix @ channels, (n, …), term after term, in the channels' own type."""
    # no matrix product: its sums may depend on how many pixels there are
    weights = matrix.astype(channels.dtype)
    made = []
    for row in weights:
        total = row[0] * channels[0]
        for weight, channel in zip(row[1:], channels[1:], strict=True):
            total = total + weight * channel
        made.append(total)
    return np.stack(made)


def to_bytes(light: NDArray[np.float32]) -> Bytes:
    """Round light, of which 1 is white, to uint8; what is out of range is cut."""
    made: Bytes = np.rint(np.clip(light * np.float32(255), 0, 255)).astype(np.uint8)
    return made


def medians(found: Sequence[tuple[float, ...]]) -> tuple[Any, ...]:
    """Return the median of each place of some tuples."""
    return tuple(np.median(np.array(found), axis=0).tolist())
