"""Mean and deviation of channels over any crops, from the sums taken when they were stored."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from wsistore.errors import StoreError

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Statistics:
    """Channels over all pixels of some crops at one level.

    Attributes:
        mean: (3,) float64, R, G, B, in grey levels 0 … 255.
        std: (3,) float64, the population standard deviation, in grey levels.
        pixels: how many were counted.
    """

    mean: NDArray[np.float64]
    std: NDArray[np.float64]
    pixels: int


def statistics(
    levels: pd.DataFrame, level: str, crops: Collection[str] | None = None
) -> Statistics:
    """Return the mean and deviation of each channel over all pixels of the crops; reads no pixel.

    With n pixels, s = Σ v and q = Σ v² (exact integers of the table): mean = s / n and
    std = √(n·q − s²) / n. The difference is taken in Python's own integers and each result is
    rounded once, so nothing cancels, whatever the number of pixels.

    Args:
        levels: the store's table ``levels``.
        level: name of the level.
        crops: ids, each counted once; all crops of the table by default.

    Raises:
        StoreError: there are no crops, one of them lacks the level, or the sums are damaged.
    """
    rows = levels[levels["level"] == level]
    wanted = set(levels["crop"]) if crops is None else set(crops)
    if not wanted:
        raise StoreError(f"no crop is given to measure at level {level}")
    rows = rows[rows["crop"].isin(wanted)]
    missing = sorted(wanted - set(rows["crop"]))
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise StoreError(f"level {level} is missing for crop {missing[0]}{more}")
    pixels = sum(int(h) * int(w) for h, w in zip(rows["height"], rows["width"], strict=True))
    mean, std = np.empty(3), np.empty(3)
    for channel, name in enumerate("rgb"):
        total = sum(int(value) for value in rows[f"sum_{name}"])
        squares = sum(int(value) for value in rows[f"sumsq_{name}"])
        spread = pixels * squares - total * total
        if spread < 0:
            raise StoreError(
                f"the sums of channel {name} at level {level} are of no pixels; "
                "the table of levels is damaged"
            )
        mean[channel] = total / pixels
        # 64 more bits than the root of an integer has, so that the division alone rounds
        std[channel] = math.isqrt(spread << 128) / (pixels << 64)
    return Statistics(mean, std, pixels)
