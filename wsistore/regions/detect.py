"""From a slide to the boxes of its crops."""

from __future__ import annotations

import numpy as np

from wsistore.levels import Box, merge_overlapping, snap
from wsistore.readers import NativeLevels
from wsistore.regions.glass import glass_color
from wsistore.regions.region import Region, Regions, hex_color
from wsistore.regions.settings import TissueSettings
from wsistore.regions.thumbnail import read_thumbnail
from wsistore.regions.tissue import find_pieces, tissue_mask

JOIN_SHARE = 0.25
"""Boxes are joined when more than this share of the smaller lies in the other."""


def find_regions(
    levels: NativeLevels, mpp: float, coarsest_factor: int, kind: str, settings: TissueSettings
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
    overview = read_thumbnail(levels, mpp, settings.mpp)
    glass = hex_color(glass_color(overview.image))
    if kind == "whole":
        whole = Box(0, 0, width, height)
        return Regions((Region(whole, None),), glass)
    mask = tissue_mask(overview, settings)
    pieces = find_pieces(mask, overview.mpp, settings)
    if not pieces and overview.level != 0:
        # that there is none is said by level 0 alone
        base = read_thumbnail(NativeLevels(levels.reader, base_only=True), mpp, settings.mpp)
        mask = tissue_mask(base, settings)
        if pieces := find_pieces(mask, base.mpp, settings):
            levels.pass_over(overview.level, "it shows no tissue, and level 0 does")
            overview, glass = base, hex_color(glass_color(base.image))
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
