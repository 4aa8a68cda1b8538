import math
from pathlib import Path
from xml.etree.ElementTree import fromstring, parse

import pytest

from wsistore.annotations.aperio import read_aperio
from wsistore.annotations.model import Annotations
from wsistore.annotations.polygon import area
from wsistore.annotations.source import read_annotations
from wsistore.errors import SlideError

SQUARE = [(0, 0), (100, 0), (100, 100), (0, 100)]


def moved(points: list[tuple[int, int]], x: int, y: int) -> list[tuple[int, int]]:
    return [(a + x, b + y) for a, b in points]


def region(points: list[tuple[int, int]], extra: str = "", inner: str = "") -> str:
    corners = "".join(f'<Vertex X="{x}" Y="{y}" Z="0"/>' for x, y in points)
    return f'<Region Id="7" {extra}>{inner}<Vertices>{corners}</Vertices></Region>'


def attributes(**values: str) -> str:
    parts = (f'<Attribute Name="{name}" Id="0" Value="{text}"/>' for name, text in values.items())
    return f"<Attributes>{''.join(parts)}</Attributes>"


def layer(*regions: str, name: str = "", own: str = "") -> str:
    inside = f"{own}<Regions>{''.join(regions)}</Regions>"
    return f'<Annotation Id="1" Name="{name}">{inside}</Annotation>'


def read(*layers: str) -> Annotations:
    return read_aperio(
        fromstring(f'<Annotations MicronsPerPixel="0.25">{"".join(layers)}</Annotations>'), "a.xml"
    )


def test_the_real_file(shared: Path) -> None:
    path = shared / "annotations" / "CMU-1-JP2K-33005.xml"
    found = read_annotations(path.read_bytes(), path.name)
    # its four regions, by GeoShape: Points, Rectangle, Area, Ellipse
    assert [one.label for one in found.regions] == ["Necrosis", "Fold", ""]
    # ImageScope's own attribute Description, which is empty there, is no class
    assert found.notes == (
        "left out of CMU-1-JP2K-33005.xml: 1 × region of shape Points",
        "1 × region without a class in CMU-1-JP2K-33005.xml (layer 0, region 4)",
    )
    boxes = []
    for element in parse(path).getroot().iter("Region"):
        xs = [float(vertex.attrib["X"]) for vertex in element.iter("Vertex")]
        ys = [float(vertex.attrib["Y"]) for vertex in element.iter("Vertex")]
        boxes.append((min(xs), min(ys), max(xs), max(ys)))
    for one, box in zip(found.regions, boxes[1:], strict=True):
        assert one.bounds == pytest.approx(box, abs=0.25)
    rectangle, fold, ellipse = (one.polygons[0][0] for one in found.regions)
    assert area(rectangle) == pytest.approx(
        (36554.07602 - 36406.388563) * (4452.625555 - 4324.243648)
    )
    assert len(fold) == 918
    left, top, right, bottom = boxes[3]
    assert area(ellipse) == pytest.approx(math.pi / 4 * (right - left) * (bottom - top), rel=0.01)


def test_a_class_is_looked_for_where_programs_write_it() -> None:
    plain, texted = region(SQUARE), region(SQUARE, 'Text="t"')
    own = region(SQUARE, 'Text="t"', attributes(a="", b="own"))
    found = read(
        # its own attributes first, then the layer's value, the layer's name for it, its Name
        layer(own, texted, name="N", own=attributes(Description="value", CaP="")),
        layer(own, texted, name="N", own=attributes(Description="", CaP="")),
        layer(own, texted, name="N", own=attributes(Description="")),
        layer(texted, plain, own=attributes(Description="")),
        layer(texted, plain, name="N"),
        layer(region(SQUARE, 'Text="null"')),
        # of two names nobody knows which is the class
        layer(plain, own=attributes(CaP="", Gleason="")),
    )
    assert [(one.label, one.name) for one in found.regions] == [
        ("own", "t"), ("value", "t"),
        ("own", "t"), ("CaP", "t"),
        ("own", "t"), ("N", "t"),
        ("t", "t"), ("", ""),
        ("N", "t"), ("N", ""),
        ("null", "null"),
        ("", ""),
    ]  # fmt: skip
    assert found.notes == (
        "2 × region without a class in a.xml (layer 3, region 7; layer 6, region 7)",
    )


def test_negative_regions_are_holes_of_what_they_meet_in_their_layer() -> None:
    hole = [(10, 10), (20, 10), (20, 20), (10, 20)]
    across = [(90, 90), (210, 90), (210, 110), (90, 110)]
    found = read(
        layer(
            region(hole, 'NegativeROA="1"'),
            region(SQUARE),
            region(moved(SQUARE, 200, 0)),
            region(across, 'NegativeROA="1"'),
            region(moved(hole, 500, 0), 'NegativeROA="1"'),
        ),
        layer(region(SQUARE)),
    )
    holes = [[h.tolist() for h in one.polygons[0][1]] for one in found.regions]
    assert holes == [
        [[list(p) for p in hole], [list(p) for p in across]],
        [[list(p) for p in across]],
        [],
    ]
    assert found.notes[0] == (
        "left out of a.xml: 1 × negative region outside every region of its layer"
    )


def test_types() -> None:
    found = read(
        layer(
            region([(0, 0), (40, 20)], 'Type="1"'),
            region([(0, 0), (40, 20)], 'Type="2"'),
            region([(0, 0), (40, 20)], 'Type="3"'),
            region([(0, 0), (40, 20)], 'Type="4"'),
            region([(0, 0), (40, 20)], 'Type="0"'),
            region(SQUARE, 'Type="2" GeoShape="Polygon"'),
        )
    )
    areas = [area(one.polygons[0][0]) for one in found.regions]
    assert areas == [800, pytest.approx(math.pi * 200, rel=0.03), 10_000]
    assert found.notes[0] == (
        "left out of a.xml: 1 × outline that encloses nothing, 1 × region of type 3, "
        "1 × region of type 4"
    )


def test_damage_is_one_sentence() -> None:
    bad = '<Region Id="7"><Vertices><Vertex X="1"/></Vertices></Region>'
    with pytest.raises(SlideError, match=r"a\.xml: layer 0, region 7: has Y None, which is no"):
        read(layer(bad))


def test_nothing_understood_is_not_empty() -> None:
    assert read(layer(own=attributes(Description="")), layer()).regions == ()
    with pytest.raises(SlideError, match=r"a\.xml: nothing in it is a region .*: 2 × region of ty"):
        read(layer(region(SQUARE, 'Type="3"'), region(SQUARE, 'Type="3"')))
    with pytest.raises(SlideError, match=r"nothing in it .*: 1 × region outside every layer"):
        read(f"<Annotation>{region(SQUARE)}</Annotation>")
    with pytest.raises(SlideError, match=r"a\.xml: holds <Polygon> and no region of a known kind"):
        read('<Annotation><Polygon points="1,2 3,4"/></Annotation>')
    assert read(layer(region(SQUARE)), region(SQUARE)).notes[0] == (
        "left out of a.xml: 1 × region outside every layer"
    )
