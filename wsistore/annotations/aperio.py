"""Aperio ImageScope's XML: regions in layers."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from wsistore.annotations.model import Annotations, Collector, Polygon, text
from wsistore.annotations.outline import Outline, ellipse, holds_any, outline, rectangle
from wsistore.annotations.xml import points

ROOT = "Annotations"

_TYPES = {"0": "polygon", "1": "rectangle", "2": "ellipse"}
_GEO_SHAPES = {
    "area": "polygon", "polygon": "polygon", "geometry": "polygon",
    "rectangle": "rectangle", "ellipse": "ellipse",
}  # fmt: skip


def read_aperio(root: Element, file: str) -> Annotations:
    """Read ``Annotations``, whose ``Annotation`` elements are layers; X and Y are level-0 pixels.

    The class of a region is its layer's ``Name``, else its own ``Text``, else the first of its
    attributes with a value. Negative regions of a layer are holes of every region of that layer
    that they meet. Rectangles and ellipses may be given by two opposite corners. Arrows, rulers and
    points are counted.

    Args:
        root: the document's root.
        file: its name, for messages.

    Raises:
        SlideError: a coordinate is damaged.
    """
    collector = Collector(file)
    for layer_number, layer in enumerate(root.iterfind("Annotation")):
        layer_name = text(layer.get("Name"), file)
        regions: list[tuple[Polygon, str, str]] = []
        negative: list[Outline] = []
        for count, region in enumerate(layer.iterfind("Regions/Region")):
            where = f"{file}: layer {layer_number}, region {region.get('Id') or count}"
            polygon = _polygon(region, where, collector)
            if polygon is None:
                continue
            if region.get("NegativeROA") == "1":
                negative.append(polygon[0])
            else:
                own = _own_text(region, where)
                regions.append((polygon, layer_name or own, own))
        used: set[int] = set()
        for (ring, _), label, name in regions:
            met = [n for n, hole in enumerate(negative) if _meet(ring, hole)]
            used.update(met)
            collector.add([(ring, tuple(negative[n] for n in met))], label, name)
        for _ in range(len(negative) - len(used)):
            collector.leave_out("negative region outside every region of its layer")
    return collector.done()


def _meet(one: Outline, other: Outline) -> bool:
    return holds_any(one, other) or holds_any(other, one)


def _own_text(region: Element, where: str) -> str:
    own = text(region.get("Text"), where)
    if own == "null" and region.get("GeoShape") is not None:
        own = ""  # QuPath's export script writes Java's null
    values = (
        text(attribute.get("Value"), where) for attribute in region.iterfind("Attributes/Attribute")
    )
    return own or next((value for value in values if value), "")


def _polygon(region: Element, where: str, collector: Collector) -> Polygon | None:
    """Return a region's outline, or None, counted, where it has no area."""
    code, geo_shape = region.get("Type", "0"), region.get("GeoShape")
    # QuPath's export script names the shape and writes type codes of its own
    shape = _GEO_SHAPES.get(geo_shape.lower()) if geo_shape is not None else _TYPES.get(code)
    if shape is None:
        kind = f"shape {geo_shape}" if geo_shape is not None else f"type {code}"
        collector.leave_out(f"region of {text(kind, where)}")
        return None
    corners = outline(points(region.findall("Vertices/Vertex"), where), where)
    if shape == "rectangle" and len(corners) == 2:
        corners = rectangle(corners)
    elif shape == "ellipse" and 2 <= len(corners) <= 4:
        corners = ellipse(corners)
    return collector.polygon(corners.tolist(), [], where)
