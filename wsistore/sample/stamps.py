"""Lists of sprites to stamp: where, which, how strong, and on which stain."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from wsistore.sample.noise import Float
from wsistore.sample.sprites import VARIANTS, Atlas, Kind, sprite_number


class Layer(IntEnum):
    """What a stamp adds to: haematoxylin, eosin, or pale mucin that displaces both."""

    NUCLEI = 0
    EOSIN = 1
    MUCIN = 2


@dataclass(frozen=True, slots=True)
class Stamps:
    """`n` sprites.

    Attributes:
        y, x: (n,) float64 centres in µm.
        number: (n,) int64 indices of sprites in the atlas.
        strength: (n,) float64 factors of their density.
        layer: (n,) int64, values of `Layer`.
    """

    y: NDArray[np.float64]
    x: NDArray[np.float64]
    number: NDArray[np.int64]
    strength: NDArray[np.float64]
    layer: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.y)

    def where(self, kept: NDArray[np.bool_]) -> "Stamps":
        """Return the stamps for which (n,) `kept` is true."""
        return Stamps(
            self.y[kept], self.x[kept], self.number[kept], self.strength[kept], self.layer[kept]
        )


def join(parts: Sequence[Stamps]) -> Stamps:
    """Return all stamps of `parts` in one list."""
    return Stamps(
        np.concatenate([np.empty(0), *(part.y for part in parts)]),
        np.concatenate([np.empty(0), *(part.x for part in parts)]),
        np.concatenate([np.empty(0, np.int64), *(part.number for part in parts)]),
        np.concatenate([np.empty(0), *(part.strength for part in parts)]),
        np.concatenate([np.empty(0, np.int64), *(part.layer for part in parts)]),
    )


def drawn(
    rng: np.random.Generator,
    points: NDArray[np.float64],
    kind: Kind,
    layer: Layer,
    *,
    size: float = 1.0,
    strength: float = 1.0,
    angle: NDArray[np.float64] | None = None,
) -> Stamps:
    """Return stamps of one kind at (n, 2) `points` (y, x in µm).

    `size` 1 is usual, mixed from the four sizes of the atlas; `angle` (n,) is the direction of
    the long axis in radians, random by default.
    """
    count = len(points)
    turns = rng.uniform(0, np.pi, count) if angle is None else angle
    variant = rng.integers(0, VARIANTS, count).astype(np.float64)
    return Stamps(
        y=points[:, 0],
        x=points[:, 1],
        number=sprite_number(kind, size, rng.random(count), turns, variant),
        strength=strength * np.exp(rng.normal(0, 0.12, count)),
        layer=np.full(count, int(layer), np.int64),
    )


def press(canvas: Float, atlas: Atlas, stamps: Stamps, top: int, left: int, mpp: float) -> None:
    """Stamp onto `canvas` in place, keeping the larger of old and new at every pixel.

    The maximum makes the result independent of the order of the stamps. Pixel (0, 0) of the
    canvas is pixel (top, left) of the slide; every stamp must fit inside the canvas.
    """
    ys = np.floor(stamps.y / mpp).astype(np.int64) - top
    xs = np.floor(stamps.x / mpp).astype(np.int64) - left
    sprites = atlas.sprites
    for y, x, number, strength in zip(
        ys.tolist(), xs.tolist(), stamps.number.tolist(), stamps.strength.tolist(), strict=True
    ):
        sprite = sprites[number]
        side = sprite.shape[0]
        half = side >> 1
        view = canvas[y - half : y - half + side, x - half : x - half + side]
        np.maximum(view, sprite * np.float32(strength), out=view)
