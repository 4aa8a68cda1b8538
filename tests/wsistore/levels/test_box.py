import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsistore.levels.box import Box, is_reduced_size, merge_overlapping, snap

LIMIT = 1000
boxes = st.builds(
    Box, st.integers(0, 900), st.integers(0, 900), st.integers(1, 600), st.integers(1, 600)
).map(lambda box: box.clipped(LIMIT, LIMIT))


@given(boxes, st.sampled_from([1, 2, 8, 32, 64, 300]))
def test_snapped_boxes_hold_the_box_inside_the_slide(box: Box, multiple: int) -> None:
    grown = snap(box, multiple, LIMIT, LIMIT)
    assert grown.union(box) == grown
    assert grown.clipped(LIMIT, LIMIT) == grown
    for side in (grown.width, grown.height):
        assert side % multiple == 0 or side == LIMIT
    assert grown.width < box.width + multiple
    assert grown.height < box.height + multiple


@given(st.lists(boxes, max_size=12), st.sampled_from([0.0, 0.25, 0.5]))
def test_merged_boxes_overlap_little_and_cover(parts: list[Box], share: float) -> None:
    merged = merge_overlapping(parts, share)
    for i, one in enumerate(merged):
        assert all(one.overlap(other) <= share for other in merged[i + 1 :])
    for part in parts:
        assert any(one.union(part) == one for one in merged)
    assert merged == sorted(merged, key=lambda b: (b.y, b.x, b.width, b.height))


@given(boxes, boxes)
def test_overlap_counts_pixels(one: Box, other: Box) -> None:
    columns = set(range(one.x, one.right)) & set(range(other.x, other.right))
    rows = set(range(one.y, one.bottom)) & set(range(other.y, other.bottom))
    smaller = min(one.width * one.height, other.width * other.height)
    assert one.overlap(other) == len(columns) * len(rows) / smaller


def test_boxes_askew_stay_apart() -> None:
    assert len(merge_overlapping([Box(0, 0, 100, 100), Box(80, 80, 100, 100)], 0.25)) == 2


@pytest.mark.parametrize(
    ("size", "fits"),
    [
        ((2221, 1783), True),  # of a scanner: 2.0005 × 2.0006
        ((1111, 892), True),
        ((70, 56), True),
        ((4, 4), True),
        ((4443, 3567), False),
        ((4443, 1783), False),
        ((640, 427), False),
        ((3567, 4443), False),
    ],
)
def test_sizes_of_levels(size: tuple[int, int], fits: bool) -> None:
    assert is_reduced_size(size, (4443, 3567)) is fits
