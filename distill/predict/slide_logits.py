"""What networks say of a slide: the records that a worker process hands back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

import wsistore
from distill.types import Floats


@dataclass(frozen=True)
class CropLogits:
    """A crop's place, and what the network says of it.

    Attributes:
        crop: its id.
        box: x, y, width, height in level-0 pixels.
        area_mm2: of the box.
        tissue_mm2: tissue in it, or None where it was not looked for.
        size: height and width of what the network saw, in pixels of its level.
        logits: (K,) float64.
        base: (K,) float64 from the slide's base, where `logits` are from a vendor level.
        second: what a second run says, where it was asked: (K,) float64 in its order of classes.
        second_size: what it saw.
        second_base: as `base`, where it was asked about crops from the base.
    """

    crop: str
    box: tuple[int, int, int, int]
    area_mm2: float
    tissue_mm2: float | None
    size: tuple[int, int]
    logits: Floats
    base: Floats | None = None
    second: Floats | None = None
    second_size: tuple[int, int] | None = None
    second_base: Floats | None = None


@dataclass(frozen=True)
class SecondReading:
    """What a second run was asked about a slide.

    Attributes:
        level: its level there: name, factor, mpp.
        vendor_factor: of the level of the slide's file that pixels were made from, or None.
        left_out: id of each crop that the rule chose and this run cannot take, and why.
        gmac: 10⁹ multiply-adds of the crops that the first run read, and that this one did.
        distance: of the colours that it saw from its training slides', or None.
    """

    level: Mapping[str, Any]
    vendor_factor: float | None
    left_out: Mapping[str, str]
    gmac: tuple[float, float]
    distance: float | None


@dataclass(frozen=True)
class SlideLogits:
    """What became of a slide.

    Attributes:
        slide, file: its id, and its file's name.
        outcome: ``ok``, ``empty`` (nothing to predict) or ``failed``, with its `reason`.
        facts: what is known of it: size, mpp, reader, fingerprint, …
        warnings: sentences.
        crops: in reading order.
        left_out: id of each crop that the network cannot take, and why.
        distance: of its colours from the training slides', or None.
        picture: (h, w, 3) uint8, or None.
        second: of a second run, or None.
    """

    slide: str
    file: str
    outcome: str
    reason: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    crops: tuple[CropLogits, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)
    distance: float | None = None
    picture: NDArray[np.uint8] | None = None
    second: SecondReading | None = None


def failed_slide(slide: wsistore.SlideFile, reason: str) -> SlideLogits:
    """Return the result of a slide that cannot be used."""
    return SlideLogits(slide.slide, slide.file, "failed", reason)
