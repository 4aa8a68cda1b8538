"""ASAP's XML: annotations in groups; the group is the class."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from wsistore.annotations.elements import number, points, refuse_unknown_elements
from wsistore.annotations.model import Annotations, Collector, text
from wsistore.annotations.polygon import outline, rectangle

ROOT = "ASAP_Annotations"
_AREAS = {"polygon", "spline", "rectangle"}
_TAGS = frozenset({ROOT, "Annotations", "AnnotationGroups", "Group", "Attributes"})
"""All that a file without annotations may hold."""


def read_asap(root: Element, file: str) -> Annotations:
    """Read ``ASAP_Annotations``; X and Y are level-0 pixels.

    The class is ``PartOfGroup``; ``None`` is ASAP's word for no group. Corners are taken in the
    order of their ``Order``. A spline is taken as the polygon through its points. Dots, point sets
    and measurements are counted.

    Args:
        root: the document's root.
        file: its name, for messages.

    Raises:
        SlideError: a coordinate is damaged, or nothing that is there is a region.
    """
    collector = Collector(file)
    annotations = root.findall("Annotations/Annotation")
    for count, annotation in enumerate(annotations):
        name = text(annotation.get("Name"), file)
        where = f"{file}: annotation {count}" + (f" ({name!r})" if name else "")
        kind = text(annotation.get("Type", "Polygon"), where)
        if kind.lower() not in _AREAS:
            collector.leave_out(f"annotation of type {kind}")
            continue
        found = annotation.findall("Coordinates/Coordinate")
        if all(coordinate.get("Order") is not None for coordinate in found):
            found.sort(key=lambda coordinate: number(coordinate, "Order", where))
        corners = points(found, where)
        if kind.lower() == "rectangle" and len(corners) == 2:
            corners = rectangle(outline(corners, where)).tolist()
        polygon = collector.polygon(corners, [], where)
        group = text(annotation.get("PartOfGroup"), where)
        label = "" if group == "None" else group
        collector.add([polygon] if polygon else [], label, name, where)
    outside = sum(1 for _ in root.iter("Annotation")) - len(annotations)
    for _ in range(outside):
        collector.leave_out("annotation outside <Annotations>")
    if not annotations and not outside:
        refuse_unknown_elements(root, _TAGS, file)
    return collector.done()
