"""The two passes of the downsampling, compiled: source rows into sums, sums into pixels.

Taps are added one after another, in order, in float32, without fused multiply-add: the bits of an
output pixel depend neither on how rows were cut into strips, nor on which output rows are handled
together, nor on the machine.
"""

from __future__ import annotations

import numpy as np
from numba import njit

LOBES = 3
BLOCK = 1024
"""Values of a row whose sums lie together, for all output rows."""
COLUMNS = 512
"""Output columns handled together in the second pass."""


@njit(nogil=True, cache=True)
def plan(start, taps, slots, offset, row, bottom):  # type: ignore[no-untyped-def]
    """Return what one level does with source rows ``row`` … ``bottom`` - 1.

    start: (n,) int64, first source row of each open output row; taps: their number; slots: (n,)
    int64, where their sums are; offset: of the first one's first weight.

    A run of source rows that touches the same output rows is added to three of them at a time.

    Returns:
        (m, 8) int64: first row, counted from ``row``; rows; then slot and first weight of one
        output row, of a second and of a third, or -1. Runs follow each other in order.
    """
    tasks = []
    top = row
    while top < bottom:
        end = bottom
        for begin in start:
            if top < begin < end:
                end = begin
            if top < begin + taps < end:
                end = begin + taps
        touched = [o for o in range(len(start)) if start[o] <= top < start[o] + taps]
        for g in range(0, len(touched), 3):
            task = np.full(8, -1, np.int64)
            task[0], task[1] = top - row, end - top
            for u in range(min(3, len(touched) - g)):
                o = touched[g + u]
                task[2 + 2 * u] = slots[o]
                task[3 + 2 * u] = offset + o * taps + top - start[o]
            tasks.append(task)
        top = end
    table = np.empty((len(tasks), 8), np.int64)
    for i in range(len(tasks)):
        table[i] = tasks[i]
    return table


@njit(nogil=True, cache=True)
def _add(rows, low, high, left, right, weights, out):  # type: ignore[no-untyped-def]
    """Add source rows low … high - 1, values left … right - 1, to one output row."""
    for k in range(low, high):
        a, w = rows[k, left:right], weights[k - low]
        for j in range(right - left):
            out[j] += w * np.float32(a[j])


@njit(nogil=True, cache=True)
def _add_to_three(rows, low, high, left, right, p, q, r, x, y, z):  # type: ignore[no-untyped-def]
    """Same as `_add` for output rows x, y and z with weights p, q and r; whole fours of rows.

    A value is loaded and made a float once for three sums, which is what the time goes to.
    """
    for k in range(low, high, 4):
        w = k - low
        pa, pb, pc, pd = p[w], p[w + 1], p[w + 2], p[w + 3]
        qa, qb, qc, qd = q[w], q[w + 1], q[w + 2], q[w + 3]
        ra, rb, rc, rd = r[w], r[w + 1], r[w + 2], r[w + 3]
        row_a, row_b = rows[k, left:right], rows[k + 1, left:right]
        row_c, row_d = rows[k + 2, left:right], rows[k + 3, left:right]
        for j in range(right - left):
            a, b = np.float32(row_a[j]), np.float32(row_b[j])
            c, d = np.float32(row_c[j]), np.float32(row_d[j])
            x[j] = (((x[j] + pa * a) + pb * b) + pc * c) + pd * d
            y[j] = (((y[j] + qa * a) + qb * b) + qc * c) + qd * d
            z[j] = (((z[j] + ra * a) + rb * b) + rc * c) + rd * d


@njit(nogil=True, cache=True)
def first_pass(rows, tasks, fresh, weights, sums):  # type: ignore[no-untyped-def]
    """Add source rows to the open output rows of all levels.

    rows: (h, W·3) uint8; tasks: of `plan`, of all levels; fresh: slots whose sums begin; weights:
    of all levels, one after another; sums: (blocks, slots, BLOCK) float32.
    """
    width = rows.shape[1]
    for block in range(sums.shape[0]):
        left, right = block * BLOCK, min(block * BLOCK + BLOCK, width)
        here = sums[block]
        for slot in fresh:
            here[slot] = 0
        for t in range(tasks.shape[0]):
            low, high = tasks[t, 0], tasks[t, 0] + tasks[t, 1]
            single = low
            if tasks[t, 6] >= 0:
                single = low + tasks[t, 1] // 4 * 4
                p, q, r = weights[tasks[t, 3] :], weights[tasks[t, 5] :], weights[tasks[t, 7] :]
                x, y, z = here[tasks[t, 2]], here[tasks[t, 4]], here[tasks[t, 6]]
                _add_to_three(rows, low, single, left, right, p, q, r, x, y, z)
            if single < high:
                for u in range(2, 8, 2):
                    slot, first = tasks[t, u], tasks[t, u + 1] + single - low
                    if slot >= 0:
                        _add(rows, single, high, left, right, weights[first:], here[slot])


