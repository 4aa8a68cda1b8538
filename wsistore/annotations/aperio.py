"""Aperio ImageScope's XML: regions in layers, classes in attributes."""

from __future__ import annotations

from collections.abc import Iterable
from xml.etree.ElementTree import Element

from wsistore.annotations.layers import read_layers
from wsistore.annotations.model import Annotations, text

_TYPES = {"0": "polygon", "1": "rectangle", "2": "ellipse"}
_GEO_SHAPES = {
    "area": "polygon", "polygon": "polygon", "geometry": "polygon",
    "rectangle": "rectangle", "ellipse": "ellipse",
}  # fmt: skip
_DEFAULT_ATTRIBUTE = "Description"
"""ImageScope gives every layer an attribute of this name; it is a class by its value alone."""


def read_aperio(root: Element, file: str) -> Annotations:
    """Read ``Annotations``, whose ``Annotation`` elements are layers; X and Y are level-0 pixels.

    The class of a region is the first of its own attributes with a value; else its layer's first
    attribute with a value; else the name of the layer's one attribute, ImageScope's own
    ``Description`` aside (``<Attribute Name="CaP" Value=""/>``); else the layer's ``Name``; else
    its own ``Text``. Its name is its ``Text``. Rectangles and ellipses may be given by two opposite
    corners. Arrows, rulers and points are counted. See `wsistore.annotations.layers.read_layers`.

    Args:
        root: the document's root.
        file: its name, for messages.

    Raises:
        SlideError: a coordinate is damaged, or nothing that is there is a region.
    """
    return read_layers(root, file, _Aperio())


class _Aperio:
    def shape(self, region: Element, where: str) -> tuple[str, str]:
        code, geo_shape = region.get("Type", "0"), region.get("GeoShape")
        # QuPath's export script names the shape and writes type codes of its own
        if geo_shape is not None:
            return _GEO_SHAPES.get(geo_shape.lower(), ""), f"shape {geo_shape}"
        return _TYPES.get(code, ""), f"type {code}"

    def corners(self, region: Element) -> list[Element]:
        return region.findall("Vertices/Vertex")

    def label(self, layer: Element, region: Element, where: str) -> str:
        own = _values(region.iterfind("Attributes/Attribute"), "Value", where)
        of_layer = list(layer.iterfind("Attributes/Attribute"))
        names = [
            name for name in _values(of_layer, "Name", where) if name.title() != _DEFAULT_ATTRIBUTE
        ]
        candidates = [
            *own,
            *_values(of_layer, "Value", where),
            # of several names nobody knows which one is the class
            *(names if len(names) == 1 else ()),
            text(layer.get("Name"), where),
            self.name(region, where),
        ]
        return next((one for one in candidates if one), "")

    def name(self, region: Element, where: str) -> str:
        own = text(region.get("Text"), where)
        # QuPath's export script writes Java's null
        return "" if own == "null" and region.get("GeoShape") is not None else own


def _values(attributes: Iterable[Element], key: str, where: str) -> list[str]:
    """Return what the attributes have under a key, empty ones left out."""
    found = (text(attribute.get(key), where) for attribute in attributes)
    return [value for value in found if value]
