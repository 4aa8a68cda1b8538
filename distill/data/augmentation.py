"""Augmentation: one draw per (seed, epoch, crop), applied alike to every resolution of the crop."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as tv

from distill.data.rng import RandomStream, rng_for

COLOR_RANGE = 0.5
"""Brightness, contrast and saturation factors lie in 1 ± COLOR_RANGE."""
HUE_RANGE = 0.2
"""The hue moves by at most this fraction of the colour circle, either way."""

_APPLY: dict[str, Callable[[Tensor, float], Tensor]] = {
    "brightness": tv.adjust_brightness,
    "contrast": tv.adjust_contrast,
    "saturation": tv.adjust_saturation,
    "hue": tv.adjust_hue,
}
OPERATIONS = tuple(_APPLY)
"""Names of the colour operations."""


@dataclass(frozen=True)
class AugmentationParams:
    """One random choice of everything augmentation changes.

    Attributes:
        brightness: factor, 1 leaves the image as it is.
        contrast: factor, 1 leaves the image as it is.
        saturation: factor, 1 leaves the image as it is.
        hue: shift as a fraction of the colour circle, 0 leaves the image as it is.
        order: the names of these four, in the order in which they are applied.
        hflip: mirror left to right.
        vflip: mirror top to bottom, after `hflip`.
        turns: quarter turns counter-clockwise, 0 to 3, after the flips.
        epoch: the epoch it was drawn for, from 1; no part of what is done to the image. A teacher
            that speaks from memory answers with one of the draws that it saw, and chooses by this.
    """

    brightness: float
    contrast: float
    saturation: float
    hue: float
    order: tuple[str, ...]
    hflip: bool
    vflip: bool
    turns: int
    epoch: int = field(default=0, compare=False)


def sample_params(seed: int, epoch: int, index: int) -> AugmentationParams:
    """Return the draw of one crop in one epoch, a pure function of its arguments.

    Args:
        seed: the run's seed.
        epoch: number of the epoch, from 1.
        index: the crop's place in its data set, from 0.
    """
    return _draw(seed, RandomStream.AUGMENTATION, epoch, index)


def with_own_colors(chosen: AugmentationParams, seed: int, index: int) -> AugmentationParams:
    """Return a draw with the flips, turns and epoch of another, and colours of its own.

    They are a pure function of the seed, the draw's epoch and the crop's place in its data set, and
    independent of those that `sample_params` gives.
    """
    other = _draw(seed, RandomStream.STUDENT_COLORS, chosen.epoch, index)
    return replace(other, hflip=chosen.hflip, vflip=chosen.vflip, turns=chosen.turns)


def unchanged(epoch: int) -> AugmentationParams:
    """Return the draw of an epoch that changes nothing of an image but by rounding."""
    return AugmentationParams(1.0, 1.0, 1.0, 0.0, OPERATIONS, False, False, 0, epoch)


def _draw(seed: int, purpose: RandomStream, epoch: int, index: int) -> AugmentationParams:
    rng = rng_for(seed, purpose, epoch, index)
    brightness, contrast, saturation = rng.uniform(1 - COLOR_RANGE, 1 + COLOR_RANGE, size=3)
    hue = rng.uniform(-HUE_RANGE, HUE_RANGE)
    names = OPERATIONS
    hflip, vflip = rng.integers(2, size=2)
    return AugmentationParams(
        brightness=float(brightness),
        contrast=float(contrast),
        saturation=float(saturation),
        hue=float(hue),
        order=tuple(names[i] for i in rng.permutation(len(names))),
        hflip=bool(hflip),
        vflip=bool(vflip),
        turns=int(rng.integers(4)),
        epoch=epoch,
    )


def apply(params: AugmentationParams, image: Tensor) -> Tensor:
    """Recolour an image, then reorient it.

    Args:
        params: what to do.
        image: (…, 3, H, W) float in 0..1, RGB.

    Returns:
        (…, 3, H, W) float in 0..1; (…, 3, W, H) after an odd number of quarter turns.
    """
    return apply_geometry(params, apply_color(params, image))


def output_size(params: AugmentationParams | None, height: int, width: int) -> tuple[int, int]:
    """Return the (height, width) that an image of height × width has after `apply`."""
    return (width, height) if params is not None and params.turns % 2 else (height, width)


def apply_color(
    params: AugmentationParams, image: Tensor, names: Sequence[str] | None = None
) -> Tensor:
    """Apply the colour operations in the draw's order, or those named; shape and range stay."""
    for name in params.order if names is None else names:
        image = _APPLY[name](image, getattr(params, name))
    return image


def apply_geometry(params: AugmentationParams, image: Tensor) -> Tensor:
    """Mirror and turn; every value stays as it is."""
    flipped = [axis for axis, flip in ((-1, params.hflip), (-2, params.vflip)) if flip]
    return torch.rot90(image.flip(flipped), params.turns, (-2, -1))
