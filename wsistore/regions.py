"""From a slide to the boxes of its crops."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wsistore.annotations.model import Annotation
from wsistore.levels.box import Box, merge_overlapping, snap
from wsistore.overview import read_overview
from wsistore.settings import TissueSettings
from wsistore.tissue import find_pieces, glass_colour, tissue_mask
from wsistore.vendor_levels import VendorLevels

JOIN_SHARE = 0.25
"""Boxes are joined when more than this share of the smaller lies in the other."""


@dataclass(frozen=True)
class Region:
    """A crop to be made.

    Attributes:
        box: in level-0 pixels, inside the slide, snapped to the coarsest factor.
        tissue_mm2: tissue inside it; None where it was not looked for.
        label: its own class; empty where it has the slide's.
        annotation: what was drawn there, if anything was.
    """

    box: Box
    tissue_mm2: float | None
    label: str = ""
    annotation: Annotation | None = None


@dataclass(frozen=True)
class Regions:
    """The crops of a slide.

    Attributes:
        regions: in reading order.
        glass: the colour of the slide's glass as ``#rrggbb``.
        none: the sentence that says that there are no crops.
        notes: sentences for the slide's ``warning``.
        annotations: the fingerprint of the annotation file; empty where there is none.
    """

    regions: tuple[Region, ...]
    glass: str
    none: str = "no tissue was found"
    notes: tuple[str, ...] = ()
    annotations: str = ""


def find_regions(
    levels: VendorLevels, mpp: float, coarsest_factor: int, kind: str, settings: TissueSettings
) -> Regions:
    """Return the crops that a slide's own pixels ask for; `wsistore.annotations` has drawn ones.

    Args:
        levels: of the open slide.
        mpp: µm per level-0 pixel.
        coarsest_factor: box sides become multiples of it where the slide has room.
        kind: ``"tissue"``, one box a piece, joined where they overlap much; or ``"whole"``.
        settings: how tissue is found.

    Raises:
        SlideError: the pixels cannot be decoded.
        ValueError: pixels alone do not give regions of that kind.
    """
    if kind not in ("tissue", "whole"):
        raise ValueError(f"no pixels give regions of kind {kind!r}")
    width, height = levels.reader.level_sizes[0]
    overview = read_overview(levels, mpp, settings.mpp)
    glass = hex_colour(glass_colour(overview.image))
    if kind == "whole":
        whole = Box(0, 0, width, height)
        return Regions((Region(whole, None),), glass)
    mask = tissue_mask(overview, settings)
    pieces = find_pieces(mask, overview.mpp, settings)
    if not pieces and overview.level != 0:
        # that there is none is said by level 0 alone
        base = read_overview(VendorLevels(levels.reader, base_only=True), mpp, settings.mpp)
        mask = tissue_mask(base, settings)
        if pieces := find_pieces(mask, base.mpp, settings):
            levels.pass_over(overview.level, "it shows no tissue, and level 0 does")
            overview, glass = base, hex_colour(glass_colour(base.image))
    boxes = merge_overlapping(
        (overview.to_level0(piece.box).clipped(width, height) for piece in pieces), JOIN_SHARE
    )
    snapped = [snap(box, coarsest_factor, width, height) for box in boxes]
    area_per_pixel = overview.mpp**2 / 1e6
    ys, xs = np.nonzero(mask)
    ys0, xs0 = (ys + 0.5) * overview.scale_y, (xs + 0.5) * overview.scale_x
    found = []
    for box in snapped:
        inside = (xs0 >= box.x) & (xs0 < box.right) & (ys0 >= box.y) & (ys0 < box.bottom)
        found.append(Region(box, round(float(inside.sum()) * area_per_pixel, 6)))
    return Regions(tuple(found), glass)


def hex_colour(colour: NDArray[np.float64]) -> str:
    """Return a colour, (3,) in 0…255, as ``#rrggbb``."""
    red, green, blue = (round(float(channel)) for channel in colour)
    return f"#{red:02x}{green:02x}{blue:02x}"
