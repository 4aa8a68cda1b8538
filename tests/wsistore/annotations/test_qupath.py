import json
import re
from pathlib import Path
from typing import Any

import pytest

from wsistore.annotations.model import Annotations
from wsistore.annotations.polygon import area
from wsistore.annotations.qupath import read_geojson
from wsistore.errors import SlideError

RING = [[0, 0], [10, 0], [10, 10], [0, 10], [0, 0]]
HOLE = [[2, 2], [4, 2], [4, 4], [2, 4], [2, 2]]


def feature(geometry: Any, **properties: Any) -> dict[str, Any]:
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def polygon(*rings: Any) -> dict[str, Any]:
    return {"type": "Polygon", "coordinates": list(rings)}


def read(document: Any) -> Annotations:
    return read_geojson(json.dumps(document).encode(), "a.geojson")


@pytest.mark.parametrize(
    ("file", "name", "corners", "bounds"),
    [
        ("qupath-rectangle.json", "rectangle", 4, (26268, 15298, 26478, 15474)),
        ("qupath-polygon.json", "polygon", 46, (26215, 15345, 26637, 15705)),
        ("qupath-brush.json", "brush", 187, None),
    ],
)
def test_real_single_features(
    shared: Path, file: str, name: str, corners: int, bounds: tuple[int, ...] | None
) -> None:
    path = shared / "annotations" / file
    (one,) = read_geojson(path.read_bytes(), file).regions
    assert (one.name, one.label, len(one.polygons)) == (name, "", 1)
    # the numbers of the file, found by their brackets alone
    pairs = re.findall(r"\[(\d[\d.]*), (\d[\d.]*)\]", path.read_text())
    xs, ys = [float(x) for x, _ in pairs], [float(y) for _, y in pairs]
    assert one.bounds == (min(xs), min(ys), max(xs), max(ys))
    assert bounds is None or one.bounds == bounds
    ((outer, holes),) = one.polygons
    assert len(outer) == corners
    assert len(outer) + sum(map(len, holes)) == len(pairs) - 1 - len(holes)


def test_real_classified_cells(shared: Path) -> None:
    path = shared / "annotations" / "qupath-polygon-cell-classified.json"
    found = read_geojson(path.read_bytes(), path.name)
    assert [(one.label, one.name) for one in found.regions] == [
        ("Cell", "Erythrocytes 2"),
        ("Cell", "Erythrocytes 1"),
        ("Nucleus", "Neutrophils 1"),
        ("Nucleus", "Neutrophils 2"),
    ]
    assert [len(one.polygons[0][0]) for one in found.regions] == [100] * 4
    assert found.notes == ()


def test_holes_and_multipolygons() -> None:
    far = [[[x + 50, y] for x, y in RING]]
    found = read(
        {
            "type": "FeatureCollection",
            "features": [
                feature(polygon(RING, HOLE)),
                feature({"type": "MultiPolygon", "coordinates": [[RING, HOLE], far]}, name="two"),
            ],
        }
    )
    first, second = found.regions
    ((outer, (hole,)),) = first.polygons
    assert (area(outer), area(hole)) == (100, 4)
    assert [len(holes) for _, holes in second.polygons] == [1, 0]
    assert second.bounds == (0, 0, 60, 10)


@pytest.mark.parametrize(
    ("classification", "label"),
    [
        ({"name": "Tumor", "colorRGB": -1}, "Tumor"),
        ({"names": ["Tumor", "Positive"], "color": [1, 2, 3]}, "Tumor: Positive"),
        ("Stroma", "Stroma"),
        ({"name": " two\nlines\t"}, "two lines"),
        ({"name": "<b>NA</b>,\"'=1+1"}, "<b>NA</b>,\"'=1+1"),
        ({"name": None}, ""),
        ({}, ""),
        (None, ""),
    ],
)
def test_the_class(classification: Any, label: str) -> None:
    (one,) = read([feature(polygon(RING), classification=classification)]).regions
    assert one.label == label


