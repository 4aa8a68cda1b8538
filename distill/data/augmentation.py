"""Augmentation: one draw per (seed, epoch, crop), applied alike to every resolution of the crop."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import groupby

import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as tv

from distill.data.augmentation_settings import DEFAULT_AUGMENTATION, AugmentationSettings
from distill.data.rng import RandomStream, rng_for
from distill.data.stains import SCALES, SHIFTS, change_stains


@dataclass(frozen=True)
class ColorOperation:
    """One way to change the colours of an image, by a strength that is drawn.

    Attributes:
        apply: from (…, 3, H, W) float in 0..1, RGB, and a strength, to an image like it.
        identity: the strength that changes nothing but by rounding.
        reach: strengths are drawn evenly from identity ± reach, unless `AugmentationSettings` has
            another reach of this name. 0 for the changes of stains, which are drawn together.
    """

    apply: Callable[[Tensor, float], Tensor]
    identity: float
    reach: float


def _stain(image: Tensor, strength: float, name: str) -> Tensor:
    return change_stains(image, {name: strength})


OPERATIONS: dict[str, ColorOperation] = {
    "brightness": ColorOperation(tv.adjust_brightness, 1.0, DEFAULT_AUGMENTATION.brightness),
    "contrast": ColorOperation(tv.adjust_contrast, 1.0, DEFAULT_AUGMENTATION.contrast),
    "saturation": ColorOperation(tv.adjust_saturation, 1.0, DEFAULT_AUGMENTATION.saturation),
    "hue": ColorOperation(tv.adjust_hue, 0.0, DEFAULT_AUGMENTATION.hue),
    **{name: ColorOperation(partial(_stain, name=name), 1.0, 0.0) for name in SCALES},
    **{name: ColorOperation(partial(_stain, name=name), 0.0, 0.0) for name in SHIFTS},
}
"""The colour operations by name, one word each; strengths are drawn in this order."""
_STAINS = frozenset((*SCALES, *SHIFTS))


@dataclass(frozen=True)
class AugmentationParams:
    """One random choice of everything augmentation changes.

    Attributes:
        colors: names of colour operations and their strengths, in the order in which they are
            applied. Brightness, contrast and saturation are factors, and 1 leaves the image as it
            is; the hue is a shift as a fraction of the colour circle, and 0 leaves it. Changes of
            stains that follow each other are one, see `distill.data.stains.change_stains`. What is
            not named is not applied.
        hflip: mirror left to right.
        vflip: mirror top to bottom, after `hflip`.
        turns: quarter turns counter-clockwise, 0 to 3, after the flips.
        epoch: the epoch it was drawn for, from 1; no part of what is done to the image. A teacher
            that speaks from memory answers with one of the draws that it saw, and chooses by this.
    """

    colors: tuple[tuple[str, float], ...]
    hflip: bool
    vflip: bool
    turns: int
    epoch: int = field(default=0, compare=False)

    @property
    def order(self) -> tuple[str, ...]:
        """Names of the colour operations, in the order in which they are applied."""
        return tuple(name for name, _ in self.colors)

    def strength(self, name: str) -> float:
        """Return the strength of a colour operation.

        Raises:
            KeyError: if it is not applied.
        """
        return dict(self.colors)[name]


def sample_params(
    seed: int, epoch: int, index: int, how: AugmentationSettings = DEFAULT_AUGMENTATION
) -> AugmentationParams:
    """Return the draw of one crop in one epoch, a pure function of its arguments.

    Args:
        seed: the run's seed.
        epoch: number of the epoch, from 1.
        index: the crop's place in its data set, from 0.
        how: how far draws go.
    """
    colors = _stains(seed, RandomStream.STAINS, epoch, index, how)
    drawn = _draw(seed, RandomStream.AUGMENTATION, epoch, index, how)
    return replace(drawn, colors=(*colors, *drawn.colors))


def with_own_colors(
    chosen: AugmentationParams,
    seed: int,
    index: int,
    how: AugmentationSettings = DEFAULT_AUGMENTATION,
) -> AugmentationParams:
    """Return a draw with the flips, turns and epoch of another, and colours of its own.

    They are a pure function of the seed, the draw's epoch and the crop's place in its data set, and
    independent of those that `sample_params` gives.
    """
    stains = _stains(seed, RandomStream.STUDENT_STAINS, chosen.epoch, index, how)
    other = _draw(seed, RandomStream.STUDENT_COLORS, chosen.epoch, index, how)
    return replace(chosen, colors=(*stains, *other.colors))


def unchanged(epoch: int) -> AugmentationParams:
    """Return the draw of an epoch that changes nothing of an image but by rounding."""
    colors = tuple((name, one.identity) for name, one in OPERATIONS.items() if one.reach)
    return AugmentationParams(colors, hflip=False, vflip=False, turns=0, epoch=epoch)


def _draw(
    seed: int, purpose: RandomStream, epoch: int, index: int, how: AugmentationSettings
) -> AugmentationParams:
    """Draw all but the stains; what has no reach is drawn too, and left out."""
    rng = rng_for(seed, purpose, epoch, index)
    strengths = []
    for name, one in OPERATIONS.items():
        if one.reach:
            reach = getattr(how, name, one.reach)
            strength = float(rng.uniform(one.identity - reach, one.identity + reach))
            strengths.append((name, strength, reach))
    hflip, vflip = rng.integers(2, size=2)
    ordered = [strengths[i] for i in rng.permutation(len(strengths))]
    return AugmentationParams(
        colors=tuple((name, strength) for name, strength, reach in ordered if reach),
        hflip=bool(hflip) and not how.no_flips,
        vflip=bool(vflip) and not how.no_flips,
        turns=int(rng.integers(4)),
        epoch=epoch,
    )


def _stains(
    seed: int, purpose: RandomStream, epoch: int, index: int, how: AugmentationSettings
) -> tuple[tuple[str, float], ...]:
    """Draw the changes of stains from a stream of their own; none without jitter."""
    jitter = how.hed_jitter
    if not jitter:
        return ()
    rng = rng_for(seed, purpose, epoch, index)
    scales, shifts = rng.uniform(1 - jitter, 1 + jitter, 3), rng.uniform(-jitter, jitter, 3)
    return tuple(zip((*SCALES, *SHIFTS), (*scales.tolist(), *shifts.tolist()), strict=True))


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
    for of_stains, some in groupby(params.order if names is None else names, _STAINS.__contains__):
        if of_stains:
            image = change_stains(image, {name: params.strength(name) for name in some})
            continue
        for name in some:
            image = OPERATIONS[name].apply(image, params.strength(name))
    return image


def apply_geometry(params: AugmentationParams, image: Tensor) -> Tensor:
    """Mirror and turn; every value stays as it is."""
    flipped = [axis for axis, flip in ((-1, params.hflip), (-2, params.vflip)) if flip]
    return torch.rot90(image.flip(flipped), params.turns, (-2, -1))
