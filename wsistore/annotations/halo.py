"""HALO's XML (``.annotations``): regions in layers, types by name; the layer is the class."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from wsistore.annotations.layers import read_layers
from wsistore.annotations.model import Annotations, text

_AREAS = {"polygon", "rectangle", "ellipse"}
_OTHERS = {"ruler", "pin"}


def is_halo(root: Element) -> bool:
    """Tell HALO's ``Annotations`` from Aperio's: types are words there, and vertices are ``V``."""
    if root.find("Annotation/Regions/Region/Vertices/V") is not None:
        return True
    types = (
        region.get("Type", "").lower() for region in root.iterfind("Annotation/Regions/Region")
    )
    return any(kind in _AREAS | _OTHERS for kind in types)


def read_halo(root: Element, file: str) -> Annotations:
    """Read ``Annotations``, whose ``Annotation`` elements are layers; X and Y are level-0 pixels.

    The class of a region is its layer's ``Name``; regions have no names. Rectangles and ellipses
    are given by two opposite corners. Rulers and pins are counted. See
    `wsistore.annotations.layers.read_layers`.

    Args:
        root: the document's root.
        file: its name, for messages.

    Raises:
        SlideError: a coordinate is damaged, or nothing that is there is a region.
    """
    return read_layers(root, file, _Halo())


class _Halo:
    def shape(self, region: Element, where: str) -> tuple[str, str]:
        kind = region.get("Type", "Polygon")
        return kind.lower() if kind.lower() in _AREAS else "", f"type {kind}"

    def corners(self, region: Element) -> list[Element]:
        return region.findall("Vertices/V") or region.findall("Vertices/Vertex")

    def label(self, layer: Element, region: Element, where: str) -> str:
        return text(layer.get("Name"), where)

    def name(self, region: Element, where: str) -> str:
        return ""
