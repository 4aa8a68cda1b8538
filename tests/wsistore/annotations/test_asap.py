import re
from pathlib import Path
from xml.etree.ElementTree import fromstring

import pytest

from wsistore.annotations.asap import read_asap
from wsistore.annotations.model import Annotations
from wsistore.annotations.polygon import area
from wsistore.annotations.source import read_annotations
from wsistore.errors import SlideError


def read(*annotations: str) -> Annotations:
    body = "".join(annotations)
    return read_asap(
        fromstring(
            f"<ASAP_Annotations><Annotations>{body}</Annotations>"
            '<AnnotationGroups><Group Name="tumor" PartOfGroup="None"/></AnnotationGroups>'
            "</ASAP_Annotations>"
        ),
        "a.xml",
    )


def annotation(
    points: list[tuple[object, float, float]], kind: str = "Polygon", group: str = "None"
) -> str:
    corners = "".join(f'<Coordinate Order="{o}" X="{x}" Y="{y}"/>' for o, x, y in points)
    return (
        f'<Annotation Name="one" Type="{kind}" PartOfGroup="{group}">'
        f"<Coordinates>{corners}</Coordinates></Annotation>"
    )


SQUARE = [(0, 0, 0), (1, 10, 0), (2, 10, 10), (3, 0, 10)]


def test_the_real_file(shared: Path) -> None:
    path = shared / "annotations" / "asap-polygon.xml"
    (one,) = read_annotations(path.read_bytes(), path.name).regions
    pairs = re.findall(r'X="([\d.]+)" Y="([\d.]+)"', path.read_text())
    assert one.polygons[0][0].tolist() == [[float(x), float(y)] for x, y in pairs]
    assert len(pairs) == 6
    assert (one.label, one.name) == ("", "Annotation 0")
    assert one.bounds == (22693.1875, 16551.1797, 23067.4531, 16710.6367)


def test_groups_are_classes_and_order_is_order() -> None:
    shuffled = [SQUARE[i] for i in (2, 0, 3, 1)]
    (one,) = read(annotation(shuffled, group="tumor")).regions
    assert one.label == "tumor"
    assert area(one.polygons[0][0]) == 100
    tenth = [(i, x, 0) for i, x in enumerate(range(11))] + [(11, 10, 5)]  # "10" after "9"
    (two,) = read(annotation(sorted(tenth, key=lambda c: str(c[0])), "Spline")).regions
    assert area(two.polygons[0][0]) == 25


def test_rectangles_by_two_corners_or_four() -> None:
    found = read(
        annotation([(0, 5, 5), (1, 1, 3)], "Rectangle"), annotation(SQUARE, "Rectangle")
    ).regions
    assert [area(one.polygons[0][0]) for one in found] == [8, 100]


def test_dots_and_measurements_are_counted() -> None:
    found = read(
        annotation([(0, 1, 1)], "Dot"),
        annotation(SQUARE, "PointSet"),
        annotation(SQUARE[:2], "Measurement"),
        annotation(SQUARE[:2]),
        annotation([]),
        annotation(SQUARE, group="tumor"),
    )
    assert [one.label for one in found.regions] == ["tumor"]
    assert found.notes == (
        "left out of a.xml: 1 × annotation of type Dot, 1 × annotation of type Measurement, "
        "1 × annotation of type PointSet, 2 × outline that encloses nothing",
    )


@pytest.mark.parametrize(
    ("points", "message"),
    [
        ([(0, 0, 0), (1, "1,5", 0)], "annotation 0 .'one'.: has X '1,5', which is no number"),
        ([("z", 0, 0)], "has Order 'z', which is no number"),
        ([(0, "nan", 0)], "no slide has"),
    ],
)
def test_damage_is_one_sentence(points: list[tuple[object, float, float]], message: str) -> None:
    with pytest.raises(SlideError, match=message):
        read(annotation(points))


def test_nothing_understood_is_not_empty() -> None:
    groups = '<AnnotationGroups><Group Name="a"><Attributes/></Group></AnnotationGroups>'
    for empty in ("", "<Annotations/>", f"<Annotations/>{groups}"):
        data = f"<ASAP_Annotations>{empty}</ASAP_Annotations>".encode()
        assert read_annotations(data, "a.xml").regions == ()
    for inside, message in (
        (annotation(SQUARE), "nothing in it is a region .*: 1 × annotation outside <Annotations>"),
        (f"<Annotations>{annotation([(0, 1, 1)], 'Dot')}</Annotations>", "1 × annotation of type"),
        ("<Annotations><Polyline/></Annotations>", "holds <Polyline> and no region of a known"),
    ):
        with pytest.raises(SlideError, match=f"a.xml: .*{message}"):
            read_annotations(f"<ASAP_Annotations>{inside}</ASAP_Annotations>".encode(), "a.xml")


def test_a_region_without_a_group_is_named() -> None:
    found = read(annotation(SQUARE, group="None"), annotation(SQUARE, group="tumor"))
    assert found.notes == ("1 × region without a class in a.xml (annotation 0 ('one'))",)
