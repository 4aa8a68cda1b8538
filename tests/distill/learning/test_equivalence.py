import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distill.learning.equivalence import ABOVE, BELOW, ends_of, needed_patients


def needs(numbers: list[int], scores: list[float], wanted: float) -> float:
    return float(needed_patients(numbers, np.array([scores]), np.array([wanted]))[0])


def test_between_two_numbers_it_is_a_line_over_the_logarithm() -> None:
    # by hand: a quarter of the way from 0.6 to 0.8, so 10 · 2^(1/4) and 5 · 4^(1/2)
    assert needs([5, 10, 20], [0.5, 0.6, 0.8], 0.65) == pytest.approx(10 * 2**0.25, rel=1e-12)
    assert needs([5, 20], [0.5, 0.7], 0.6) == pytest.approx(10, rel=1e-12)
    assert needs([5, 10, 20], [0.5, 0.6, 0.8], 0.6) == pytest.approx(10, rel=1e-12)
    assert needs([5, 10, 20], [0.5, 0.6, 0.8], 0.8) == pytest.approx(20, rel=1e-12)


def test_nothing_is_taken_for_known_outside_of_what_was_measured() -> None:
    assert needs([5, 10], [0.5, 0.6], 0.5) == BELOW
    assert needs([5, 10], [0.5, 0.6], 0.1) == BELOW
    assert needs([5, 10], [0.5, 0.6], 0.61) == ABOVE
    assert needs([5], [0.5], 0.5) == BELOW
    assert needs([5], [0.5], 0.6) == ABOVE


def test_of_a_line_that_falls_the_first_number_that_is_enough_counts() -> None:
    assert needs([4, 8, 16], [0.5, 0.7, 0.6], 0.6) == pytest.approx(4 * 2**0.5, rel=1e-12)
    assert needs([4, 8, 16], [0.5, 0.4, 0.6], 0.55) == pytest.approx(8 * 2**0.75, rel=1e-12)


def test_a_score_that_is_not_defined_gives_no_number() -> None:
    assert math.isnan(needs([4, 8], [0.5, math.nan], 0.4))
    assert math.isnan(needs([4, 8], [0.5, 0.6], math.nan))


@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=5),
    st.floats(0, 1),
)
def test_many_draws_are_as_each_alone_slowly(scores: list[float], wanted: float) -> None:
    numbers = [5 * 2**place for place in range(len(scores))]
    expected = ABOVE
    for place, score in enumerate(scores):
        if score >= wanted:
            if place == 0:
                expected = BELOW
            else:
                few, many = numbers[place - 1], numbers[place]
                share = (wanted - scores[place - 1]) / (score - scores[place - 1])
                expected = few * (many / few) ** share
            break
    draws = np.array([scores, scores])
    found = needed_patients(numbers, draws, np.array([wanted, 0.0]))
    assert found[0] == pytest.approx(expected, rel=1e-9)
    assert found[1] == BELOW


def test_ends_are_draws_and_may_lie_outside() -> None:
    drawn = np.array([BELOW] * 2 + [7.0] * 95 + [ABOVE] * 3 + [math.nan] * 9)
    assert ends_of(drawn, 0.95) == (7.0, ABOVE)
    assert ends_of(drawn, 0.98) == (BELOW, ABOVE)
    assert ends_of(drawn, 0.9) == (7.0, 7.0)
    assert ends_of(np.array([math.nan]), 0.95) is None
