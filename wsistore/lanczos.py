"""Lanczos-3 downsampling of a stream of rows: exact, single pass, memory of a few rows.

Every level is made straight from the source rows. A source row is added, with its weights, to the
handful of output rows that it touches, so no halo is kept or read twice, and the order of additions
of an output pixel does not depend on how the rows were cut: any strips give the same bits.

Sums are float32 and the result is rounded once, to the nearest uint8 after the second pass. There
is no 8-bit intermediate, which clips the overshoot at sharp edges (up to 12 grey levels on noise).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wsistore.geometry import output_length
from wsistore.passes import BLOCK, LOBES, first_pass, plan, second_pass

_ROWS, _PIXELS = 128, 2_000_000
"""Most source rows, and pixels, handled together: few enough for the sums to stay in the caches."""


def kernel(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return sinc(x)·sinc(x / 3) for |x| < 3 and 0 elsewhere (Turkowski 1990), elementwise."""
    return np.where(np.abs(x) < LOBES, np.sinc(x) * np.sinc(x / LOBES), 0.0)


@dataclass(frozen=True)
class Taps:
    """The weights of one axis: ``out[i] = Σ_k weights[i, k] · source[start[i] + k]``.

    Attributes:
        start: first source pixel of each output pixel, (n_out,) int64, never decreasing.
        weights: (n_out, taps) float32; each row sums to 1.
    """

    start: NDArray[np.int64]
    weights: NDArray[np.float32]

    @property
    def end(self) -> NDArray[np.int64]:
        """First source pixel beyond each output pixel's support, (n_out,) int64."""
        end: NDArray[np.int64] = self.start + self.weights.shape[1]
        return end


def taps(length: int, factor: float) -> Taps:
    """Return the weights that downsample an axis of ``length`` pixels by ``factor`` ≥ 1.

    Output pixel i is centred on (i + ½)·factor of the source and is normalised over the source
    pixels that exist. Source pixels from ⌊length / factor⌋·factor on are not used, so a level
    does not depend on the strip that its last whole pixel leaves over.

    Raises:
        ValueError: ``factor`` is below 1 or the axis is shorter than one output pixel.
    """
    n_out = output_length(length, factor)
    if factor < 1 or n_out < 1:
        raise ValueError(f"an axis of {length} pixels cannot be reduced by {factor}")
    used = min(length, math.ceil(n_out * factor - 1e-9))
    count = min(used, math.ceil(2 * LOBES * factor) + (0 if float(factor).is_integer() else 1))
    centre = (np.arange(n_out) + 0.5) * factor
    first = np.floor(centre - LOBES * factor + 0.5).astype(np.int64)
    start = np.clip(first, 0, used - count)
    source = start[:, None] + np.arange(count)
    weights = kernel((source + 0.5 - centre[:, None]) / factor)
    weights /= weights.sum(axis=1, keepdims=True)
    return Taps(start, weights.astype(np.float32))


def _inner(axis: Taps, factor: float) -> tuple[int, int]:
    """Return the run of output pixels (first, last) that share one set of weights, often empty.

    They are those away from the border, where the factor is a whole number.
    """
    n_out, count = axis.weights.shape
    middle = n_out // 2
    if not float(factor).is_integer() or count != 2 * LOBES * factor:
        return 0, 0
    regular = axis.start == axis.start[middle] + (np.arange(n_out) - middle) * int(factor)
    same = regular & (axis.weights == axis.weights[middle]).all(axis=1)
    first = middle - int(np.argmin(np.append(same[middle::-1], False))) + 1
    last = middle + int(np.argmin(np.append(same[middle:], False)))
    return first, last


