"""Flips and turns under which a network sees a crop when it answers."""

from __future__ import annotations

from distill.data.augmentation import AugmentationParams

View = AugmentationParams | None
"""A flip or turn; None leaves the crop as it is."""


def view_draws(number: int) -> tuple[View, ...]:
    """Return the first views of a crop: 1, 2, 4 or all 8 of the dihedral group.

    In this order: as it is; mirrored left to right; mirrored top to bottom; turned by a half. Then
    the same four, each turned by a quarter counter-clockwise, which exchanges height and width.
    Each of the four numbers makes a group: a mean over its views is the same for each of them.

    Raises:
        ValueError: it is another number.
    """
    if number not in (1, 2, 4, 8):
        raise ValueError(f"{number} views: not 1, 2, 4 or 8")
    flips = ((False, False), (True, False), (False, True), (True, True))
    every: list[View] = [
        AugmentationParams((), hflip, vflip, turns) for turns in (0, 1) for hflip, vflip in flips
    ]
    return (None, *every[1:number])
