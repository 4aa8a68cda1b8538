"""Vectors against the same arithmetic in numpy, value by value."""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit
from numpy.typing import NDArray

from wsistore.levels.simd import LANES, broadcast, load, multiply_add, store, store_rounded, turn


@njit
def _sum(values, weight, start, out, to):  # type: ignore[no-untyped-def]
    total = load(values, start)
    total = multiply_add(total, broadcast(weight), load(values, start + LANES))
    store(out, to, total)


@njit
def _round(values, out, to):  # type: ignore[no-untyped-def]
    store_rounded(out, to, load(values, 0))


@njit
def _turn(values, at, stride, rows, out, to):  # type: ignore[no-untyped-def]
    turn(values, at, stride, rows, out, to)


def test_a_product_is_rounded_before_it_is_added() -> None:
    rng = np.random.default_rng(0)
    fused = 0
    for start in range(50):  # any position, aligned or not
        values = rng.normal(size=100).astype(np.float32)
        weight = np.float32(rng.normal())
        out = np.full(40, np.nan, np.float32)
        _sum(values, weight, start, out, 7)
        first, second = values[start : start + LANES], values[start + LANES : start + 2 * LANES]
        np.testing.assert_array_equal(out[7 : 7 + LANES], first + weight * second)
        exact = first.astype(np.float64) + np.float64(weight) * second
        fused += int((exact.astype(np.float32) != first + weight * second).sum())
        assert np.isnan(np.delete(out, np.s_[7 : 7 + LANES])).all()
    assert fused > 0  # or the two roundings would not have been told from one


def test_levels_are_rounded_half_up_and_clipped() -> None:
    below = np.nextafter(np.float32(2.5), np.float32(0))
    given = np.array(
        [-300, -0.5, -0.4, 0, 0.49, 0.5, 1.5, below, 2.5, 254.4, 254.5, 255, 255.5, 256, 300, 1e9],
        np.float32,
    )
    out = np.full(30, 7, np.uint8)
    _round(given, out, 3)
    expected = [0, 0, 0, 0, 0, 1, 2, 2, 3, 254, 255, 255, 255, 255, 255, 255]
    assert out[3 : 3 + LANES].tolist() == expected
    assert (np.delete(out, np.s_[3 : 3 + LANES]) == 7).all()


@pytest.mark.parametrize("rows", [1, 2, 7, 15, 16])
def test_rows_are_turned_and_the_last_fills_lanes_without_one(rows: int) -> None:
    stride, at, to = 23, 5, 9
    # just as long as is read: the last row ends the array
    values: NDArray[np.float32] = np.arange(at + stride * (rows - 1) + LANES, dtype=np.float32)
    out = np.full(to + LANES * LANES + 11, -1, np.float32)
    _turn(values, at, stride, rows, out, to)
    for value in range(LANES):
        for lane in range(LANES):
            found = out[to + LANES * value + lane]
            assert found == values[at + stride * min(lane, rows - 1) + value]
    assert (out[:to] == -1).all()
    assert (out[to + LANES * LANES :] == -1).all()
