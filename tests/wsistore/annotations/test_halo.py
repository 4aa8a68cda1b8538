import math

import pytest

from wsistore.annotations.model import Annotations
from wsistore.annotations.polygon import area
from wsistore.annotations.source import read_annotations
from wsistore.errors import SlideError

SQUARE = ((130, 130), (500, 130), (500, 500), (130, 500))


def region(kind: str, *corners: tuple[float, float], negative: int = 0, tag: str = "V") -> str:
    points = "".join(f'<{tag} X="{x}" Y="{y}" />' for x, y in corners)
    start = f'<Region Type="{kind}" HasEndcaps="0" NegativeROA="{negative}">'
    comment = '<Comments><Comment Author="a" Body="b" CreatedTime="2024" /></Comments>'
    return f"{start}<Vertices>{points}</Vertices>{comment}</Region>"


def layer(name: str, *regions: str) -> str:
    start = f'<Annotation Name="{name}" Visible="True" LineColor="65280">'
    return f"{start}<Regions>{''.join(regions)}</Regions></Annotation>"


def read(*layers: str, file: str = "S1.annotations") -> Annotations:
    return read_annotations(f"<Annotations>{''.join(layers)}</Annotations>".encode(), file)


@pytest.mark.parametrize("file", ["S1.annotations", "S1.xml"])
def test_the_layer_is_the_class(file: str) -> None:
    found = read(layer("Tumour", region("Polygon", *SQUARE)), layer("Stroma"), file=file)
    (one,) = found.regions
    assert (one.label, one.name, one.bounds) == ("Tumour", "", (130, 130, 500, 500))
    assert found.notes == ()


def test_shapes_are_given_by_two_corners() -> None:
    found = read(
        layer(
            "a",
            region("Rectangle", (10, 50), (50, 30)),
            region("Ellipse", (0, 0), (200, 100)),
            region("Ruler", (0, 0), (9, 9)),
            region("Pin", (1, 1)),
            region("Polygon", *SQUARE, tag="Vertex"),
        )
    )
    rectangle, ellipse, polygon = (one.polygons[0][0] for one in found.regions)
    assert sorted(map(tuple, rectangle.tolist())) == [(10, 30), (10, 50), (50, 30), (50, 50)]
    assert area(ellipse) == pytest.approx(math.pi * 100 * 50, rel=0.01)
    assert area(polygon) == 370 * 370
    assert found.notes == ("left out of S1.annotations: 1 × region of type Pin, "
                           "1 × region of type Ruler",)  # fmt: skip


def test_negative_regions_are_holes_of_what_they_meet_in_their_layer() -> None:
    hole = ((200, 200), (300, 200), (300, 300), (200, 300))
    found = read(
        layer("a", region("Polygon", *hole, negative=1), region("Polygon", *SQUARE)),
        layer("b", region("Rectangle", (0, 0), (640, 640))),
    )
    holes = [[[tuple(p) for p in ring] for ring in one.polygons[0][1]] for one in found.regions]
    assert holes == [[list(hole)], []]


def test_nothing_understood_is_not_empty() -> None:
    assert read(layer("a"), layer("b")).regions == ()
    assert read().regions == ()
    for regions, message in (
        ((region("Pin", (1, 1)),), "1 × region of type Pin"),
        ((region("Freehand", *SQUARE),), "1 × region of type Freehand"),
        ((region("Polygon"),), "1 × outline that encloses nothing"),
        ((region("Polygon", *SQUARE, negative=1),), "1 × negative region outside every region"),
    ):
        with pytest.raises(SlideError, match=f"S1.annotations: nothing in it .* {message}"):
            read(layer("a", *regions))


def test_damage_is_one_sentence() -> None:
    with pytest.raises(SlideError, match=r"layer 0, region 0: has X 'one', which is no number"):
        read(layer("a", region("Polygon", ("one", 1))))  # type: ignore[arg-type]
