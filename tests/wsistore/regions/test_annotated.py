import numpy as np
import pytest

from wsistore.annotations.model import Annotation
from wsistore.errors import SlideError
from wsistore.levels.box import Box
from wsistore.regions.annotated import annotation_regions
from wsistore.regions.settings import AnnotationSettings


def square(x: float, y: float, side: float, label: str = "") -> Annotation:
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * side + [x, y]
    return Annotation(((corners, ()),), label)


def boxes(*annotations: Annotation, margin: float = 0, factor: int = 1) -> list[Box]:
    settings = AnnotationSettings(margin)
    regions, notes = annotation_regions(annotations, (1000, 800), 0.5, factor, settings)
    assert notes == ()
    return [region.box for region in regions]


def test_boxes_hold_every_pixel_touched() -> None:
    assert boxes(square(10.2, 20, 5)) == [Box(10, 20, 6, 5)]


def test_margin_is_in_micrometres_and_stays_on_the_slide() -> None:
    assert boxes(square(100, 100, 50), margin=10) == [Box(80, 80, 90, 90)]
    assert boxes(square(5, 5, 50), margin=10) == [Box(0, 0, 75, 75)]


def test_sides_are_multiples_of_the_coarsest_factor() -> None:
    (box,) = boxes(square(100, 100, 50), factor=32)
    assert (box.width, box.height) == (64, 64)
    assert box.union(Box(100, 100, 50, 50)) == box


def test_overlapping_annotations_stay_apart_in_reading_order() -> None:
    found, _ = annotation_regions(
        [square(50, 60, 40, "c"), square(70, 50, 40, "b"), square(50, 50, 40, "a")],
        (1000, 800), 0.5, 1, AnnotationSettings(),
    )  # fmt: skip
    assert [region.label for region in found] == ["a", "b", "c"]
    assert [region.tissue_mm2 for region in found] == [None] * 3


@pytest.mark.parametrize(("x", "y"), [(1000, 0), (-40, 10), (0, 800), (5000, 5000)])
def test_off_the_slide_is_an_error_that_names_the_option(x: float, y: float) -> None:
    with pytest.raises(SlideError, match=r"1000 × 800 pixels.*--annotation-offset"):
        boxes(square(x, y, 40))


def test_partly_off_the_slide_is_cut_and_counted() -> None:
    regions, notes = annotation_regions(
        [square(-20, 10, 40), square(990, 10, 40), square(960.5, 10, 40)],
        (1000, 800), 0.5, 1, AnnotationSettings(),
    )  # fmt: skip
    assert {region.box for region in regions} == {
        Box(0, 10, 20, 40), Box(990, 10, 10, 40), Box(960, 10, 40, 40),
    }  # fmt: skip
    (note,) = notes
    assert note.startswith("2 × annotation reaches off the slide")
    assert "--annotation-offset" in note
