"""The rows of a store's tables, grouped by slide in one walk over the tables."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from wsistore.errors import StoreError
from wsistore.levels import Box
from wsistore.storage import layout
from wsistore.store import Store


@dataclass(frozen=True)
class CropView:
    """A crop as it is drawn and listed.

    Attributes:
        crop: its id.
        label: its class, or None.
        box: in level-0 pixels.
        tissue_mm2: measured tissue, or None.
        levels: (name, factor, height, width), finest first; sizes in pixels of the level.
    """

    crop: str
    label: str | None
    box: Box
    tissue_mm2: float | None
    levels: tuple[tuple[str, float, int, int], ...]

    @property
    def number(self) -> str:
        """What follows the slide in its id: what is written beside its box."""
        return self.crop.rsplit("/", 1)[-1]

    def level_for(self, scale: float) -> str:
        """Return the coarsest level that is as fine as a picture, else the finest.

        Args:
            scale: pixels of the picture per level-0 pixel.
        """
        fine = [name for name, factor, _, _ in self.levels if factor * scale <= 1]
        return fine[-1] if fine else self.levels[0][0]


@dataclass(frozen=True)
class SlideView:
    """A slide tried, and its crops.

    Attributes:
        row: its row of ``slides.csv``; an unknown number is None, an unknown label too.
        crops: in reading order.
    """

    row: Mapping[str, Any]
    crops: tuple[CropView, ...]

    @property
    def slide(self) -> str:
        """Its id."""
        return str(self.row["slide"])

    @property
    def labels(self) -> tuple[str | None, ...]:
        """The classes of its crops, or its own where it has none; each once."""
        found = [crop.label for crop in self.crops] or [self.row["label"]]
        return tuple(dict.fromkeys(found))


def _known(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(key): None if value != value else value for key, value in row.items()}


def slide_views(store: Store) -> list[SlideView]:
    """Return every slide tried, in the order of the table.

    Raises:
        StoreError: a table is damaged, or names a slide or crop that cannot be a folder.
    """
    table = store.levels[["crop", "level", "factor", "height", "width"]]
    levels: dict[str, list[tuple[str, float, int, int]]] = defaultdict(list)
    for crop, level, factor, height, width in table.itertuples(index=False):
        levels[crop].append((level, float(factor), int(height), int(width)))
    crops: dict[str, list[CropView]] = defaultdict(list)
    for row in map(_known, store.crops.to_dict("records")):
        if row["crop"] not in levels:
            raise StoreError(f"{store.root / layout.LEVELS_CSV}: has no row of {row['crop']!r}")
        box = Box(row["x"], row["y"], row["width"], row["height"])
        found = tuple(levels[row["crop"]])
        crops[row["slide"]].append(
            CropView(row["crop"], row["label"], box, row["tissue_mm2"], found)
        )
    views = []
    for row in map(_known, store.slides.to_dict("records")):
        if not layout.is_slide_id(row["slide"]):
            name = store.root / layout.SLIDES_CSV
            raise StoreError(f"{name}: {row['slide']!r} is not a slide that wsistore could name")
        views.append(SlideView(row, tuple(crops[row["slide"]])))
    return views


def slide_view(store: Store, slide: str) -> SlideView:
    """Return one slide.

    Raises:
        StoreError: the store has not tried such a slide.
    """
    for view in slide_views(store):
        if view.slide == slide:
            return view
    raise StoreError(f"{store.root}: has no slide {slide!r}")


@dataclass(frozen=True)
class RenderedSlide:
    """A slide of the page.

    Attributes:
        view: the slide.
        size: (width, height) of its thumbnail in pixels, or None where it has no picture.
        fault: why its crops cannot be drawn; empty where they were, or where the slide failed.
    """

    view: SlideView
    size: tuple[int, int] | None = None
    fault: str = ""
