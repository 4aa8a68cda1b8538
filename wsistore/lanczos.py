"""Lanczos-3 downsampling of a stream of rows: exact, single pass, memory of a few rows.

Every level is made straight from the source rows. A source row is added, with its weights, to the
handful of output rows that it touches, so no halo is kept or read twice, and the order of additions
of an output pixel does not depend on how the rows were cut: any strips give the same bits.

Sums are float32 and the result is rounded once, to the nearest uint8 after the second pass. There
is no 8-bit intermediate, which clips the overshoot at sharp edges (up to 12 grey levels on noise).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

LOBES = 3
_BLOCK = 1024  # columns handled together, so that the sums stay in the first-level cache


def kernel(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return sinc(x)·sinc(x / 3) for |x| < 3 and 0 elsewhere (Turkowski 1990), elementwise."""
    return np.where(np.abs(x) < LOBES, np.sinc(x) * np.sinc(x / LOBES), 0.0)


def output_length(length: int, factor: float) -> int:
    """Return ⌊length / factor⌋, the number of whole output pixels along an axis."""
    return math.floor(length / factor + 1e-9)


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


@njit(nogil=True, cache=True)
def _add_rows(rows, row0, start, weights, first, sums):  # type: ignore[no-untyped-def]
    """Add source rows to the open output rows.

    rows: (h, W·3) uint8, source rows row0 … row0 + h - 1; sums: (open, W·3) float32, output rows
    first, first + 1, … Taps are added one after another, in order, whatever the strip.
    """
    height, width = rows.shape
    count = weights.shape[1]
    for left in range(0, width, _BLOCK):
        right = min(left + _BLOCK, width)
        for o in range(sums.shape[0]):
            i = first + o
            k = max(row0 - start[i], 0)
            stop = min(row0 + height - start[i], count)
            out = sums[o, left:right]
            base = start[i] - row0
            while k + 4 <= stop:
                a = rows[base + k, left:right]
                b = rows[base + k + 1, left:right]
                c = rows[base + k + 2, left:right]
                d = rows[base + k + 3, left:right]
                wa, wb = weights[i, k], weights[i, k + 1]
                wc, wd = weights[i, k + 2], weights[i, k + 3]
                for j in range(right - left):
                    s = out[j] + wa * np.float32(a[j])
                    s += wb * np.float32(b[j])
                    s += wc * np.float32(c[j])
                    out[j] = s + wd * np.float32(d[j])
                k += 4
            while k < stop:
                a = rows[base + k, left:right]
                wa = weights[i, k]
                for j in range(right - left):
                    out[j] += wa * np.float32(a[j])
                k += 1


@njit(nogil=True, cache=True)
def _across(sums, start, weights, first, last, out):  # type: ignore[no-untyped-def]
    """Second pass, along rows, for output columns first … last - 1, rounded half up.

    sums: (m, W·3) float32; out: (m, n, 3) uint8. Any factor, any border.
    """
    count = weights.shape[1]
    half, low, high = np.float32(0.5), np.float32(0), np.float32(255)
    for r in range(out.shape[0]):
        row = sums[r]
        for i in range(first, last):
            s = start[i] * 3
            red = green = blue = np.float32(0)
            for k in range(count):
                w = weights[i, k]
                red += w * row[s + 3 * k]
                green += w * row[s + 3 * k + 1]
                blue += w * row[s + 3 * k + 2]
            out[r, i, 0] = np.uint8(min(max(red + half, low), high))
            out[r, i, 1] = np.uint8(min(max(green + half, low), high))
            out[r, i, 2] = np.uint8(min(max(blue + half, low), high))


@njit(nogil=True, cache=True)
def _across_inner(sums, factor, start, weights, first, last, out):  # type: ignore[no-untyped-def]
    """Same as `_across`, bit for bit, where all columns have one set of weights.

    A row is first dealt out by its place within an output pixel, so that the taps of neighbouring
    output pixels lie side by side and are added together; the order of taps stays.
    """
    period, lobes = 3 * factor, 2 * LOBES
    half, low, high = np.float32(0.5), np.float32(0), np.float32(255)
    width = last - first
    reach = width + lobes - 1
    dealt = np.empty((period, reach), np.float32)
    total = np.empty(width, np.float32)
    for r in range(out.shape[0]):
        row = sums[r, start[first] * 3 :]
        for i in range(reach):
            for p in range(period):
                dealt[p, i] = row[i * period + p]
        for channel in range(3):
            total[:] = 0
            for q in range(lobes):
                for p in range(factor):
                    w = weights[first, q * factor + p]
                    source = dealt[3 * p + channel, q : q + width]
                    for i in range(width):
                        total[i] += w * source[i]
            for i in range(width):
                out[r, first + i, channel] = np.uint8(min(max(total[i] + half, low), high))


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


class LevelStream:
    """One level of an image whose rows arrive in strips from top to bottom."""

    def __init__(self, width: int, height: int, factor: float) -> None:
        """Prepare the weights for a source of that size in pixels.

        Raises:
            ValueError: the source is smaller than one pixel of the level.
        """
        self._width = width
        self._across, self._down = taps(width, factor), taps(height, factor)
        self._inner = _inner(self._across, factor)
        self._end = self._down.end
        self._row = 0  # source rows seen
        self._first = 0  # output rows finished
        self._open = 0  # output rows begun; their sums are the first rows of the buffer
        self._sums = np.zeros((0, width * 3), np.float32)

    @property
    def shape(self) -> tuple[int, int]:
        """The level's (height, width) in pixels."""
        return len(self._down.start), len(self._across.start)

    def push(self, rows: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Take the next source rows and return the level's rows that they complete.

        Args:
            rows: (h, width, 3) uint8, axes y, x, c.

        Returns:
            (k, level width, 3) uint8, k ≥ 0.
        """
        bottom = self._row + len(rows)
        last = int(np.searchsorted(self._down.start, bottom, side="left"))
        done = int(np.searchsorted(self._end, bottom, side="right"))
        begun = last - self._first
        # one buffer for the stream's life: fresh memory for each strip costs more than its sums
        if begun > len(self._sums):
            grown = np.empty((begun, self._width * 3), np.float32)
            grown[: self._open] = self._sums[: self._open]
            self._sums = grown
        sums = self._sums[:begun]
        sums[self._open :] = 0
        flat = np.ascontiguousarray(rows).reshape(len(rows), self._width * 3)
        _add_rows(flat, self._row, self._down.start, self._down.weights, self._first, sums)
        finished = done - self._first
        out = self._second_pass(sums[:finished])
        self._open = begun - finished
        self._sums[: self._open] = sums[finished:].copy()
        self._row, self._first = bottom, done
        return out

    def _second_pass(self, sums: NDArray[np.float32]) -> NDArray[np.uint8]:
        start, weights, columns = self._across.start, self._across.weights, self.shape[1]
        out = np.empty((len(sums), columns, 3), np.uint8)
        first, last = self._inner
        _across(sums, start, weights, 0, first, out)
        if last > first:
            factor = weights.shape[1] // (2 * LOBES)
            _across_inner(sums, factor, start, weights, first, last, out)
        _across(sums, start, weights, last, columns, out)
        return out


def downsample(image: NDArray[np.uint8], factor: float) -> NDArray[np.uint8]:
    """Return a whole image downsampled by ``factor`` ≥ 1.

    Args:
        image: (H, W, 3) uint8, axes y, x, c.

    Returns:
        (⌊H / factor⌋, ⌊W / factor⌋, 3) uint8.
    """
    return LevelStream(image.shape[1], image.shape[0], factor).push(image)
