"""Shares that can be reached, their thresholds, and what they cost."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distill.deferral.mixing import Cost, Step, steps


def test_ties_are_deferred_together() -> None:
    sure = np.array([0.5, 0.9, 0.5, 0.7])
    assert steps(sure, 101) == [Step(0.0, 0), Step(0.7, 2), Step(0.9, 3), Step(math.inf, 4)]


def test_each_share_is_the_smallest_from_the_wanted_one_on() -> None:
    assert [one.deferred for one in steps(np.arange(1, 11) / 10, 4)] == [0, 4, 7, 10]
    assert [one.deferred for one in steps(np.arange(1, 201) / 200, 101)] == list(range(0, 201, 2))
    assert [one.deferred for one in steps(np.full(7, 0.4), 101)] == [0, 7]


@given(
    st.lists(st.integers(1, 12), min_size=1, max_size=40).map(lambda n: np.array(n) / 12),
    st.integers(2, 60),
)
def test_thresholds_defer_as_many_as_they_say(sure: np.ndarray, points: int) -> None:
    found = steps(sure, points)
    counts = [one.deferred for one in found]
    assert counts == sorted(set(counts))
    assert (counts[0], counts[-1]) == (0, len(sure))
    assert counts == [int((sure < one.threshold).sum()) for one in found]
    assert len(found) <= points
    # whatever can be reached is on the curve, or nearer than one spacing below a point that is
    for reached in [int((sure < value).sum()) for value in sure]:
        above = min(count for count in counts if count >= reached)
        assert above == reached or (above - reached) < len(sure) / (points - 1) + max(
            np.unique(sure, return_counts=True)[1]
        )


@pytest.mark.parametrize(("crops", "points"), [(0, 5), (3, 1)])
def test_no_curve_is_refused(crops: int, points: int) -> None:
    with pytest.raises(ValueError, match="no curve"):
        steps(np.full(crops, 0.5), points)


def test_a_deferred_crop_costs_the_teacher_by_its_area_on_top() -> None:
    cost = Cost(student=0.25, teacher=16.0, area=np.array([1.0, 2.0, 5.0]), patients=2)
    none, some, every = np.zeros(3, bool), np.array([True, False, True]), np.ones(3, bool)
    assert [cost.per_crop(one) for one in (none, some, every)] == [0.25, 12.25, 16.25]
    assert cost.per_patient(some) == 12.25 * 3 / 2
