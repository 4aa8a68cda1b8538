from hypothesis import given
from hypothesis import strategies as st

from wsistore.geometry import Box, merge_touching, snap

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


@given(st.lists(boxes, max_size=12))
def test_merged_boxes_are_disjoint_and_cover(parts: list[Box]) -> None:
    merged = merge_touching(parts)
    for i, one in enumerate(merged):
        assert not any(one.touches(other) for other in merged[i + 1 :])
    for part in parts:
        assert any(one.union(part) == one for one in merged)
    assert merged == sorted(merged, key=lambda b: (b.y, b.x, b.width, b.height))
