"""Stored crops at their places on empty glass: the only pixels of a preview."""

from __future__ import annotations

import re

from PIL import Image

from wsistore.errors import StoreError
from wsistore.levels import Box
from wsistore.preview.slide_view import SlideView
from wsistore.storage import layout
from wsistore.store import Store, fitted

_COLOR = re.compile(r"#[0-9a-f]{6}")


def placed(box: Box, scale: float) -> tuple[int, int, int, int]:
    """Return a box of level-0 pixels in a picture: (left, top, right, bottom), at least 1 × 1.

    Args:
        box: in level-0 pixels.
        scale: pixels of the picture per level-0 pixel.
    """
    left, top = round(box.x * scale), round(box.y * scale)
    right, bottom = round(box.right * scale), round(box.bottom * scale)
    return left, top, max(right, left + 1), max(bottom, top + 1)


def tissue_on_glass(store: Store, view: SlideView, scale: float) -> Image.Image:
    """Return a whole slide, its crops at their places, all else in the colour of its glass.

    Args:
        store: an open store.
        view: a slide of it, not a failed one.
        scale: pixels of the picture per level-0 pixel.

    Raises:
        StoreError: a crop is missing or damaged, or the slide has no glass colour.
    """
    glass = str(view.row["glass"])
    if _COLOR.fullmatch(glass) is None:
        raise StoreError(f"{store.root / layout.SLIDES_CSV}: {glass!r} is no glass colour #rrggbb")
    extent = (round(view.row["width"] * scale), round(view.row["height"] * scale))
    picture = Image.new("RGB", (max(extent[0], 1), max(extent[1], 1)), glass)
    for crop in view.crops:
        left, top, right, bottom = placed(crop.box, scale)
        level = crop.level_for(scale)
        stored = store[crop.crop]
        drawn = fitted(stored[level], stored.root / level, right - left, bottom - top)
        picture.paste(drawn, (left, top))
    return picture
