"""How regions are found; recorded in the store. Plain data."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

from wsistore.errors import UsageError

REGION_KINDS = ("tissue", "whole", "annotations")

OUTSIDE_KINDS = ("keep", "glass")

METHOD = "optical-density-3"
"""Names this way of finding tissue in a store; another way has another name."""

WITHOUT_RIMS = "optical-density-2"
"""The way before: the colored rim of black ink was kept. Stores made with it go on with it."""

METHODS = (METHOD, WITHOUT_RIMS)


@dataclass(frozen=True)
class TissueSettings:
    """How tissue is found; recorded in the store.

    Attributes:
        mpp: µm per pixel of the image it is looked for in.
        min_area_mm2: pieces with less tissue are left out.
        gap_um: fragments nearer than this are one piece.
        margin_um: glass kept around a piece.
        min_density, max_density: bounds of the optical density that separates tissue from glass;
            Otsu's threshold is taken where it lies between them. The upper bound keeps pale
            tissue beside dark tissue, the lower one keeps out shading of the glass.
        method: one of `METHODS`.

    Raises:
        UsageError: on construction, if a number is none of its kind, or the method is unknown.
    """

    mpp: float = 8.0
    min_area_mm2: float = 0.02
    gap_um: float = 100.0
    margin_um: float = 32.0
    min_density: float = 0.04
    max_density: float = 0.08
    method: str = METHOD

    def __post_init__(self) -> None:
        _require("mpp", self.mpp, above=True)
        for name in ("min_area_mm2", "gap_um", "margin_um", "min_density", "max_density"):
            _require(name, getattr(self, name))
        if self.min_density > self.max_density:
            raise UsageError(f"min_density {self.min_density} is above {self.max_density}")
        if self.method not in METHODS:
            raise UsageError(f"tissue was found by {self.method}, not {' or '.join(METHODS)}")

    def record(self) -> dict[str, float | str]:
        """Return the settings and the method's name, for the store."""
        return asdict(self)


@dataclass(frozen=True)
class AnnotationSettings:
    """How annotations become crops; recorded in the store.

    Attributes:
        margin_um: µm kept around the bounding box of an annotation.
        outside: ``"keep"`` leaves the pixels outside an annotation as they are, ``"glass"`` gives
            them the colour of the slide's glass before anything is downsampled.

    Raises:
        UsageError: on construction, if the margin is no width, or `outside` is unknown.
    """

    margin_um: float = 0.0
    outside: str = "keep"

    def __post_init__(self) -> None:
        _require("margin_um", self.margin_um)
        if self.outside not in OUTSIDE_KINDS:
            raise UsageError(f"outside is {self.outside!r}, not {' or '.join(OUTSIDE_KINDS)}")

    def record(self) -> dict[str, float | str]:
        """Return the settings, for the store."""
        return asdict(self)


def _require(name: str, value: float, *, above: bool = False) -> None:
    if not (math.isfinite(value) and (value > 0 or (value == 0 and not above))):
        wanted = "above 0" if above else "of at least 0"
        raise UsageError(f"{name} is {value}, not a finite number {wanted}")