class _Level:
    """What is open of one level: rows whose sums lie in slots of a common buffer."""

    def __init__(self, width: int, height: int, factor: float, offset: int) -> None:
        self.across, self.down = taps(width, factor), taps(height, factor)
        self.inner = _inner(self.across, factor)
        self.offset = offset  # of its first weight among those of all levels
        self.end = self.down.end
        self.first = 0  # output rows finished
        self.slots: list[int] = []  # of output rows first, first + 1, …

    def plan(self, row: int, bottom: int) -> NDArray[np.int64]:
        """Return what `first_pass` is to do with source rows ``row`` … ``bottom`` - 1."""
        taps = self.down.weights.shape[1]
        start = self.down.start[self.first : self.first + len(self.slots)]
        slots = np.array(self.slots, np.int64)
        tasks: NDArray[np.int64] = plan(
            start, taps, slots, self.offset + self.first * taps, row, bottom
        )
        return tasks

    def finish(self, sums: NDArray[np.float32], row: int) -> tuple[NDArray[np.uint8], list[int]]:
        """Return the output rows that are complete after ``row`` source rows, and their slots."""
        count = int(np.searchsorted(self.end, row, side="right")) - self.first
        done, self.slots = self.slots[:count], self.slots[count:]
        self.first += count
        start, weights = self.across.start, self.across.weights
        out = np.empty((count, len(start), 3), np.uint8)
        second_pass(sums, np.array(done, np.int64), start, weights, *self.inner, out)
        return out, done


class LevelStreams:
    """Levels of one image whose rows arrive in strips from top to bottom."""

    def __init__(self, width: int, height: int, factors: Sequence[float]) -> None:
        """Prepare the weights for a source of that size in pixels.

        Raises:
            ValueError: the source is smaller than one pixel of a level.
        """
        self._width = width
        self._levels: list[_Level] = []
        offset = 0
        for factor in factors:
            self._levels.append(_Level(width, height, factor, offset))
            offset += self._levels[-1].down.weights.size
        self._weights = np.concatenate([level.down.weights.ravel() for level in self._levels])
        self._row = 0  # source rows seen
        # (blocks, slots, block): what is handled together lies together. One buffer for the
        # stream's life, because fresh memory for each strip costs more than its sums
        self._sums = np.empty((-(-width * 3 // BLOCK), 0, BLOCK), np.float32)
        self._free: list[int] = []

    @property
    def shapes(self) -> list[tuple[int, int]]:
        """Each level's (height, width) in pixels."""
        return [(len(level.down.start), len(level.across.start)) for level in self._levels]

    def push(self, rows: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
        """Take the next source rows and return the rows that they complete.

        Args:
            rows: (h, width, 3) uint8, axes y, x, c.

        Returns:
            For each level (k, level width, 3) uint8, k ≥ 0.
        """
        flat = np.ascontiguousarray(rows).reshape(len(rows), self._width * 3)
        step = max(min(_ROWS, _PIXELS // self._width), 1)
        parts = [self._push(flat[y : y + step]) for y in range(0, max(len(flat), 1), step)]
        return [np.concatenate(level) for level in zip(*parts, strict=True)]

    def _push(self, rows: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
        bottom = self._row + len(rows)
        fresh: list[int] = []
        for level in self._levels:
            begun = int(np.searchsorted(level.down.start, bottom, side="left"))
            opened = self._open(begun - level.first - len(level.slots))
            level.slots += opened
            fresh += opened
        tasks = np.concatenate([level.plan(self._row, bottom) for level in self._levels])
        first_pass(rows, tasks, np.array(fresh, np.int64), self._weights, self._sums)
        self._row = bottom
        done = [level.finish(self._sums, bottom) for level in self._levels]
        for _, slots in done:
            self._free += slots
        return [rows for rows, _ in done]

    def _open(self, count: int) -> list[int]:
        """Return slots for more output rows."""
        blocks, have, block = self._sums.shape
        short = count - len(self._free)
        if short > 0:
            grown = np.empty((blocks, have + short, block), np.float32)
            grown[:, :have] = self._sums
            self._sums = grown
            self._free += range(have, have + short)
        return [self._free.pop() for _ in range(count)]


def downsample(image: NDArray[np.uint8], factor: float) -> NDArray[np.uint8]:
    """Return a whole image downsampled by ``factor`` ≥ 1.

    Args:
        image: (H, W, 3) uint8, axes y, x, c.

    Returns:
        (⌊H / factor⌋, ⌊W / factor⌋, 3) uint8.
    """
    return LevelStreams(image.shape[1], image.shape[0], [factor]).push(image)[0]
