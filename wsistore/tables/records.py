"""Rows of the store's tables, as dataclasses; the order of fields is the order of columns."""

from __future__ import annotations

from dataclasses import dataclass, field

OUTCOMES = ("ok", "empty", "failed")
"""What may come of a slide."""
SPLIT_COLUMNS = ("crop", "slide", "patient", "label", "subset")
"""Columns of a split's table."""


@dataclass(frozen=True)
class SlideRow:
    """One slide tried. ``outcome`` is ``ok``, ``empty`` or ``failed``, with its ``reason``.

    ``site`` is where it is from, such as a hospital; empty where no labels table said so.
    """

    slide: str
    outcome: str
    reason: str = ""
    file: str = ""
    bytes: int = 0
    fingerprint: str = ""
    patient: str = ""
    label: str = ""
    reader: str = ""
    vendor: str = ""
    width: int = 0
    height: int = 0
    mpp: float = 0.0
    mpp_source: str = ""
    objective_power: float | None = None
    crops: int = 0
    glass: str = ""
    icc: str = ""
    warning: str = ""
    annotations: str = ""
    annotation_offset: str = ""
    site: str = ""


@dataclass(frozen=True)
class CropRow:
    """One tissue crop; its box is in level-0 pixels of the slide, ``mpp`` is µm per such pixel.

    ``annotation_class`` is the class of the region it was drawn as, which its label then is, and
    ``annotation_name`` what that region is called in its program; empty where it has none or was
    not drawn, None where a store from before they were recorded does not say.
    """

    crop: str
    slide: str
    patient: str
    label: str
    x: int
    y: int
    width: int
    height: int
    mpp: float
    tissue_mm2: float | None
    annotation_class: str | None = None
    annotation_name: str | None = None


@dataclass(frozen=True)
class LevelRow:
    """One level of one crop, with the exact sums of its values and squared values.

    ``bytes`` is what its array takes in the store, metadata included; None where a store from
    before it was recorded does not say.
    """

    crop: str
    level: str
    height: int
    width: int
    factor: float
    mpp: float
    sum_r: int
    sum_g: int
    sum_b: int
    sumsq_r: int
    sumsq_g: int
    sumsq_b: int
    bytes: int | None = None


@dataclass(frozen=True)
class SlideRecord:
    """All that the tables hold of one slide."""

    slide: SlideRow
    crops: tuple[CropRow, ...] = field(default=())
    levels: tuple[LevelRow, ...] = field(default=())


LATER_COLUMNS: dict[type, frozenset[str]] = {
    SlideRow: frozenset({"site"}),
    CropRow: frozenset({"annotation_class", "annotation_name"}),
    LevelRow: frozenset({"bytes"}),
}
"""Columns that tables and records of early stores lack."""

UNWRITTEN: dict[type, frozenset[str]] = {SlideRow: frozenset({"site"})}
"""Columns that are not written where no row has them: a store without sites is as it always was."""
