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

import numpy as np
from numpy.typing import NDArray

from wsistore.levels.convolution import BLOCK_COLUMNS, STRIDE, TRANSIENT_ROWS, downsample_block
from wsistore.levels.kernel import taps
from wsistore.levels.row_schedule import BlockWork, RowSchedule
from wsistore.levels.simd import LANES

Read = Callable[[int, int], NDArray[np.uint8]]
"""A function of a block's first column and of the one beyond its last → (h, columns, 3) uint8."""

MAX_ROWS = 256
"""Most source rows handled together: few enough for a block's sums to stay in the caches."""


class StreamingDownsampler:
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
            edges: 0, rising, up to the width, no two farther apart than
                `wsistore.levels.convolution.BLOCK_COLUMNS`; by default as far as that.

        Raises:
            ValueError: the source is smaller than one pixel of a level, or edges are not as said.
        """
        self.edges = tuple(edges or (*range(0, width, BLOCK_COLUMNS), width))
        steps = np.diff(self.edges)
        if (self.edges[0], self.edges[-1]) != (0, width) or not 0 < steps.min() <= steps.max():
            raise ValueError(f"{self.edges} do not cut {width} columns")
        if steps.max() > BLOCK_COLUMNS:
            raise ValueError(f"blocks of {steps.max()} columns; {BLOCK_COLUMNS} at most")
        self._edges = np.array(self.edges, np.int64)
        self._width = width
        self._schedule = RowSchedule(
            [taps(width, factor) for factor in factors],
            [taps(height, factor) for factor in factors],
        )
        # one buffer for the stream's life, because fresh memory for each strip costs more than
        # its sums; first slots to pass through, for all blocks, then (blocks, slots)
        self._blocks = len(self.edges) - 1
        self._slots = 0
        self._sums = _aligned(TRANSIENT_ROWS, STRIDE)
        self._turned = _aligned(0, self._schedule.room * 3 * LANES)

    @property
    def shapes(self) -> list[tuple[int, int]]:
        """Each level's (height, width) in pixels."""
        return self._schedule.shapes

    def push(self, rows: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
        """Take the next source rows and return the rows that they complete.

        Args:
            rows: (h, width, 3) uint8, axes y, x, c.

        Returns:
            For each level (k, level width, 3) uint8, k ≥ 0.
        """
        flat = np.ascontiguousarray(rows).reshape(len(rows), self._width * 3)
        parts = []
        for y in range(0, max(len(flat), 1), MAX_ROWS):
            part = flat[y : y + MAX_ROWS]
            parts.append(self._pass(len(part), [(part, 0, self._blocks)]))
        if len(parts) == 1:
            return parts[0]
        return [np.concatenate(level) for level in zip(*parts, strict=True)]

    def take(self, height: int, read: Read) -> list[NDArray[np.uint8]]:
        """Same as `push`, but ask for the rows block by block: each is used while in the caches.

        Args:
            height: how many rows come; the sums of more than `MAX_ROWS` leave the caches.
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
        work = self._schedule.next(height)
        self._make_room(work)
        sizes = [math.prod(shape) for shape in work.shapes]
        out = np.empty(sum(sizes), np.uint8)
        for rows, first, beyond in blocks:
            downsample_block(
                rows, self._edges, first, beyond, work.steps, work.tasks, work.moves,
                self._schedule.down, self._sums, work.finishes, self._schedule.starts,
                self._schedule.across, self._turned, out,
            )  # fmt: skip
        parts = np.split(out, np.cumsum(sizes)[:-1])
        return [part.reshape(shape) for part, shape in zip(parts, work.shapes, strict=True)]

    def _make_room(self, work: BlockWork) -> None:
        if len(work.finishes) > len(self._turned):
            self._turned = _aligned(len(work.finishes), self._turned.shape[1])
        if work.slots > self._slots:
            sums = _aligned(TRANSIENT_ROWS + self._blocks * work.slots, STRIDE)
            old = self._sums[TRANSIENT_ROWS:].reshape(self._blocks, self._slots, STRIDE)
            new = sums[TRANSIENT_ROWS:].reshape(self._blocks, work.slots, STRIDE)
            new[:, : self._slots] = old
            self._sums, self._slots = sums, work.slots


def _aligned(rows: int, columns: int) -> NDArray[np.float32]:
    """Return room for (rows, columns) float32 that begins with a line of the cache.

    A vector is as long as a line: of numpy's own arrays each would lie in two, which takes a tenth
    of both passes' time.
    """
    line = LANES * np.dtype(np.float32).itemsize
    room = np.empty(rows * columns + LANES, np.float32)
    first = -room.ctypes.data % line // room.itemsize
    return room[first : first + rows * columns].reshape(rows, columns)


def downsample(image: NDArray[np.uint8], factor: float) -> NDArray[np.uint8]:
    """Return a whole image downsampled by ``factor`` ≥ 1.

    Args:
        image: (H, W, 3) uint8, axes y, x, c.

    Returns:
        (⌊H / factor⌋, ⌊W / factor⌋, 3) uint8.
    """
    return StreamingDownsampler(image.shape[1], image.shape[0], [factor]).push(image)[0]
