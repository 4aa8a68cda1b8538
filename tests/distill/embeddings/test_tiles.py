"""The rule of tiles: nothing is left out, nothing lies outside but white."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from distill.embeddings.tiles import TileRule
from distill.errors import UsageError


@st.composite
def rules(draw: st.DrawFn) -> TileRule:
    side = draw(st.integers(1, 40))
    return TileRule(side, draw(st.integers(0, side - 1)))


@given(rules(), st.integers(1, 200))
def test_along_a_side_every_pixel_is_covered_and_no_tile_leaves_the_crop(
    rule: TileRule, length: int
) -> None:
    starts = rule.starts(length)
    covered = {pixel for start in starts for pixel in range(start, start + rule.side)}
    assert set(range(length)) <= covered
    if length > rule.side:
        assert covered == set(range(length))
        step = rule.side - rule.overlap
        assert starts[-1] == length - rule.side
        assert all(start == place * step for place, start in enumerate(starts[:-1]))
        assert len(starts) == -(-(length - rule.side) // step) + 1
        assert starts == tuple(sorted(set(starts)))
    else:
        assert starts == (0,)


@given(rules(), st.integers(1, 60), st.integers(1, 60))
def test_tiles_are_the_pixels_at_their_places_in_reading_order(
    rule: TileRule, height: int, width: int
) -> None:
    image = torch.arange(height * width).reshape(1, height, width) % 251
    tiles = list(rule.tiles(image))
    rows, columns = rule.cells(height, width)
    assert len(tiles) == rows * columns
    padded = torch.full((1, max(height, rule.side), max(width, rule.side)), 255)
    padded[:, :height, :width] = image
    places = [(top, left) for top in rule.starts(height) for left in rule.starts(width)]
    for tile, (top, left) in zip(tiles, places, strict=True):
        assert torch.equal(tile, padded[:, top : top + rule.side, left : left + rule.side])
    first = len(tiles) // 2
    later = list(rule.tiles(image, first))
    assert all(torch.equal(a, b) for a, b in zip(later, tiles[first:], strict=True))


def test_an_example() -> None:
    assert TileRule(224).starts(500) == (0, 224, 276)
    assert TileRule(224, 32).starts(500) == (0, 192, 276)
    assert TileRule(224).starts(448) == (0, 224)
    assert TileRule(224).cells(448, 449) == (2, 3)
    assert TileRule(224).cells(1, 224) == (1, 1)


@pytest.mark.parametrize("overlap", [-1, 8, 9])
def test_an_overlap_that_gets_nowhere_is_refused(overlap: int) -> None:
    with pytest.raises(UsageError, match=f"--overlap {overlap}"):
        TileRule(8, overlap)
