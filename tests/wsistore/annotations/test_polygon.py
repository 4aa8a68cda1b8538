import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsistore.annotations.polygon import (
    area,
    crosses_itself,
    ellipse,
    encloses,
    holds_any,
    outline,
    rectangle,
)
from wsistore.errors import SlideError

corner = st.tuples(st.integers(0, 12), st.integers(0, 12))


def turn(a: tuple[int, int], b: tuple[int, int], c: tuple[int, int]) -> int:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def crosses_slowly(ring: list[tuple[int, int]]) -> bool:
    sides = list(zip(ring, [*ring[1:], ring[0]], strict=True))
    return any(
        turn(*one, other[0]) * turn(*one, other[1]) < 0
        and turn(*other, one[0]) * turn(*other, one[1]) < 0
        for i, one in enumerate(sides)
        for other in sides[i + 1 :]
    )


def holds_slowly(ring: list[tuple[int, int]], x: Fraction, y: Fraction) -> bool:
    inside = False
    for (x0, y0), (x1, y1) in zip(ring, [*ring[1:], ring[0]], strict=True):
        if (y0 <= y) != (y1 <= y) and x0 + (y - y0) * Fraction(x1 - x0, y1 - y0) <= x:
            inside = not inside
    return inside


def test_repeated_corners_and_the_closing_one_go() -> None:
    ring = outline([[0, 0, 9], [4, 0, 9], [4, 0, 8], [4, 3, 9], [0, 0, 9]], "f")
    assert sorted(map(tuple, ring.tolist())) == [(0, 0), (4, 0), (4, 3)]
    assert ring.dtype == np.float64
    assert area(ring) == 6


@pytest.mark.parametrize(
    "points",
    [
        [[0, 0], [1]],
        [["0", "0"], ["1", "1"]],
        [[0, 0], [1, None]],
        [0, 1, 2],
        "0 0 1 1",
        {"x": 1},
        [[0, 0], [math.nan, 1]],
        [[0, 0], [math.inf, 1]],
        [[0, 0], [1e12, 1]],
        [[0, 0], [10**30, 1]],
    ],
)
def test_damaged_points_name_file_and_feature(points: object) -> None:
    with pytest.raises(SlideError, match=r"^a\.json: feature 3: has "):
        outline(points, "a.json: feature 3")


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ([], False),
        ([[1, 1]], False),
        ([[1, 1], [5, 5]], False),
        ([[1, 1], [5, 5], [9, 9]], False),
        ([[0.1, 0.1], [1e5 / 3, 1e5 / 3], [7e4, 7e4]], False),
        ([[0, 0], [5, 0], [9, 9], [5, 0]], False),  # there and back
        ([[0, 0], [4, 4], [4, 0], [0, 4]], True),  # a bow tie, whose shoelace area is 0
        ([[0, 0], [1e5, 0], [1e5, 0.5]], True),
    ],
)
def test_what_encloses_nothing(points: object, expected: bool) -> None:
    assert encloses(outline(points, "f")) is expected


@given(st.lists(corner, min_size=3, max_size=12))
def test_crossings_equal_a_comparison_of_all_pairs(points: list[tuple[int, int]]) -> None:
    ring = outline(points, "f")
    if len(ring):
        assert crosses_itself(ring) == crosses_slowly([(int(x), int(y)) for x, y in ring])


def test_a_long_outline_is_compared_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wsistore.annotations.polygon._PAIRS", 7)
    angle = np.linspace(0, 2 * np.pi, 400, endpoint=False)
    ring = np.column_stack([np.cos(angle), np.sin(angle)]) * 1000
    assert not crosses_itself(ring)
    ring[200:202] = ring[201:199:-1]  # a loop of one step
    assert crosses_itself(ring)


@given(st.lists(corner, min_size=3, max_size=8), st.lists(corner, min_size=1, max_size=3))
def test_holds_any_equals_exact_arithmetic(
    ring: list[tuple[int, int]], points: list[tuple[int, int]]
) -> None:
    # so near a whole point, and on no side whose ends are whole and near
    shifted = [(x + Fraction(1, 64), y + Fraction(1, 4096)) for x, y in points]
    expected = any(holds_slowly(ring, x, y) for x, y in shifted)
    found = holds_any(np.array(ring, float), np.array([[float(x), float(y)] for x, y in shifted]))
    assert found == expected


@pytest.mark.parametrize(
    "points",
    [
        [[100, 50], [300, 110]],
        [[100, 50], [300, 50], [300, 110], [100, 110]],
        [[200, 50], [300, 80], [200, 110], [100, 80]],
    ],
)
def test_an_ellipse_from_corners_or_middles(points: list[list[float]]) -> None:
    ring = ellipse(np.array(points, float))
    assert ring.min(axis=0) == pytest.approx([100, 50], abs=0.25)
    assert ring.max(axis=0) == pytest.approx([300, 110], abs=0.25)
    assert area(ring) == pytest.approx(math.pi * 100 * 30, rel=0.01)
    middles = (ring + np.roll(ring, -1, axis=0)) / 2
    off = 1 - np.hypot((middles[:, 0] - 200) / 100, (middles[:, 1] - 80) / 30)
    assert off.max() * 100 <= 0.25


def test_a_rectangle_from_opposite_corners() -> None:
    assert area(rectangle(np.array([[5.0, 9], [2, 4]]))) == 15
