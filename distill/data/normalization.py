"""Standardisation: per-channel mean and deviation of the training crops, from exact sums."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import pandas as pd
import torch
from torch import Tensor

import wsistore
from distill.data.augmentation import AugmentationParams, apply
from distill.errors import SubsetError

Channels = tuple[float, float, float]


@dataclass(frozen=True)
class ChannelStats:
    """Mean and population standard deviation of R, G and B, in units where 255 is 1."""

    mean: Channels
    std: Channels


def channel_stats(levels: pd.DataFrame, crops: Collection[str], level: str) -> ChannelStats:
    """Return the mean and deviation over all pixels of the crops at one level.

    They come from the exact sums in the store: see `wsistore.statistics`.

    Args:
        levels: `store.levels`.
        crops: ids of the crops, at least one; each must have the level.
        level: name of the level.

    Raises:
        SubsetError: if a crop lacks the level, or a channel has the same value everywhere.
    """
    try:
        found = wsistore.statistics(levels, level, crops)
    except wsistore.StoreError as error:
        raise SubsetError(str(error)) from error
    for channel, spread in zip("rgb", found.std, strict=True):
        if spread == 0:
            raise SubsetError(
                f"channel {channel} has one and the same value in every training pixel at {level}, "
                "so it cannot be standardised; choose other training crops"
            )
    mean, std = (
        (r / 255, g / 255, b / 255) for r, g, b in (found.mean.tolist(), found.std.tolist())
    )
    return ChannelStats(mean, std)


def to_unit(image: Tensor) -> Tensor:
    """(…, 3, H, W) uint8 to float32 in 0..1, on the same device."""
    return image.to(torch.float32) / 255


def normalize(image: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """(…, 3, H, W) float in 0..1 to (image - mean) / std, per channel."""
    shape = (3, 1, 1)
    center = torch.tensor(mean, dtype=image.dtype, device=image.device).view(shape)
    scale = torch.tensor(std, dtype=image.dtype, device=image.device).view(shape)
    return (image - center) / scale


def to_input(image: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """Return what a network takes.

    Args:
        image: (3, H, W) uint8, RGB.
        mean: three means, in 0..1 units.
        std: three standard deviations, in 0..1 units.

    Returns:
        (1, 3, H, W) float32 on the image's device.
    """
    return normalize(to_unit(image), mean, std).unsqueeze(0)


def network_input(
    image: Tensor, draw: AugmentationParams | None, standard: ChannelStats, device: torch.device
) -> Tensor:
    """Return a network's input: uint8 to the device, 0..1, augmented, standardised.

    Args:
        image: (3, H, W) uint8, RGB, on any device.
        draw: augmentation, or None.
        standard: mean and deviation to standardise with.
        device: where everything after the transfer happens.

    Returns:
        (1, 3, H, W) float32 on `device`, or (1, 3, W, H) after an odd number of quarter turns.
    """
    unit = to_unit(image.to(device))
    if draw is not None:
        unit = apply(draw, unit)
    return normalize(unit, standard.mean, standard.std).unsqueeze(0)