@njit(nogil=True, cache=True)
def _across(row, start, weights, first, last, out):  # type: ignore[no-untyped-def]
    """Second pass, along a row, for output columns first … last - 1, rounded half up.

    row: (W·3,) float32; out: (n, 3) uint8. Any factor, any border.
    """
    count = weights.shape[1]
    half, low, high = np.float32(0.5), np.float32(0), np.float32(255)
    for i in range(first, last):
        s = start[i] * 3
        red = green = blue = np.float32(0)
        for k in range(count):
            w = weights[i, k]
            red += w * row[s + 3 * k]
            green += w * row[s + 3 * k + 1]
            blue += w * row[s + 3 * k + 2]
        out[i, 0] = np.uint8(min(max(red + half, low), high))
        out[i, 1] = np.uint8(min(max(green + half, low), high))
        out[i, 2] = np.uint8(min(max(blue + half, low), high))


@njit(nogil=True, cache=True)
def _unzip(source, parts, n, out):  # type: ignore[no-untyped-def]
    """Deal ``parts · n`` values out in turn: out[r · n + i] = source[i · parts + r].

    Written out for the common numbers, because then the compiler uses whole vectors.
    """
    if parts == 2:
        for i in range(n):
            out[i], out[n + i] = source[2 * i], source[2 * i + 1]
    elif parts == 3:
        for i in range(n):
            out[i], out[n + i], out[2 * n + i] = source[3 * i], source[3 * i + 1], source[3 * i + 2]
    elif parts == 4:
        for i in range(n):
            out[i], out[n + i] = source[4 * i], source[4 * i + 1]
            out[2 * n + i], out[3 * n + i] = source[4 * i + 2], source[4 * i + 3]
    else:
        for r in range(parts):
            for i in range(n):
                out[r * n + i] = source[i * parts + r]


@njit(nogil=True, cache=True)
def _deal(source, factor, n, one, other, place):  # type: ignore[no-untyped-def]
    """Put the values of equal channel and equal place within an output pixel side by side.

    source: (n · factor · 3,) float32; one, other: as long or longer, overwritten. place: (factor,)
    int64, receives where the runs of n values lie: that of channel c and place p is number
    c · factor + place[p] of the array returned, which is ``one`` or ``other``.
    """
    _unzip(source, 3, n * factor, one)
    place[:] = 0
    done, left = 1, factor
    while left > 1:
        parts = 4 if left % 4 == 0 else 2 if left % 2 == 0 else left
        left //= parts
        for run in range(3 * done):
            begin, end = run * parts * left * n, (run + 1) * parts * left * n
            _unzip(one[begin:end], parts, left * n, other[begin:end])
        for p in range(factor):
            place[p] = place[p] * parts + p // done % parts
        done *= parts
        one, other = other, one
    return one


@njit(nogil=True, cache=True)
def _across_inner(row, factor, start, weights, first, last, scratch, place, out):  # type: ignore[no-untyped-def]
    """Same as `_across`, bit for bit, where all columns have one set of weights.

    The taps of neighbouring output pixels lie side by side and are added together; the order of
    taps stays. scratch: (3, 3 · factor · (COLUMNS + 5)) float32; place: (factor,) int64.
    """
    half, low, high = np.float32(0.5), np.float32(0), np.float32(255)
    n = last - first
    reach = n + 2 * LOBES - 1
    dealt = _deal(row[start[first] * 3 :], factor, reach, scratch[0], scratch[1], place)
    total = scratch[2, :n]
    for channel in range(3):
        total[:] = 0
        for tap in range(0, 2 * LOBES * factor, 3):
            # where each of three taps begins: its run, then as many output pixels further
            i = (channel * factor + place[tap % factor]) * reach + tap // factor
            j = (channel * factor + place[(tap + 1) % factor]) * reach + (tap + 1) // factor
            k = (channel * factor + place[(tap + 2) % factor]) * reach + (tap + 2) // factor
            a, b, c = dealt[i : i + n], dealt[j : j + n], dealt[k : k + n]
            wa, wb, wc = weights[first, tap], weights[first, tap + 1], weights[first, tap + 2]
            for x in range(n):
                total[x] = ((total[x] + wa * a[x]) + wb * b[x]) + wc * c[x]
        for x in range(n):
            out[first + x, channel] = np.uint8(min(max(total[x] + half, low), high))


@njit(nogil=True, cache=True)
def second_pass(sums, slots, start, weights, first, last, out):  # type: ignore[no-untyped-def]
    """Finish output rows: sums (blocks, slots, block) float32 → out (m, n, 3) uint8.

    Columns first … last - 1 share one set of weights.
    """
    factor = weights.shape[1] // (2 * LOBES)
    scratch = np.empty((3, 3 * factor * (COLUMNS + 2 * LOBES - 1)), np.float32)
    place = np.empty(factor, np.int64)
    row = np.empty(sums.shape[0] * BLOCK, np.float32)
    for r in range(out.shape[0]):
        for block in range(sums.shape[0]):
            row[block * BLOCK : (block + 1) * BLOCK] = sums[block, slots[r]]
        _across(row, start, weights, 0, first, out[r])
        for left in range(first, last, COLUMNS):
            right = min(left + COLUMNS, last)
            _across_inner(row, factor, start, weights, left, right, scratch, place, out[r])
        _across(row, start, weights, last, out.shape[1], out[r])