def test_what_is_no_region_is_counted() -> None:
    found = read(
        [
            feature({"type": "Point", "coordinates": [1, 2]}),
            feature({"type": "MultiPoint", "coordinates": [[1, 2]]}),
            feature({"type": "LineString", "coordinates": [[1, 2], [3, 4]]}),
            feature(None),
            feature(polygon([[0, 0], [5, 5], [0, 0]])),
            feature(polygon()),
            feature(polygon(RING, [[1, 1], [2, 2]])),
            feature(polygon([[0, 0], [4, 4], [4, 0], [0, 4]])),
            feature({"type": "GeometryCollection", "geometries": [
                polygon(RING), {"type": "Point", "coordinates": [1, 2]}]}),
        ]
    )  # fmt: skip
    assert len(found.regions) == 3
    assert found.notes == (
        "left out of a.geojson: 1 × feature without a shape, 1 × hole that encloses nothing, "
        "1 × line, 2 × outline that encloses nothing, 3 × point",
        "3 × region without a class in a.geojson (feature 6; feature 7; feature 8)",
        "1 × outline in a.geojson crosses itself",
    )


def test_an_empty_collection_holds_nothing() -> None:
    assert read({"type": "FeatureCollection", "features": []}) == Annotations(())


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "a.geojson: is no whole JSON"),
        (b"\xff\xfe\x00", "a.geojson: is no whole JSON"),
        (b"[" * 100_000, "a.geojson: is nested deeper"),
        (b'{"annotations": []}', "a.geojson: holds no GeoJSON features"),
        (b'{"type": "FeatureCollection"}', "holds no GeoJSON features"),
        (b"[1]", "feature 0: is no GeoJSON feature"),
        (json.dumps([feature({"type": "Circle"}, name="x")]).encode(), "feature 0 .'x'.*'Circle'"),
        (json.dumps([feature(polygon(RING), name=5)]).encode(), "no text"),
        (json.dumps([feature(polygon(RING), name="\0")]).encode(), "control characters"),
        (json.dumps([feature(polygon(RING), classification={"name": "\ud800"})]).encode(),
         "control characters"),
        (json.dumps([feature(polygon(RING), classification={"names": 3})]).encode(), "no text"),
        (json.dumps([feature({"type": "Polygon", "coordinates": 3})]).encode(), "no pairs"),
        (json.dumps([feature({"type": "Polygon", "coordinates": [3]})]).encode(), "no pairs"),
        (json.dumps([feature({"type": "MultiPolygon"})]).encode(), "no pairs"),
        (json.dumps([feature({"type": "MultiPolygon", "coordinates": [5]})]).encode(), "no pairs"),
        (b'[{"type":"Feature","geometry":{"type":"Polygon","coordinates":[[[0,0],[NaN,1]]]}}]',
         "a.geojson: holds NaN"),
    ],
)  # fmt: skip
def test_damage_is_one_sentence(data: bytes, message: str) -> None:
    with pytest.raises(SlideError, match=message) as caught:
        read_geojson(data, "a.geojson")
    assert str(caught.value).startswith("a.geojson: ")


def test_nothing_understood_is_not_empty() -> None:
    assert read({"type": "FeatureCollection", "features": []}).regions == ()
    assert read([]).regions == ()
    for document, message in (
        ([feature({"type": "Point", "coordinates": [1, 2]})] * 2, "2 × point"),
        (feature(None), "1 × feature without a shape"),
        ([feature(polygon([[0, 0], [5, 5]]))], "1 × outline that encloses nothing"),
    ):
        with pytest.raises(SlideError, match=f"a.geojson: nothing in it is a region .*: {message}"):
            read(document)
    with pytest.raises(SlideError, match="holds no GeoJSON features"):
        read({"annotations": [{"polygon": [[0, 0], [5, 5], [5, 0]]}]})


def test_regions_without_a_class_are_named() -> None:
    found = read([feature(polygon(RING), name="A1"), *[feature(polygon(RING))] * 4])
    assert [one.name for one in found.regions] == ["A1", "", "", "", ""]
    assert found.notes == (
        "5 × region without a class in a.geojson (feature 0 ('A1'); feature 1; feature 2; …)",
    )
