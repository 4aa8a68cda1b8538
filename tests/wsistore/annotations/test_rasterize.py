from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wsistore.annotations.model import Annotation
from wsistore.annotations.polygon import area
from wsistore.annotations.rasterize import glass_outside, mask
from wsistore.levels.box import Box

SQUARE = np.array([[10.0, 10], [50, 10], [50, 40], [10, 40]])
coordinate = st.floats(-20, 80, allow_nan=False, width=32)
rings = st.lists(st.tuples(coordinate, coordinate), min_size=3, max_size=9).map(
    lambda points: np.array(points, float)
)
holed = st.tuples(rings, st.lists(rings, max_size=2).map(tuple))
annotations = st.lists(holed, min_size=1, max_size=3).map(lambda p: Annotation(tuple(p)))


def inside(annotation: Annotation, x: float, y: float) -> bool:
    """Even-odd for one point, side by side, in plain Python."""

    def odd(ring: np.ndarray) -> bool:
        result = False
        for (x0, y0), (x1, y1) in zip(ring, np.roll(ring, -1, axis=0), strict=True):
            if y0 > y1:
                x0, y0, x1, y1 = x1, y1, x0, y0
            if y0 <= y < y1 and x0 + (y - y0) * ((x1 - x0) / (y1 - y0)) <= x:
                result = not result
        return result

    return any(
        odd(outer) and not any(odd(hole) for hole in holes) for outer, holes in annotation.polygons
    )


@settings(max_examples=60)
@given(annotations)
def test_every_pixel_equals_the_test_of_its_center(annotation: Annotation) -> None:
    found = mask(annotation, Box(-3, 5, 31, 23))
    for row in range(23):
        for column in range(31):
            expected = inside(annotation, -3 + column + 0.5, 5 + row + 0.5)
            assert found[row, column] == expected


@given(annotations, st.lists(st.integers(-10, 70), max_size=5), st.sampled_from([1.0, 2.5, 0.3]))
def test_strips_and_columns_equal_the_whole(
    annotation: Annotation, cuts: list[int], scale: float
) -> None:
    whole = mask(annotation, Box(-10, -10, 80, 80), scale)
    edges = sorted({-10, 70, *cuts})
    rows = [
        np.concatenate(
            [mask(annotation, Box(x0, y0, x1 - x0, y1 - y0), scale) for x0, x1 in pairwise(edges)],
            axis=1,
        )
        for y0, y1 in pairwise(edges)
    ]
    assert np.array_equal(np.concatenate(rows), whole)


@given(
    st.lists(st.floats(20, 90), min_size=5, max_size=40),
    st.floats(0, 1),
    st.sampled_from([0.5, 1.0, 3.0]),
)
def test_area_is_the_shoelace_area(radii: list[float], turn: float, scale: float) -> None:
    angle = (np.arange(len(radii)) + turn) * 2 * np.pi / len(radii)
    ring = 100 + np.column_stack([np.cos(angle), np.sin(angle)]) * np.array(radii)[:, None]
    side = int(200 / scale) + 1
    pixels = mask(Annotation(((ring, ()),)), Box(0, 0, side, side), scale).sum()
    perimeter = np.linalg.norm(ring - np.roll(ring, -1, axis=0), axis=1).sum()
    # only pixels that the outline runs through can be wrong, by less than a pixel each
    assert abs(pixels * scale**2 - area(ring)) <= (1.5 * perimeter / scale + 4) * scale**2


def test_abutting_polygons_share_no_pixel_and_leave_none() -> None:
    seam = [[30.3, -5], [17.7, 31.1], [22, 70]]
    left = Annotation(((np.array([*seam, [-5, 70], [-5, -5]], float), ()),))
    right = Annotation(((np.array([*seam, [70, 70], [70, -5]], float), ()),))
    box = Box(0, 0, 60, 60)
    assert (mask(left, box) ^ mask(right, box)).all()


def test_whole_pixels_are_exact_and_holes_are_out() -> None:
    hole = np.array([[20.0, 20], [30, 20], [30, 30], [20, 30]])
    found = mask(Annotation(((SQUARE, (hole,)),)), Box(0, 0, 60, 60))
    expected = np.zeros((60, 60), bool)
    expected[10:40, 10:50] = True
    expected[20:30, 20:30] = False
    assert np.array_equal(found, expected)


def test_a_hole_outside_adds_nothing_and_overlapping_holes_stay_holes() -> None:
    outside = np.array([[100.0, 0], [120, 0], [120, 20], [100, 20]])
    hole = np.array([[20.0, 20], [30, 20], [30, 30], [20, 30]])
    found = mask(Annotation(((SQUARE, (hole, hole + 5, outside)),)), Box(0, 0, 130, 60))
    assert found.sum() == 40 * 30 - (100 + 100 - 25)
    assert not found[:, 50:].any()


def test_polygons_of_one_annotation_are_united() -> None:
    found = mask(Annotation(((SQUARE, ()), (SQUARE + np.array([20, 0]), ()))), Box(0, 0, 100, 60))
    assert found.sum() == 60 * 30


def test_many_crossings_are_taken_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    teeth = np.array([[x, 5 + 50 * (x % 2)] for x in range(60)], float)
    annotation = Annotation(((teeth, ()),))
    whole = mask(annotation, Box(0, 0, 60, 60))
    monkeypatch.setattr("wsistore.annotations.rasterize._CROSSINGS", 1)
    assert np.array_equal(mask(annotation, Box(0, 0, 60, 60)), whole)


def test_glass_replaces_what_is_outside() -> None:
    image = np.random.default_rng(0).integers(0, 200, (60, 60, 3)).astype(np.uint8)
    cover = glass_outside(Annotation(((SQUARE + np.array([5, 7]), ()),)), 5, (240, 241, 242))
    out = np.concatenate([cover(image[:11], 7), cover(image[11:], 18)])
    expected = np.empty_like(image)
    expected[:] = (240, 241, 242)
    expected[10:40, 10:50] = image[10:40, 10:50]
    assert np.array_equal(out, expected)
