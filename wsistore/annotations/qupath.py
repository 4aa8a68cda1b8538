"""QuPath's GeoJSON: a FeatureCollection, a list of features, or one feature."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from wsistore.annotations.model import Annotations, Collector, Polygon, text
from wsistore.errors import SlideError
from wsistore.files import ParseError, parse_json

_NO_AREA = {
    "Point": "point", "MultiPoint": "point", "LineString": "line", "MultiLineString": "line",
}  # fmt: skip


def read_geojson(data: bytes, file: str) -> Annotations:
    """Read a GeoJSON file whose coordinates are level-0 pixels.

    The class is ``properties.classification``: its ``name``, its ``names`` joined with ``": "`` as
    QuPath shows them, or a plain text. A MultiPolygon is one region. Points and lines are counted.

    Args:
        data: the file's bytes.
        file: its name, for messages.

    Raises:
        SlideError: it is no JSON, holds no features, a feature is damaged, or none is a region.
    """
    try:
        document = parse_json(data)
    except ParseError as error:
        raise SlideError(f"{file}: {error}") from error
    collector = Collector(file)
    for number, feature in enumerate(_features(document, file)):
        where = f"{file}: feature {number}"
        if not isinstance(feature, dict) or feature.get("type") != "Feature":
            raise SlideError(f"{where}: is no GeoJSON feature")
        properties = feature.get("properties")
        properties = properties if isinstance(properties, dict) else {}
        name = text(properties.get("name"), where)
        if name:
            where = f"{where} ({name!r})"
        label = _label(properties.get("classification"), where)
        polygons = list(_polygons(feature.get("geometry"), where, collector))
        collector.add(polygons, label, name, where)
    return collector.done()


def _features(document: Any, file: str) -> list[Any]:
    if isinstance(document, dict) and document.get("type") == "Feature":
        return [document]
    if isinstance(document, dict) and document.get("type") == "FeatureCollection":
        document = document.get("features")
    if not isinstance(document, list):
        raise SlideError(f"{file}: holds no GeoJSON features")
    return document


def _label(classification: Any, where: str) -> str:
    if not isinstance(classification, dict):
        return text(classification, where)
    if classification.get("name") is not None:
        return text(classification["name"], where)
    names = classification.get("names") or []
    if not isinstance(names, list):
        raise SlideError(f"{where}: has a class or name that is no text")
    return ": ".join(text(name, where) for name in names)


def _polygons(geometry: Any, where: str, collector: Collector) -> Iterator[Polygon]:
    if geometry is None:
        collector.leave_out("feature without a shape")
        return
    kind = geometry.get("type") if isinstance(geometry, dict) else None
    parts: Any
    if kind in _NO_AREA:
        collector.leave_out(_NO_AREA[kind])
        return
    if kind == "GeometryCollection":
        parts = geometry.get("geometries")
    elif kind == "MultiPolygon":
        parts = geometry.get("coordinates")
    elif kind == "Polygon":
        parts = [geometry.get("coordinates")]
    else:
        raise SlideError(f"{where}: has a shape of unknown kind {kind!r}")
    if not isinstance(parts, list):
        raise SlideError(f"{where}: has points that are no pairs of numbers")
    for part in parts:
        if kind == "GeometryCollection":
            yield from _polygons(part, where, collector)
            continue
        if not isinstance(part, list):
            raise SlideError(f"{where}: has points that are no pairs of numbers")
        polygon = collector.polygon(part[0] if part else [], part[1:], where)
        if polygon is not None:
            yield polygon
