"""The views of a crop that are embedded: as it is, or in all of its eight positions. Pure."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from distill.data import AugmentationParams, apply_geometry, unchanged


def position(number: int, epoch: int = 0) -> AugmentationParams:
    """Return view 0 … 7 as a draw that changes no colour.

    View v is mirrored left to right if v ≥ 4, and then turned v mod 4 quarters counter-clockwise.
    View 0 is the crop as it is.
    """
    return replace(unchanged(epoch), hflip=number >= 4, turns=number % 4)


def number_of(draw: AugmentationParams | None) -> int:
    """Return the view in which a draw puts a crop; its colours do not count.

    To mirror top to bottom is to mirror left to right and turn twice.
    """
    if draw is None:
        return 0
    return 4 * (draw.hflip != draw.vflip) + (draw.turns + 2 * draw.vflip) % 4


def seen(image: Tensor, number: int) -> Tensor:
    """(3, H, W) to the image in that view, a tensor of the same memory where it can be."""
    return apply_geometry(position(number), image) if number else image
