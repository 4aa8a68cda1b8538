"""Small pictures of nuclei, red cells and goblet cells, stamped into the tissue."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from wsistore.synthetic.noise import Float, periodic_noise, stream

_Numbers = NDArray[np.float32] | NDArray[np.float64]
TURNS = 16
VARIANTS = 6
_GRAIN = 512
SIZES = (0.78, 0.88, 1.0, 1.12)
_STREAM = 7_001


class Kind(IntEnum):
    """What a sprite shows."""

    EPITHELIAL = 0
    SPINDLE = 1
    ROUND = 2
    RED_CELL = 3
    GOBLET = 4


@dataclass(frozen=True, slots=True)
class _Shape:
    """Half-axes along and across in µm, scatter of log size, stain density, grain of chromatin."""

    along: float
    across: float
    scatter: float
    density: float
    grain: float


_SHAPES = {
    Kind.EPITHELIAL: _Shape(4.4, 2.5, 0.08, 1.10, 0.26),
    Kind.SPINDLE: _Shape(6.2, 1.35, 0.18, 1.10, 0.20),
    Kind.ROUND: _Shape(2.75, 2.55, 0.08, 1.35, 0.28),
    Kind.RED_CELL: _Shape(3.2, 2.8, 0.08, 0.95, 0.05),
    Kind.GOBLET: _Shape(4.8, 3.6, 0.12, 0.62, 0.12),
}


@dataclass(frozen=True, slots=True)
class Atlas:
    """All sprites of a slide.

    Attributes:
        sprites: square float32 arrays of optical density, of odd side, centred.
        radius: largest half-side in pixels.
    """

    sprites: tuple[Float, ...]
    radius: int


def sprite_number(
    kind: Kind,
    size: float,
    chance: _Numbers,
    angle: _Numbers,
    variant: _Numbers,
) -> NDArray[np.int64]:
    """Return the indices (n,) of sprites in the atlas.

    Args:
        kind: what they show.
        size: mean size, 1 is usual; each sprite takes the size of the atlas below or above it.
        chance: (n,) in [0, 1), which decides between the two.
        angle: (n,) direction of the long axis in radians.
        variant: (n,) in [0, `VARIANTS`).
    """
    place = np.interp(size, SIZES, np.arange(len(SIZES)))
    step = np.minimum(np.floor(place + chance), len(SIZES) - 1)
    turn = np.round(angle / np.pi * TURNS) % TURNS
    number = ((kind * len(SIZES) + step) * TURNS + turn) * VARIANTS + variant
    return np.asarray(number, dtype=np.int64)


@lru_cache(maxsize=4)
def draw_atlas(seed: int, mpp: float) -> Atlas:
    """Draw every kind in four sizes, 16 directions and six variants, at `mpp` µm per pixel."""
    rng = stream(seed, _STREAM)
    grain = periodic_noise(rng, (_GRAIN, _GRAIN), (0.5 / mpp, 0.5 / mpp), slope=1.4)
    sprites = []
    for shape in _SHAPES.values():
        for size in SIZES:
            for turn in range(TURNS):
                for _ in range(VARIANTS):
                    scale = size * float(np.exp(rng.normal(0, shape.scatter)))
                    top, left = rng.integers(0, _GRAIN // 2, 2).tolist()
                    texture = grain[top:, left:]
                    sprites.append(_draw(rng, shape, scale, np.pi * turn / TURNS, texture, mpp))
    return Atlas(tuple(sprites), max(sprite.shape[0] // 2 for sprite in sprites))


def _draw(
    rng: np.random.Generator, shape: _Shape, scale: float, angle: float, grain: Float, mpp: float
) -> Float:
    """Draw one soft-edged, slightly dented ellipse with chromatin grain and a darker membrane."""
    along, across = shape.along * scale, shape.across * scale
    half = int(np.ceil((along * 1.12 + 0.8) / mpp))
    y, x = np.mgrid[-half : half + 1, -half : half + 1] * mpp
    angle += rng.normal(0, 0.06)
    u = (x * np.cos(angle) + y * np.sin(angle)) / along
    v = (y * np.cos(angle) - x * np.sin(angle)) / across
    theta = np.arctan2(v, u)
    dent = 1 + sum(rng.normal(0, 0.03) * np.cos(n * theta + rng.uniform(0, 6.3)) for n in (2, 3, 4))
    radius = np.hypot(u, v) / dent
    inside = np.clip(0.5 - (radius - 1) * across / 0.9, 0, 1)
    membrane = 0.78 + 0.22 * np.clip(radius, 0, 1) ** 3
    texture = grain[: 2 * half + 1, : 2 * half + 1]
    density = shape.density * float(np.exp(rng.normal(0, 0.10)))
    drawn = density * inside * membrane * (1 + shape.grain * np.clip(texture, -2, 2))
    return np.asarray(np.maximum(drawn, 0), dtype=np.float32)


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
