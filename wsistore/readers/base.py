"""What every reader offers, whatever the format."""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Properties:
    """What a slide file says of itself, as far as wsistore uses it; nothing about the patient.

    Attributes:
        mpp_x, mpp_y: µm per level-0 pixel, or None where the file does not say.
        objective_power: the scanner's objective (20, 40), or None.
        vendor: the format's vendor in lower case, or ``"generic"``.
    """

    mpp_x: float | None
    mpp_y: float | None
    objective_power: float | None
    vendor: str


class Reader(Protocol):
    """An open slide. Not shared between threads or processes: each opens its own.

    Attributes:
        name: the reader's name, as ``--reader`` takes it.
        level_sizes: (width, height) of each vendor level, level 0 first.
        tile_rows: height in pixels of the level-0 tiles, which are decoded as a whole.
        properties: what the file says of itself.
    """

    name: str
    level_sizes: tuple[tuple[int, int], ...]
    tile_rows: int
    properties: Properties

    def read(self, level: int, x: int, y: int, width: int, height: int) -> NDArray[np.uint8]:
        """Return a region of a vendor level, which must lie inside it.

        Args:
            level: index of the vendor level.
            x, y, width, height: in pixels of that level.

        Returns:
            (height, width, 3) uint8 RGB, axes y, x, c.

        Raises:
            SlideError: the pixels cannot be decoded; nothing is invented in their place.
        """
        ...

    def close(self) -> None:
        """Release the file."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...
