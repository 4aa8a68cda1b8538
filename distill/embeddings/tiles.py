"""How a crop is cut into tiles. Pure: this is the one rule that embedding follows.

Along a side of n pixels, with tiles of t pixels that share v pixels with the next one:

- n ≤ t: one tile, which begins at 0. What it lacks at its end, on the right or at the bottom, is
  white (255), as glass is.
- n > t: ⌈(n - t) / (t - v)⌉ + 1 tiles, the i-th of which begins at min(i · (t - v), n - t). So
  they lie on a grid from the top left, and the last is shifted inward, so that it ends where the
  crop does and shares more than v pixels with the one before. Nothing of the crop is left out,
  nothing is scaled, and no tile holds anything but the crop.

Tiles of 0 pixels are none: the whole crop, of whatever size, stands as one tile.

Rows and columns of tiles are independent. The crop's map has a cell for each tile, in that order.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from distill.errors import UsageError

WHITE = 255
WHOLE = 0


@dataclass(frozen=True)
class TileRule:
    """Tiles of `side` pixels, each of which shares `overlap` pixels with the next.

    A side of `WHOLE` takes a crop whole.

    Raises:
        UsageError: unless 0 ≤ overlap < side.
    """

    side: int
    overlap: int = 0

    def __post_init__(self) -> None:
        if (self.side, self.overlap) == (WHOLE, 0):
            return
        if self.side < 1 or not 0 <= self.overlap < self.side:
            raise UsageError(
                f"--overlap {self.overlap} must be at least 0 and less than the tile's "
                f"{self.side} px"
            )

    def starts(self, length: int) -> tuple[int, ...]:
        """Return where the tiles along a side of `length` ≥ 1 pixels begin."""
        if self.side == WHOLE:
            return (0,)
        rest = max(0, length - self.side)
        step = self.side - self.overlap
        return tuple(min(place * step, rest) for place in range(-(-rest // step) + 1))

    def cells(self, height: int, width: int) -> tuple[int, int]:
        """Return rows and columns of the map of an image of height × width px."""
        return len(self.starts(height)), len(self.starts(width))

    def tiles(self, image: Tensor, first: int = 0, fill: float = WHITE) -> Iterator[Tensor]:
        """Yield the tiles of an image, (C, side, side) each, in reading order; or it, whole.

        Args:
            image: (C, H, W).
            first: number of the first one that is wanted, from 0.
            fill: value of what a tile lacks.
        """
        tops, lefts = (self.starts(length) for length in image.shape[1:])
        for place in range(first, len(tops) * len(lefts)):
            top, left = tops[place // len(lefts)], lefts[place % len(lefts)]
            if self.side == WHOLE:
                yield image
                continue
            tile = image[:, top : top + self.side, left : left + self.side]
            below, right = (self.side - length for length in tile.shape[1:])
            yield F.pad(tile, (0, right, 0, below), value=fill) if below or right else tile
