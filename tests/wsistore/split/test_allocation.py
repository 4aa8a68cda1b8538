from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsistore.split.allocation import counts, deal, fill

small = st.integers(0, 6)


@given(st.integers(3, 500), st.floats(0.05, 0.9))
def test_counts_add_up_and_are_near_the_shares(total: int, share: float) -> None:
    fractions = {"train": 1 - share, "test": share}
    given_ = counts(total, fractions)
    assert sum(given_.values()) == total
    for name, n in given_.items():
        assert n >= 1
        assert abs(n - total * fractions[name]) < 1 or n == 1


def test_an_empty_share_gets_nobody() -> None:
    assert counts(10, {"train": 0.8, "val": 0.0, "test": 0.2}) == {"train": 8, "val": 0, "test": 2}


def test_fewer_patients_than_subsets_are_refused() -> None:
    with pytest.raises(ValueError, match="2 patients cannot fill 3 subsets"):
        counts(2, {"train": 0.7, "val": 0.15, "test": 0.15})


@given(st.tuples(small, small, small), st.tuples(small, small, small), st.integers(0, 8))
def test_no_other_sharing_of_newcomers_comes_nearer(
    wanted: tuple[int, int, int], have: tuple[int, int, int], newcomers: int
) -> None:
    names = ("train", "val", "test")
    got = fill(
        dict(zip(names, wanted, strict=True)), dict(zip(names, have, strict=True)), newcomers
    )
    placed = min(newcomers, sum(max(0, w - h) for w, h in zip(wanted, have, strict=True)))
    assert sum(got.values()) == placed

    def missed(sharing: tuple[int, ...]) -> int:
        return sum((w - h - n) ** 2 for w, h, n in zip(wanted, have, sharing, strict=True))

    others = [each for each in product(range(placed + 1), repeat=3) if sum(each) == placed]
    assert missed(tuple(got.values())) == min(map(missed, others))


@given(st.lists(small, min_size=2, max_size=5), st.integers(0, 40))
def test_folds_of_a_class_end_as_even_as_they_can(have: list[int], newcomers: int) -> None:
    dealt = deal(have, [0] * len(have), newcomers)
    after = [n + dealt.count(fold) for fold, n in enumerate(have)]
    assert sum(after) == sum(have) + newcomers
    grown = [n for n, before in zip(after, have, strict=True) if n > before]
    assert not grown or max(grown) - min(after) <= 1


def test_the_odd_patients_of_several_classes_go_to_different_folds() -> None:
    assert deal([0, 0, 0], [0, 0, 0], 4) == [0, 1, 2, 0]
    assert deal([0, 0, 0], [2, 1, 1], 4) == [1, 2, 0, 1]
