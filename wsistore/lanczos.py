"""Lanczos-3 downsampling of a stream of rows: exact, single pass, memory of a few rows.

Every level is made straight from the source rows. A source row is added, with its weights, to the
handful of output rows that it touches, so no halo is kept or read twice, and the order of additions
of an output pixel does not depend on how the rows were cut: any strips give the same bits.

Sums are float32 and the result is rounded once, to the nearest uint8 after the second pass. There
is no 8-bit intermediate, which clips the overshoot at sharp edges (up to 12 grey levels on noise).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wsistore.passes import FINISH, LANES, PIXELS, STRIDE, both, plan
from wsistore.taps import Taps, taps

Read = Callable[[int, int], NDArray[np.uint8]]
"""A function of a block's first column and of the one beyond its last → (h, columns, 3) uint8."""

ROWS = 256
"""Most source rows handled together: few enough for a block's sums to stay in the caches."""


class _Level:
    """What is open of one level: output rows whose sums lie in slots."""

    def __init__(self, across: Taps, down: Taps) -> None:
        # the weights themselves are held once, those of all levels together
        self.shape = (len(down.start), len(across.start))
        self.taps_across, self.taps_down = across.weights.shape[1], down.weights.shape[1]
        self.start, self.end = down.start, down.end
        self.first = 0  # output rows finished
        self.slots: list[int] = []  # of output rows first, first + 1, …

    def ends(self, bottom: int) -> int:
        """Return how many more output rows are complete after source row ``bottom`` - 1."""
        return int(np.searchsorted(self.end, bottom, side="right")) - self.first

    def begins(self, bottom: int) -> int:
        """Return how many output rows without a slot begin before source row ``bottom``."""
        begun = int(np.searchsorted(self.start, bottom, side="left"))
        return begun - self.first - len(self.slots)

    def plan(self, offset: int, row: int, bottom: int) -> NDArray[np.int64]:
        """Return what `passes.both` is to do with source rows ``row`` … ``bottom`` - 1."""
        taps = self.taps_down
        start = self.start[self.first : self.first + len(self.slots)]
        slots = np.array(self.slots, np.int64)
        tasks: NDArray[np.int64] = plan(start, taps, slots, offset + self.first * taps, row, bottom)
        return tasks

    def finish(self, count: int) -> None:
        """Forget the first ``count`` open output rows."""
        self.slots = self.slots[count:]
        self.first += count


