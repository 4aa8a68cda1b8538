"""The schedule of the compiled passes: where each output row's sums lie, and which rows end.

Each output row has a slot, which is a row of sums in every block of columns. One that ends within
the source rows at hand needs no slot of its own: it passes through a few that all levels and blocks
share, which therefore stay in the caches.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wsistore.levels.convolution import FINISH, TRANSIENT_ROWS, plan_accumulation, scratch_width
from wsistore.levels.kernel import Taps
from wsistore.levels.simd import LANES


@dataclass(frozen=True)
class BlockWork:
    """What `convolution.downsample_block` does with some source rows; tables as it takes them.

    Attributes:
        steps: (n + 1, 3) int64, where each step's tasks, moves and finishes begin, and those of the
            last end.
        tasks, moves, finishes: of all steps.
        shapes: of the rows that are completed, (k, level width, 3) for each level.
        slots: how many each block has to have.
    """

    steps: NDArray[np.int64]
    tasks: NDArray[np.int64]
    moves: NDArray[np.int64]
    finishes: NDArray[np.int64]
    shapes: list[tuple[int, int, int]]
    slots: int


class _Level:
    """What is open of one level: output rows that have slots."""

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
        """Return how many output rows begin before source row ``bottom`` and stay open after it."""
        begun = int(np.searchsorted(self.start, bottom, side="left"))
        return begun - self.first - max(len(self.slots), self.ends(bottom))

    def tasks(self, offset: int, row: int, bottom: int) -> NDArray[np.int64]:
        """Return what `plan_accumulation` says of source rows ``row`` … ``bottom`` - 1."""
        taps = self.taps_down
        start = self.start[self.first : self.first + len(self.slots)]
        slots = np.array(self.slots, np.int64)
        tasks: NDArray[np.int64] = plan_accumulation(
            start, taps, slots, offset + self.first * taps, row, bottom
        )
        return tasks


class RowSchedule:
    """The work on an image's levels, whose source rows come in order.

    Attributes:
        shapes: each level's (height, width) in pixels.
        down, across, starts: the levels' weights along columns and rows, and the first source
            columns of their output columns; flat, one level's after another's.
        room: pixels for which the second pass needs room.
    """

    def __init__(self, across: Sequence[Taps], down: Sequence[Taps]) -> None:
        self._levels = [_Level(*axes) for axes in zip(across, down, strict=True)]
        self._row = 0  # source rows seen
        self._slots = 0
        self._free: list[int] = []
        self.shapes = [level.shape for level in self._levels]
        self.down, self._down_at = _joined([axis.weights for axis in down])
        self.across, self._across_at = _joined([axis.weights for axis in across])
        self.starts, self._starts_at = _joined([axis.start for axis in across])
        self.room: int = scratch_width(max(level.taps_across for level in self._levels))

    def next(self, height: int) -> BlockWork:
        """Return the work on the next ``height`` source rows, and count it as done."""
        bottom = self._row + height
        ends = [level.ends(bottom) for level in self._levels]
        moves = self._open(bottom, ends)
        tasks, finishes = [], []
        steps = np.zeros((1, 3), np.int64)
        out = 0
        for level, count, moved, down_at, across_at, starts_at in zip(
            self._levels, ends, moves, self._down_at, self._across_at, self._starts_at, strict=True
        ):
            tasks.append(level.tasks(down_at, self._row, bottom))
            columns, taps = level.shape[1], level.taps_across
            table = [
                # where the rows begin in ``out``: behind those of other levels and groups
                [0, 0, columns, taps, starts_at, across_at, group % TRANSIENT_ROWS,
                 min(LANES, count - group), out + group * columns * 3]
                for group in range(0, count, LANES)
            ]  # fmt: skip
            finishes.append(np.array(table, np.int64).reshape(-1, FINISH))
            out += count * columns * 3
            # a group is finished as soon as its last row is complete: its sums are still at hand
            last = level.first + np.minimum(np.arange(LANES, count + LANES, LANES), count) - 1
            done = np.searchsorted(tasks[-1][:, 0], level.end[last] - self._row)
            added = [[task, len(moved), n] for n, task in enumerate(done, start=1)]
            added.append([len(tasks[-1]), len(moved), len(table)])
            steps = np.concatenate([steps, steps[-1] + added])
            level.slots = level.slots[count:]
            level.first += count
        self._row = bottom
        return BlockWork(
            steps,
            np.concatenate(tasks),
            np.concatenate(moves),
            np.concatenate(finishes),
            [(count, width, 3) for count, (_, width) in zip(ends, self.shapes, strict=True)],
            self._slots,
        )

    def _open(self, bottom: int, ends: Sequence[int]) -> list[NDArray[np.int64]]:
        """Give slots to the output rows that source rows up to ``bottom`` - 1 touch.

        Rows that end with them leave their own slots to rows that begin.

        Returns:
            For each level which slots move where, (n, 2).
        """
        begins = [level.begins(bottom) for level in self._levels]
        left = [level.slots[:count] for level, count in zip(self._levels, ends, strict=True)]
        # levels take turns: what a later one leaves is still in use
        need = int((np.cumsum(begins) - np.cumsum([len(slots) for slots in left])).max())
        more = max(need - len(self._free), 0)
        self._free += range(self._slots, self._slots + more)
        self._slots += more
        moves = []
        for level, count, slots, fresh in zip(self._levels, ends, left, begins, strict=True):
            passing = [~(n % TRANSIENT_ROWS) for n in range(count)]
            moves.append(np.array([*zip(slots, passing, strict=False)], np.int64).reshape(-1, 2))
            self._free += slots
            level.slots = passing + level.slots[count:] + [self._free.pop() for _ in range(fresh)]
        return moves


def _joined(parts: Sequence[NDArray[Any]]) -> tuple[NDArray[Any], list[int]]:
    """Return arrays flat and one after another, and where each begins."""
    return np.concatenate([part.ravel() for part in parts]), [
        0, *(int(end) for end in np.cumsum([part.size for part in parts])[:-1])
    ]  # fmt: skip
