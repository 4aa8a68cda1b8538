"""Regions in layers, as Aperio ImageScope and HALO write them: what both files have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol
from xml.etree.ElementTree import Element

from wsistore.annotations.elements import points, refuse_unknown_elements
from wsistore.annotations.model import Annotations, Collector, Polygon, text
from wsistore.annotations.polygon import Outline, ellipse, holds_any, outline, rectangle

ROOT = "Annotations"

_TAGS = frozenset({
    ROOT, "Annotation", "Attributes", "Attribute", "Regions", "RegionAttributeHeaders",
    "AttributeHeader", "Plots", "Comments",
})  # fmt: skip
"""All that a file without regions may hold."""


class Dialect(Protocol):
    """What differs between the programs."""

    def shape(self, region: Element, where: str) -> tuple[str, str]:
        """Return polygon, rectangle or ellipse, or the empty text; and what it is if it is none."""

    def corners(self, region: Element) -> list[Element]:
        """Return the elements with X and Y."""

    def label(self, layer: Element, region: Element, where: str) -> str:
        """Return a region's class, empty where it has none."""

    def name(self, region: Element, where: str) -> str:
        """Return what a region is called, empty where it has no name."""


@dataclass(frozen=True)
class _Drawn:
    polygon: Polygon
    label: str
    name: str
    where: str


def read_layers(root: Element, file: str, dialect: Dialect) -> Annotations:
    """Read ``Annotations``, whose ``Annotation`` elements are layers; X and Y are level-0 pixels.

    Negative regions of a layer are holes of every region of that layer that they meet. What has no
    area is counted.

    Args:
        root: the document's root.
        file: its name, for messages.
        dialect: the program that wrote it.

    Raises:
        SlideError: a coordinate is damaged, or nothing that is there is a region.
    """
    collector = Collector(file)
    seen = 0
    for number, layer in enumerate(root.iterfind("Annotation")):
        drawn: list[_Drawn] = []
        negative: list[Outline] = []
        for count, region in enumerate(layer.iterfind("Regions/Region")):
            seen += 1
            where = f"{file}: layer {number}, region {region.get('Id') or count}"
            polygon = _polygon(region, where, dialect, collector)
            if polygon is None:
                continue
            if (region.get("NegativeROA") or "0").lower() in ("1", "true"):
                negative.append(polygon[0])
            else:
                label = dialect.label(layer, region, where)
                drawn.append(_Drawn(polygon, label, dialect.name(region, where), where))
        _add(drawn, negative, collector)
    outside = sum(1 for _ in root.iter("Region")) - seen
    for _ in range(outside):
        collector.leave_out("region outside every layer")
    if not seen and not outside:
        refuse_unknown_elements(root, _TAGS, file)
    return collector.done()


def _add(drawn: list[_Drawn], negative: list[Outline], collector: Collector) -> None:
    """Add the regions of a layer, less its negative ones."""
    used: set[int] = set()
    for one in drawn:
        ring = one.polygon[0]
        met = [n for n, hole in enumerate(negative) if _meet(ring, hole)]
        used.update(met)
        holes = tuple(negative[n] for n in met)
        collector.add([(ring, holes)], one.label, one.name, one.where)
    for _ in range(len(negative) - len(used)):
        collector.leave_out("negative region outside every region of its layer")


def _meet(one: Outline, other: Outline) -> bool:
    return holds_any(one, other) or holds_any(other, one)


def _polygon(region: Element, where: str, dialect: Dialect, collector: Collector) -> Polygon | None:
    """Return a region's outline, or None, counted, where it has no area."""
    shape, kind = dialect.shape(region, where)
    if not shape:
        collector.leave_out(f"region of {text(kind, where)}")
        return None
    corners = outline(points(dialect.corners(region), where), where)
    if shape == "rectangle" and len(corners) == 2:
        corners = rectangle(corners)
    elif shape == "ellipse" and 2 <= len(corners) <= 4:
        corners = ellipse(corners)
    return collector.polygon(corners.tolist(), [], where)
