import numpy as np
from hypothesis import assume, example, given
from hypothesis import strategies as st

from tests.wsistore.annotations.test_polygon import corner, crosses_slowly
from wsistore.annotations.crossings import any_crossing
from wsistore.annotations.polygon import crosses_itself, outline


@given(st.lists(corner, min_size=3, max_size=12))
@example([(0, 0), (4, 0), (4, 4), (2, 0), (0, 4)])  # touches a side from within
@example([(0, 0), (4, 0), (4, 2), (2, 2), (2, 0), (6, 0), (6, 5), (0, 5)])  # goes along a side
@example([(2, 0), (2, 4), (0, 2), (4, 2), (1, 3)])  # crosses an upright side
def test_equals_every_pair_of_sides(ring: list[tuple[int, int]]) -> None:
    points = outline(ring, "f")
    assume(len(points) > 1)
    expected = crosses_slowly([(int(x), int(y)) for x, y in points])
    assert any_crossing(points, np.roll(points, -1, axis=0)) == expected


@given(st.integers(2, 40), st.integers(0, 10**6))
def test_finds_the_one_crossing_of_a_comb(teeth: int, seed: int) -> None:
    """Long teeth overlap in every coordinate; one that leans over its neighbor crosses it."""
    tip = np.array([[8 * n + 4, 10**5 + 8 * n] for n in range(teeth)])
    foot = np.array([[8 * n, 0] for n in range(teeth)])
    comb = np.stack([foot, tip], axis=1).reshape(-1, 2).astype(float)
    ring = np.concatenate([comb, [[8 * teeth, -9], [-9, -9]]])
    assert not any_crossing(ring, np.roll(ring, -1, axis=0))
    bent = int(np.random.default_rng(seed).integers(0, teeth - 1))
    ring[2 * bent + 1] += [9, 0]
    assert any_crossing(ring, np.roll(ring, -1, axis=0))


def test_a_star_whose_sides_all_overlap_is_swept() -> None:
    turn = np.linspace(0, 2 * np.pi, 20_000, endpoint=False)
    radius = np.where(np.arange(len(turn)) % 2, 1e3, 1e5)
    star = np.column_stack([radius * np.cos(turn), radius * np.sin(turn)])
    assert not crosses_itself(star)
    star[[7, 9]] = star[[9, 7]]
    assert crosses_itself(star)
