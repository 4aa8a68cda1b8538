"""How many labelled patients one method needs for the score of another. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from distill.types import Floats

BELOW, ABOVE = -np.inf, np.inf
"""The score is reached with the least number measured already; with none that was measured."""


def needed_patients(numbers: Sequence[int], scores: Floats, wanted: Floats) -> Floats:
    """Return the least number of labelled patients whose score is reached, between those measured.

    Between two numbers the score is taken for a straight line over the logarithm of the number.
    Nothing is taken for known outside of them: `BELOW` where the first is good enough, `ABOVE`
    where none is.

    Args:
        numbers: (K,) of labelled patients that were measured, growing.
        scores: (D, K) with each number, in D draws; higher is better.
        wanted: (D,) score to reach in each draw.

    Returns:
        (D,) numbers of patients; NaN in draws where a score is not defined.
    """
    reached = scores >= wanted[:, None]
    first = reached.argmax(axis=1)
    rows = np.arange(len(scores))
    before = np.maximum(first - 1, 0)
    low, high = scores[rows, before], scores[rows, first]
    log = np.log(np.asarray(numbers, dtype=np.float64))
    with np.errstate(divide="ignore", invalid="ignore"):
        share = (wanted - low) / (high - low)
        between = np.exp(log[before] + share * (log[first] - log[before]))
    found = np.where(first == 0, BELOW, between)
    found = np.where(reached.any(axis=1), found, ABOVE)
    unknown = np.isnan(scores).any(axis=1) | np.isnan(wanted)
    return np.where(unknown, np.nan, found)


def ends_of(drawn: Floats, confidence: float) -> tuple[float, float] | None:
    """Return the ends of a percentile interval of numbers of patients; None where none is defined.

    The ends are draws themselves, the one further out of two neighbours: between a number and what
    lies outside of those measured there is nothing to interpolate.

    Args:
        drawn: (D,) as `needed_patients` returns them.
        confidence: such as 0.95.
    """
    known = drawn[~np.isnan(drawn)]
    if not len(known):
        return None
    tail = (1 - confidence) / 2
    low = float(np.quantile(known, tail, method="lower"))
    return low, float(np.quantile(known, 1 - tail, method="higher"))
