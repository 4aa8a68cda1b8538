"""Standardisation: per-channel mean and deviation of the training crops, from exact sums."""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import pandas as pd
import torch
from torch import Tensor

from distill.errors import SubsetError

Channels = tuple[float, float, float]


@dataclass(frozen=True)
class Standard:
    """Mean and population standard deviation of R, G and B, in units where 255 is 1."""

    mean: Channels
    std: Channels


def measure(levels: pd.DataFrame, crops: Collection[str], level: str) -> Standard:
    """Return the mean and deviation over all pixels of the crops at one level.

    With n pixels, s = Σ v and q = Σ v² over grey levels v (exact integers from the store):
    mean = s / (255 n) and std = √(n q - s²) / (255 n). The difference is taken in Python's exact
    integers, so nothing cancels.

    Args:
        levels: `store.levels`.
        crops: ids of the crops, at least one; each must have the level.
        level: name of the level.

    Raises:
        SubsetError: if a crop lacks the level, or a channel has the same value everywhere.
    """
    rows = levels[(levels["level"] == level) & levels["crop"].isin(list(crops))]
    missing = sorted(set(crops) - set(rows["crop"]))
    if missing or not len(rows):
        raise SubsetError(f"level {level} is missing for {', '.join(missing) or 'every crop'}")
    pixels = sum(int(h) * int(w) for h, w in zip(rows["height"], rows["width"], strict=True))
    mean: list[float] = []
    std: list[float] = []
    for channel in "rgb":
        total = sum(int(value) for value in rows[f"sum_{channel}"])
        squares = sum(int(value) for value in rows[f"sumsq_{channel}"])
        spread = pixels * squares - total * total
        if spread <= 0:
            raise SubsetError(
                f"channel {channel} has one and the same value in every training pixel at {level}, "
                "so it cannot be standardised; choose other training crops"
            )
        mean.append(total / (255 * pixels))
        std.append(math.sqrt(spread) / (255 * pixels))
    return Standard((mean[0], mean[1], mean[2]), (std[0], std[1], std[2]))


def to_unit(image: Tensor) -> Tensor:
    """(…, 3, H, W) uint8 to float32 in 0..1, on the same device."""
    return image.to(torch.float32) / 255


def standardise(image: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """(…, 3, H, W) float in 0..1 to (image - mean) / std, per channel."""
    shape = (3, 1, 1)
    centre = torch.tensor(mean, dtype=image.dtype, device=image.device).view(shape)
    scale = torch.tensor(std, dtype=image.dtype, device=image.device).view(shape)
    return (image - centre) / scale


def to_input(image: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """Return what a network takes.

    Args:
        image: (3, H, W) uint8, RGB.
        mean: three means, in 0..1 units.
        std: three standard deviations, in 0..1 units.

    Returns:
        (1, 3, H, W) float32 on the image's device.
    """
    return standardise(to_unit(image), mean, std).unsqueeze(0)