class LevelStreams:
    """Levels of one image whose rows arrive in strips from top to bottom.

    Attributes:
        edges: columns at which the blocks begin that `take` asks for, and the width; pixels do not
            depend on them.
    """

    def __init__(
        self,
        width: int,
        height: int,
        factors: Sequence[float],
        edges: Sequence[int] | None = None,
    ) -> None:
        """Prepare the weights for a source of that size in pixels.

        Args:
            width, height: of the source.
            factors: of the levels.
            edges: 0, rising, up to the width, no two farther apart than `wsistore.passes.PIXELS`;
                by default as far as that.

        Raises:
            ValueError: the source is smaller than one pixel of a level, or edges are not as said.
        """
        self.edges = tuple(edges or (*range(0, width, PIXELS), width))
        steps = np.diff(self.edges)
        if (self.edges[0], self.edges[-1]) != (0, width) or not 0 < steps.min() <= steps.max():
            raise ValueError(f"{self.edges} do not cut {width} columns")
        if steps.max() > PIXELS:
            raise ValueError(f"blocks of {steps.max()} columns; {PIXELS} at most")
        self._edges = np.array(self.edges, np.int64)
        self._width = width
        across = [taps(width, factor) for factor in factors]
        down = [taps(height, factor) for factor in factors]
        self._levels = [_Level(*axes) for axes in zip(across, down, strict=True)]
        self._row = 0  # source rows seen
        self._down, self._down_at = _joined([axis.weights for axis in down])
        self._across, self._across_at = _joined([axis.weights for axis in across])
        self._starts, self._starts_at = _joined([axis.start for axis in across])
        # one buffer for the stream's life, because fresh memory for each strip costs more than
        # its sums; first rows that pass through, for all blocks, then (blocks, slots)
        self._blocks = len(self.edges) - 1
        self._passing = self._slots = 0
        self._sums = np.empty((0, STRIDE), np.float32)
        self._free: list[int] = []
        room = PIXELS + max(level.taps_across for level in self._levels)
        self._turned = np.empty((0, room * 3 * LANES), np.float32)

    @property
    def shapes(self) -> list[tuple[int, int]]:
        """Each level's (height, width) in pixels."""
        return [level.shape for level in self._levels]

    def push(self, rows: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
        """Take the next source rows and return the rows that they complete.

        Args:
            rows: (h, width, 3) uint8, axes y, x, c.

        Returns:
            For each level (k, level width, 3) uint8, k ≥ 0.
        """
        flat = np.ascontiguousarray(rows).reshape(len(rows), self._width * 3)
        parts = []
        for y in range(0, max(len(flat), 1), ROWS):
            part = flat[y : y + ROWS]
            parts.append(self._pass(len(part), [(part, 0, self._blocks)]))
        if len(parts) == 1:
            return parts[0]
        return [np.concatenate(level) for level in zip(*parts, strict=True)]

    def take(self, height: int, read: Read) -> list[NDArray[np.uint8]]:
        """Same as `push`, but ask for the rows block by block: each is used while in the caches.

        Args:
            height: how many rows come; the sums of more than `ROWS` leave the caches.
            read: is asked for each block between two `edges`, from left to right.

        Returns:
            For each level (k, level width, 3) uint8, k ≥ 0.
        """
        blocks = (
            (np.ascontiguousarray(read(left, right)).reshape(height, -1), number, number + 1)
            for number, (left, right) in enumerate(pairwise(self.edges))
        )
        return self._pass(height, blocks)

    def _pass(
        self, height: int, blocks: Iterable[tuple[NDArray[np.uint8], int, int]]
    ) -> list[NDArray[np.uint8]]:
        """Take the next rows, in parts of (h, n·3) uint8, first block, and the one beyond."""
        bottom = self._row + height
        ends = [level.ends(bottom) for level in self._levels]
        moves, fresh = self._open(bottom, ends)
        tasks = np.concatenate(
            [
                level.plan(at, self._row, bottom)
                for level, at in zip(self._levels, self._down_at, strict=True)
            ]
        )
        self._row = bottom
        finishes, out = self._finishes(ends)
        for rows, first, beyond in blocks:
            both(
                rows, self.edges[first], self._edges, first, beyond, tasks, moves, fresh,
                self._down, self._sums, self._passing, finishes, self._starts, self._across,
                self._turned, out,
            )  # fmt: skip
        for level, count in zip(self._levels, ends, strict=True):
            level.finish(count)
        shapes = [(count, width, 3) for count, (_, width) in zip(ends, self.shapes, strict=True)]
        parts = np.split(out, np.cumsum([math.prod(shape) for shape in shapes])[:-1])
        return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]

    def _open(
        self, bottom: int, ends: Sequence[int]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Give slots to the output rows that source rows up to ``bottom`` - 1 touch.

        Rows that end with them pass through slots that all blocks share, ~0, ~1, …, in order, and
        leave their own to rows that begin.

        Returns:
            As `passes.both` takes them: which slots move where, and which begin.
        """
        moves: list[tuple[int, int]] = []
        fresh: list[int] = []
        passing = 0
        for level, count in zip(self._levels, ends, strict=True):
            slots = [~row for row in range(passing, passing + count)]
            left = level.slots[:count]
            moves += zip(left, slots, strict=False)
            fresh += slots[len(left) :]
            level.slots = slots + level.slots[count:]
            self._free += left
            passing += count
        begins = [level.begins(bottom) for level in self._levels]
        self._make_room(passing, sum(begins))
        for level, count in zip(self._levels, begins, strict=True):
            slots = [self._free.pop() for _ in range(count)]
            level.slots += slots
            fresh += slots
        return np.array(moves, np.int64).reshape(-1, 2), np.array(fresh, np.int64)

    def _finishes(self, counts: Sequence[int]) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
        """Return what `passes.both` takes of so many complete rows of each level, and room."""
        table: list[list[int]] = []
        first = out = 0
        for level, count, s, w in zip(
            self._levels, counts, self._starts_at, self._across_at, strict=True
        ):
            columns, taps = level.shape[1], level.taps_across
            for row in range(0, count, LANES):
                rows = min(LANES, count - row)
                table.append([0, 0, columns, taps, s, w, first, rows, out])
                first += rows
                out += rows * columns * 3
        if len(table) > len(self._turned):
            # zeros: lanes without a row are summed as well, and nothing looks at them
            self._turned = np.zeros((len(table), *self._turned.shape[1:]), np.float32)
        return np.array(table, np.int64).reshape(-1, FINISH), np.empty(out, np.uint8)

    def _make_room(self, passing: int, begins: int) -> None:
        """Make room for as many output rows that end at once, and that many more that stay."""
        more, short = max(passing - self._passing, 0), max(begins - len(self._free), 0)
        if more or short:
            had, have = self._slots, self._slots + short
            sums = np.empty((self._passing + more + self._blocks * have, STRIDE), np.float32)
            old = self._sums[self._passing :].reshape(self._blocks, had, STRIDE)
            self._passing, self._slots = self._passing + more, have
            sums[self._passing :].reshape(self._blocks, have, STRIDE)[:, :had] = old
            self._sums = sums
            self._free += range(had, have)


def _joined(parts: Sequence[NDArray[Any]]) -> tuple[NDArray[Any], list[int]]:
    """Return arrays flat and one after another, and where each begins."""
    return np.concatenate([part.ravel() for part in parts]), [
        0, *(int(end) for end in np.cumsum([part.size for part in parts])[:-1])
    ]  # fmt: skip


def downsample(image: NDArray[np.uint8], factor: float) -> NDArray[np.uint8]:
    """Return a whole image downsampled by ``factor`` ≥ 1.

    Args:
        image: (H, W, 3) uint8, axes y, x, c.

    Returns:
        (⌊H / factor⌋, ⌊W / factor⌋, 3) uint8.
    """
    return LevelStreams(image.shape[1], image.shape[0], [factor]).push(image)[0]
