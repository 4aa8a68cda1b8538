"""Physical boxes against pixels counted one by one, in exact fractions."""

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsistore.levels.box import Box
from wsistore.levels.grid import AxisGrid, PixelGrid, box_um, reason_outside
from wsistore.store.ome import translation

MPPS = st.sampled_from([0.25, 0.2508, 0.499, 1.0])


@st.composite
def spans(draw: st.DrawFn) -> tuple[AxisGrid, int, int, float, float]:
    """A level of a crop along an axis: span, the crop's start and length, factor, mpp."""
    mpp = draw(MPPS)
    factor = draw(st.sampled_from([1, 2, 3, 8, 20 / 7, 32]))
    start, length = draw(st.integers(0, 200_000)), draw(st.integers(64, 3000))
    span = AxisGrid(translation(start, factor, mpp), factor * mpp, int(length / factor))
    return span, start, length, factor, mpp


@given(spans(), st.data())
def test_pixels_whose_centers_lie_in_the_box_counted_one_by_one(
    made: tuple[AxisGrid, int, int, float, float], data: st.DataObject
) -> None:
    span, start, length, factor, mpp = made
    # level-0 positions off any centre and edge: a third of a pixel and a bit
    a = data.draw(st.integers(0, length - 1)) + Fraction(1, 3) + Fraction(1, 1000)
    b = data.draw(st.integers(int(a) + 1, length)) + Fraction(1, 3) + Fraction(1, 1000)
    box = (float((start + at - Fraction(1, 2)) * Fraction(mpp)) for at in (a, b))
    found = span.centered_in(*box)
    f = Fraction(factor)
    inside = [i for i in range(span.count) if a <= (i + Fraction(1, 2)) * f < b]
    assert list(range(span.count))[found] == inside


@given(spans(), st.lists(st.floats(0, 1), max_size=6))
def test_boxes_side_by_side_share_no_pixel_and_lose_none(
    made: tuple[AxisGrid, int, int, float, float], cuts: list[float]
) -> None:
    span, start, length, _, mpp = made
    ends = [0.0, *sorted(cuts), 1.0]
    edges = [(start - 0.5 + cut * length) * mpp for cut in ends]
    slices = [span.centered_in(a, b) for a, b in pairwise(edges)]
    pixels = [i for part in slices for i in range(part.start, part.stop)]
    assert pixels == list(range(span.count))


@given(spans(), st.data())
def test_edges_and_centers_are_hit_whatever_floating_point_makes_of_them(
    made: tuple[AxisGrid, int, int, float, float], data: st.DataObject
) -> None:
    span = made[0]
    a = data.draw(st.integers(0, span.count - 1))
    b = data.draw(st.integers(a + 1, span.count))
    assert span.centered_in(span.edge(a), span.edge(b)) == slice(a, b)
    assert span.touched_by(span.edge(a), span.edge(b)) == slice(a, b)
    first, last = (span.first + i * span.step for i in (a, b - 1))
    assert span.centered_in(first, last) == slice(a, b - 1)  # a centre on the far edge is outside


@given(spans(), st.integers(2, 16), st.data())
def test_both_levels_of_a_pair_cover_exactly_the_same_where_the_factor_divides(
    made: tuple[AxisGrid, int, int, float, float], times: int, data: st.DataObject
) -> None:
    fine, start, length, factor, mpp = made
    coarse = AxisGrid(
        translation(start, factor * times, mpp), factor * times * mpp, int(length / factor / times)
    )
    if coarse.count == 0:
        return
    a = data.draw(st.floats(0, 0.98)) * coarse.count
    b = data.draw(st.floats(a + 0.01, coarse.count + 0.01))
    wanted = [coarse.edge(0) + at * coarse.step for at in (a, b)]
    below = coarse.touched_by(*wanted)
    above = fine.centered_in(coarse.edge(below.start), coarse.edge(below.stop))
    assert (above.start, above.stop) == (below.start * times, below.stop * times)
    # grown outward, and by less than a pixel
    assert coarse.edge(below.start) <= wanted[0] + 1e-5 * coarse.step
    assert coarse.edge(below.start) > wanted[0] - coarse.step
    assert coarse.edge(below.stop) >= min(wanted[1], coarse.edge(coarse.count)) - 1e-5 * coarse.step


@given(st.integers(0, 5000), st.integers(500, 3000), st.floats(1.1, 9.9), st.data())
def test_where_the_factor_does_not_divide_edges_differ_by_half_a_fine_pixel(
    start: int, length: int, times: float, data: st.DataObject
) -> None:
    mpp = 0.5
    fine = AxisGrid(translation(start, 2, mpp), 2 * mpp, length // 2)
    coarse = AxisGrid(
        translation(start, 2 * times, mpp), 2 * times * mpp, int(length / (2 * times))
    )
    a = data.draw(st.integers(0, coarse.count - 1))
    b = data.draw(st.integers(a + 1, coarse.count))
    above = fine.centered_in(coarse.edge(a), coarse.edge(b))
    assert abs(fine.edge(above.start) - coarse.edge(a)) <= 0.5001 * fine.step
    limit = 0.5001 if above.stop < fine.count else 1
    assert abs(fine.edge(above.stop) - coarse.edge(b)) <= limit * fine.step


def test_a_crop_reaches_from_edge_to_edge_of_its_pixels() -> None:
    assert box_um(Box(0, 0, 4, 2), 0.5) == (-0.25, -0.25, 1.75, 0.75)
    grid = PixelGrid(
        AxisGrid(translation(10, 2, 0.5), 1.0, 5), AxisGrid(translation(20, 2, 0.5), 1.0, 4)
    )
    assert grid.area(slice(0, 4), slice(0, 5)) == box_um(Box(10, 20, 10, 8), 0.5)


@pytest.mark.parametrize(
    ("box", "why"),
    [
        ((0.0, 0.0, 10.0, 10.0), ""),
        ((0.0, -1e-7, 10.0, 10.0), ""),
        ((-0.1, 0.0, 5.0, 5.0), "is not inside the crop, (0, 0, 10, 10) µm"),
        ((0.0, 0.0, 10.0, 10.1), "is not inside the crop, (0, 0, 10, 10) µm"),
        ((5.0, 0.0, 5.0, 5.0), "holds nothing"),
        ((5.0, 6.0, 7.0, 5.0), "holds nothing"),
        ((float("nan"), 0.0, 5.0, 5.0), "is not four numbers"),
    ],
)  # fmt: skip
def test_boxes_that_cannot_be_read_are_told(
    box: tuple[float, float, float, float], why: str
) -> None:
    assert reason_outside(box, (0.0, 0.0, 10.0, 10.0), 0.5).startswith(why)
    assert bool(reason_outside(box, (0.0, 0.0, 10.0, 10.0), 0.5)) == bool(why)
