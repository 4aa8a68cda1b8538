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

LOBES = 3
PIXELS = 512
"""Columns of the source in a block, at most; their sums lie together for all output rows."""
STRIDE = 3 * PIXELS + 16
"""From one row's sums to the next one's: not 6,144 bytes, which the caches map alike."""
LANES = 16
"""Output rows handled together in the second pass, one a lane of the processor's vectors."""
TOGETHER = 6
"""Output rows handled together in the first pass: as many as a source row touches of a level."""
TASK = 3 + 2 * TOGETHER
FINISH = 9


@njit(nogil=True, cache=True)
def plan(start, taps, slots, offset, row, bottom):  # type: ignore[no-untyped-def]
    """Return what one level does with source rows ``row`` … ``bottom`` - 1.

    start: (n,) int64, first source row of each open output row, never decreasing; taps: their
    number; slots: (n,) int64, where their sums are; offset: of the first one's first weight.

    A run of source rows that touches the same output rows is added to six of them at a time.

    Returns:
        (m, TASK) int64: first row, counted from ``row``; rows; output rows; then slot and first
        weight of each of these. Runs follow each other in order.
    """
    n = len(start)
    table = np.empty(((2 * n + 1) * (-(-n // TOGETHER)), TASK), np.int64)
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
        for begin in range(first, beyond, TOGETHER):
            count = min(TOGETHER, beyond - begin)
            table[m, 0], table[m, 1], table[m, 2] = top - row, end - top, count
            for o in range(count):
                table[m, 3 + 2 * o] = slots[begin + o]
                table[m, 4 + 2 * o] = offset + (begin + o) * taps + top - start[begin + o]
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
def _first(rows, left, right, tasks, moves, fresh, weights, sums, base):  # type: ignore[no-untyped-def]
    """First pass, down the values left … right - 1 of the source rows, for all levels."""
    at = np.empty(TOGETHER, np.int64)
    for m in range(len(moves)):
        sums[_place(moves[m, 1], base)] = sums[_place(moves[m, 0], base)]
    for slot in fresh:
        sums[_place(slot, base)] = 0
    for task in tasks:
        low, high, single = task[0], task[0] + task[1], task[0]
        if task[2] == TOGETHER:
            single = low + task[1] // 4 * 4
            for o in range(TOGETHER):
                at[o] = task[4 + 2 * o] - low
            u, v = sums[_place(task[3], base)], sums[_place(task[5], base)]
            x, y = sums[_place(task[7], base)], sums[_place(task[9], base)]
            z, t = sums[_place(task[11], base)], sums[_place(task[13], base)]
            _add_to_six(rows, low, single, left, right, weights, at, u, v, x, y, z, t)
        if single < high:
            for o in range(task[2]):
                first = task[4 + 2 * o] + single - low
                out = sums[_place(task[3 + 2 * o], base)]
                _add(rows, single, high, left, right, weights[first:], out)


@njit(nogil=True, cache=True)
def _turn(sums, count, out):  # type: ignore[no-untyped-def]
    """Lay rows of sums side by side: out[value, lane] = sums[lane, value] for value < count."""
    whole = count // LANES * LANES
    for value in range(0, whole, LANES):
        to = out[value : value + LANES]
        for lane in range(len(sums)):
            row = sums[lane, value : value + LANES]
            for i in range(LANES):
                to[i, lane] = row[i]
    for lane in range(len(sums)):
        for value in range(whole, count):
            out[value, lane] = sums[lane, value]


@njit(nogil=True, cache=True)
def _across(turned, begin, weights, total):  # type: ignore[no-untyped-def]
    """Second pass of an output column: total = Σ_k weights[k] · turned[begin + k], in order.

    turned: (pixels · 3 · LANES,) float32, a pixel after another; total: (3 · LANES,) float32.
    """
    size, count = 3 * LANES, len(weights)
    whole = count // (2 * LOBES) * 2 * LOBES
    total[:] = 0
    for k in range(0, whole, 2 * LOBES):
        p, q, r = weights[k], weights[k + 1], weights[k + 2]
        s, t, u = weights[k + 3], weights[k + 4], weights[k + 5]
        a = turned[(begin + k) * size : (begin + k + 6) * size]
        for i in range(size):
            v = ((total[i] + p * a[i]) + q * a[i + size]) + r * a[i + 2 * size]
            v = ((v + s * a[i + 3 * size]) + t * a[i + 4 * size]) + u * a[i + 5 * size]
            total[i] = v
    for k in range(whole, count):
        p, a = weights[k], turned[(begin + k) * size : (begin + k + 1) * size]
        for i in range(size):
            total[i] += p * a[i]


@njit(nogil=True, cache=True)
def _second(finish, sums, left, right, start, weights, turned, out):  # type: ignore[no-untyped-def]
    """Second pass, along the rows, for the output columns that pixels left … right - 1 complete.

    sums: (rows, STRIDE) float32. turned: (pixels · 3 · LANES,) float32, a pixel after another, from
    pixel finish[0] to ``left``; receives the next ones. out: (rows, columns, 3) uint8, rounded half
    up.
    """
    half, low, high = np.float32(0.5), np.float32(0), np.float32(255)
    size = 3 * LANES
    total, rounded = np.empty(size, np.float32), np.empty(size, np.uint8)
    origin, column, columns, taps = finish[0], finish[1], out.shape[1], weights.shape[1]
    _turn(sums, (right - left) * 3, turned[(left - origin) * size :].reshape(-1, LANES))
    while column < columns and start[column] + taps <= right:
        _across(turned, start[column] - origin, weights[column], total)
        for i in range(size):
            rounded[i] = np.uint8(min(max(total[i] + half, low), high))
        for r in range(len(sums)):
            for c in range(3):
                out[r, column, c] = rounded[c * LANES + r]
        column += 1
    finish[1] = column
    if column < columns:
        finish[0] = start[column]
        gone = (finish[0] - origin) * size
        for i in range(gone, (right - origin) * size):
            turned[i - gone] = turned[i]


@njit(nogil=True, cache=True)
def both(  # type: ignore[no-untyped-def]
    rows, origin, edges, first, beyond, tasks, moves, fresh, down, sums, passing,
    finishes, starts, across, turned, out,
):  # fmt: skip
    """Add source rows to the open output rows of all levels, and finish those that are complete.

    rows: (h, n·3) uint8, pixels from ``origin`` on, of blocks ``first`` … ``beyond`` - 1, which
    follow those of the call before; edges: (blocks + 1,) int64, the pixels at which blocks begin
    and the last one ends; tasks: of `plan`, of all levels; moves: (n, 2) int64, slots whose sums
    move, and where to; fresh: slots whose sums begin; down: weights of all levels, one after
    another; sums: (passing + blocks · slots, STRIDE) float32: first those of slots ~0, ~1, …, of
    output rows that end with these source rows, which all blocks share.

    finishes: (n, FINISH) int64, for up to LANES such rows of a level at a time: two places for
    `_second`, which begin as 0; columns; taps; where the level's ``starts`` and weights ``across``
    begin; first row in ``sums``, and rows; where they begin in ``out``, flat; turned: (n,
    pixels · 3 · LANES) float32, room for a block and the taps.
    """
    slots = (len(sums) - passing) // (len(edges) - 1)
    for block in range(first, beyond):
        left, right = edges[block], edges[block + 1]
        base, a, b = passing + block * slots, (left - origin) * 3, (right - origin) * 3
        _first(rows, a, b, tasks, moves, fresh, down, sums, base)
        for n in range(len(finishes)):
            finish = finishes[n]
            columns, taps, s, w, row, count, o = finish[2:]
            if finish[1] < columns:
                _second(
                    finish, sums[row : row + count], left, right,
                    starts[s : s + columns],
                    across[w : w + columns * taps].reshape(columns, taps), turned[n],
                    out[o : o + count * columns * 3].reshape(count, columns, 3),
                )  # fmt: skip
