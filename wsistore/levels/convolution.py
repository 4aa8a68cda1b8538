"""The two passes of the downsampling, compiled: source rows into sums, sums into pixels.

Taps are added one after another, in order, in float32, without fused multiply-add: the bits of an
output pixel depend neither on how rows were cut into strips, nor on which output rows are handled
together, nor on the machine.

A block of columns goes through both passes before the next one begins, so that what the first
writes is still in the second-level cache when the second reads it.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from wsistore.levels.simd import LANES, broadcast, load, multiply_add, store, store_rounded, turn

LOBES = 3
BLOCK_COLUMNS = 512
"""Columns of the source in a block, at most; their sums lie together for all output rows."""
STRIDE = 3 * BLOCK_COLUMNS + 16
"""From one row's sums to the next one's: not 6,144 bytes, which the caches map alike."""
TRANSPOSED_PIXELS = 64
"""Pixels whose sums are turned at a time in the second pass."""
ROWS_AT_ONCE = 6
"""Output rows handled together in the first pass: as many as a source row touches of a level."""
TRANSIENT_ROWS = 2 * LANES
"""Slots to pass through, ~0, ~1, …: LANES output rows are finished together, by when fewer than as
many of the next ones have begun, because some six touch a source row."""
TASK = 4 + 2 * ROWS_AT_ONCE
FINISH = 9


@njit(nogil=True, cache=True)
def plan_accumulation(start, taps, slots, offset, row, bottom):  # type: ignore[no-untyped-def]
    """Return what one level does with source rows ``row`` … ``bottom`` - 1.

    start: (n,) int64, first source row of each open output row, never decreasing; taps: their
    number; slots: (n,) int64, where their sums are; offset: of the first one's first weight.

    A run of source rows that touches the same output rows is added to six of them at a time.

    Returns:
        (m, TASK) int64: first row, counted from ``row``; rows; output rows; how many of these, the
        last ones, begin there; then slot and first weight of each. Runs follow each other in order.
    """
    n = len(start)
    table = np.empty(((2 * n + 1) * (-(-n // ROWS_AT_ONCE)), TASK), np.int64)
    m, top, first, beyond = 0, row, 0, 0  # output rows first … beyond - 1 are touched
    while top < bottom:
        while beyond < n and start[beyond] <= top:
            beyond += 1
        while first < beyond and start[first] + taps <= top:
            first += 1
        end = bottom
        if beyond < n:
            end = min(end, start[beyond])
        if first < beyond:
            end = min(end, start[first] + taps)
        for begin in range(first, beyond, ROWS_AT_ONCE):
            count = min(ROWS_AT_ONCE, beyond - begin)
            table[m, 0], table[m, 1], table[m, 2], table[m, 3] = top - row, end - top, count, 0
            for o in range(count):
                table[m, 3] += start[begin + o] == top
                table[m, 4 + 2 * o] = slots[begin + o]
                table[m, 5 + 2 * o] = offset + (begin + o) * taps + top - start[begin + o]
            m += 1
        top = end
    return table[:m]


@njit(nogil=True, cache=True)
def _add(rows, low, high, left, right, weights, out):  # type: ignore[no-untyped-def]
    """Add source rows low … high - 1, values left … right - 1, to one output row."""
    for k in range(low, high):
        a, w = rows[k, left:right], weights[k - low]
        for j in range(right - left):
            out[j] += w * np.float32(a[j])


@njit(nogil=True, cache=True)
def _add_to_six(rows, low, high, left, right, w, at, u, v, x, y, z, t):  # type: ignore[no-untyped-def]
    """Same as `_add` for six output rows, whose weights begin at ``at``; whole fours of rows.

    A value is loaded and made a float once for six sums, which is what the time goes to.
    """
    for k in range(low, high, 4):
        e, f, g, h, i, j = at[0] + k, at[1] + k, at[2] + k, at[3] + k, at[4] + k, at[5] + k
        ea, eb, ec, ed = w[e], w[e + 1], w[e + 2], w[e + 3]
        fa, fb, fc, fd = w[f], w[f + 1], w[f + 2], w[f + 3]
        ga, gb, gc, gd = w[g], w[g + 1], w[g + 2], w[g + 3]
        ha, hb, hc, hd = w[h], w[h + 1], w[h + 2], w[h + 3]
        ia, ib, ic, id_ = w[i], w[i + 1], w[i + 2], w[i + 3]
        ja, jb, jc, jd = w[j], w[j + 1], w[j + 2], w[j + 3]
        row_a, row_b = rows[k, left:right], rows[k + 1, left:right]
        row_c, row_d = rows[k + 2, left:right], rows[k + 3, left:right]
        for n in range(right - left):
            a, b = np.float32(row_a[n]), np.float32(row_b[n])
            c, d = np.float32(row_c[n]), np.float32(row_d[n])
            u[n] = (((u[n] + ea * a) + eb * b) + ec * c) + ed * d
            v[n] = (((v[n] + fa * a) + fb * b) + fc * c) + fd * d
            x[n] = (((x[n] + ga * a) + gb * b) + gc * c) + gd * d
            y[n] = (((y[n] + ha * a) + hb * b) + hc * c) + hd * d
            z[n] = (((z[n] + ia * a) + ib * b) + ic * c) + id_ * d
            t[n] = (((t[n] + ja * a) + jb * b) + jc * c) + jd * d


@njit(nogil=True, cache=True)
def _place(slot, base):  # type: ignore[no-untyped-def]
    """Return the row of ``sums`` of a slot, in the block whose slot 0 is row ``base``."""
    return base + slot if slot >= 0 else ~slot


@njit(nogil=True, cache=True)
def vertical_pass(rows, left, right, tasks, weights, sums, base):  # type: ignore[no-untyped-def]
    """First pass, down the values left … right - 1 of the source rows, for one level."""
    at = np.empty(ROWS_AT_ONCE, np.int64)
    for task in tasks:
        low, high, single, count = task[0], task[0] + task[1], task[0], task[2]
        # not all at once before: they would have left the cache by then
        for o in range(count - task[3], count):
            sums[_place(task[4 + 2 * o], base)] = 0
        if count == ROWS_AT_ONCE:
            single = low + task[1] // 4 * 4
            for o in range(ROWS_AT_ONCE):
                at[o] = task[5 + 2 * o] - low
            u, v = sums[_place(task[4], base)], sums[_place(task[6], base)]
            x, y = sums[_place(task[8], base)], sums[_place(task[10], base)]
            z, t = sums[_place(task[12], base)], sums[_place(task[14], base)]
            _add_to_six(rows, low, single, left, right, weights, at, u, v, x, y, z, t)
        if single < high:
            for o in range(count):
                first = task[5 + 2 * o] + single - low
                out = sums[_place(task[4 + 2 * o], base)]
                _add(rows, single, high, left, right, weights[first:], out)


@njit(nogil=True, cache=True)
def scratch_width(taps):  # type: ignore[no-untyped-def]
    """Return for how many pixels `horizontal_pass` needs room: taps, what it turns, a vector."""
    return taps + max(taps, TRANSPOSED_PIXELS) + LANES


@njit(nogil=True, cache=True)
def horizontal_pass(  # type: ignore[no-untyped-def]
    finish, sums, row, left, right, start, weights, turned, out
):
    """Second pass, along rows, for the output columns that pixels left … right - 1 complete.

    Up to LANES rows are summed at once, a lane each. For that their sums are turned, a few pixels
    at a time, so that they are in the first-level cache when they are added.

    sums: flat, float32, those of the rows from ``row`` on, STRIDE apart. turned: (n,) float32, a
    pixel's sums, 3 · LANES, after another's, from pixel finish[0] to ``left``; receives the next
    ones. out: (rows, columns, 3) uint8.
    """
    size = 3 * LANES
    rounded = np.empty(size, np.uint8)
    (count, columns, _), taps = out.shape, weights.shape[1]
    origin, column, pixel = finish[0], finish[1], left
    while pixel < right and column < columns:
        stop = min(pixel + TRANSPOSED_PIXELS, right)
        if stop + LANES > origin + scratch_width(taps):
            gone, kept = (start[column] - origin) * size, (pixel - start[column]) * size
            for i in range(0, kept, LANES):
                store(turned, i, load(turned, gone + i))
            origin = start[column]
        first = row * STRIDE - left * 3
        # the last vector may reach beyond the pixels: STRIDE and room allow for it
        for value in range(pixel * 3, stop * 3, LANES):
            turn(sums, first + value, STRIDE, count, turned, (value - origin * 3) * LANES)
        pixel = stop
        while column < columns and start[column] + taps <= pixel:
            red = green = blue = broadcast(np.float32(0))
            at, w = (start[column] - origin) * size, weights[column]
            for k in range(taps):
                weight = broadcast(w[k])
                red = multiply_add(red, weight, load(turned, at))
                green = multiply_add(green, weight, load(turned, at + LANES))
                blue = multiply_add(blue, weight, load(turned, at + 2 * LANES))
                at += size
            store_rounded(rounded, 0, red)
            store_rounded(rounded, LANES, green)
            store_rounded(rounded, 2 * LANES, blue)
            for r in range(count):
                for c in range(3):
                    out[r, column, c] = rounded[c * LANES + r]
            column += 1
    finish[0], finish[1] = origin, column


@njit(nogil=True, cache=True)
def downsample_block(  # type: ignore[no-untyped-def]
    rows, edges, first, beyond, steps, tasks, moves, down, sums,
    finishes, starts, across, turned, out,
):  # fmt: skip
    """Add source rows to the open output rows of all levels, and finish those that are complete.

    rows: (h, n·3) uint8, of blocks ``first`` … ``beyond`` - 1, which follow those of the call
    before; edges: (blocks + 1,) int64, the pixels at which blocks begin and the last one ends.

    steps: (n + 1, 3) int64, where each step's tasks, moves and finishes begin; one takes some rows
    of a level, and finishes some. tasks: of `plan_accumulation`; moves: (n, 2) int64, slots whose
    sums move, and where to; down: weights of all levels, one after another; sums: (TRANSIENT_ROWS +
    blocks · slots, STRIDE) float32: first those of slots ~0, ~1, …, of output rows that end with
    these source rows, which all levels and blocks share. finishes: (n, FINISH) int64, for up to
    LANES such rows of a level at a time: two places for `horizontal_pass`, which begin as 0;
    columns; taps; where the level's ``starts`` and weights ``across`` begin; first row in ``sums``,
    and rows; where they begin in ``out``, flat; turned: (n, ≥ scratch_width(taps) · 3 · LANES)
    float32.
    """
    slots, flat = (len(sums) - TRANSIENT_ROWS) // (len(edges) - 1), sums.reshape(-1)
    origin = edges[first]
    for block in range(first, beyond):
        left, right = edges[block], edges[block + 1]
        base, a, b = TRANSIENT_ROWS + block * slots, (left - origin) * 3, (right - origin) * 3
        for step in range(len(steps) - 1):
            begin, end = steps[step], steps[step + 1]
            for m in range(begin[1], end[1]):
                old, new = _place(moves[m, 0], base) * STRIDE, _place(moves[m, 1], base) * STRIDE
                for i in range(0, STRIDE, LANES):
                    store(flat, new + i, load(flat, old + i))
            vertical_pass(rows, a, b, tasks[begin[0] : end[0]], down, sums, base)
            for n in range(begin[2], end[2]):
                finish = finishes[n]
                columns, taps, s, w, row, count, o = finish[2:]
                if finish[1] < columns:
                    horizontal_pass(
                        finish, flat, row, left, right,
                        starts[s : s + columns],
                        across[w : w + columns * taps].reshape(columns, taps), turned[n],
                        out[o : o + count * columns * 3].reshape(count, columns, 3),
                    )  # fmt: skip
