"""What a network takes, made from a crop's pixels."""

from __future__ import annotations

import torch
from torch import Tensor

from distill.augment import Draw, apply
from distill.standardise import Standard, standardise, to_unit


def prepare(image: Tensor, draw: Draw | None, standard: Standard, device: torch.device) -> Tensor:
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
    return standardise(unit, standard.mean, standard.std).unsqueeze(0)
