"""A region of a slide that becomes a crop, and the regions of one slide."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wsistore.annotations import Annotation
from wsistore.levels import Box


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
        empty_reason: the sentence that says that there are no crops.
        notes: sentences for the slide's ``warning``.
        annotations: the fingerprint of the annotation file; empty where there is none.
    """

    regions: tuple[Region, ...]
    glass: str
    empty_reason: str = "no tissue was found"
    notes: tuple[str, ...] = ()
    annotations: str = ""


def hex_color(color: NDArray[np.float64]) -> str:
    """Return a colour, (3,) in 0…255, as ``#rrggbb``."""
    red, green, blue = (round(float(channel)) for channel in color)
    return f"#{red:02x}{green:02x}{blue:02x}"
