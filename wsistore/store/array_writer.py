"""Rows of a level into a sharded Zarr array: whole shards only, a band of shards in memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import zarr
from numba import njit
from numpy.typing import NDArray
from zarr.codecs import ZstdCodec

from wsistore.parallel import report_progress
from wsistore.store.ome import AXES
from wsistore.store.shard import ZSTD_LEVEL, chunk_and_shard_shape, write_shard

_ZSTD = ZstdCodec(level=ZSTD_LEVEL, checksum=True)


def write_bytes(path: Path, data: bytes) -> None:
    """Write bytes as a Zarr array of their own, (n,) uint8; ``path`` must not exist.

    A plain file would do, but Zarr readers warn of files in a group that are no array.
    """
    values = np.frombuffer(data, np.uint8)
    array = zarr.create_array(
        store=str(path),
        shape=values.shape,
        dtype="uint8",
        chunks=values.shape,
        compressors=[_ZSTD],
        fill_value=0,
        dimension_names=("byte",),
        config={"write_empty_chunks": True},
    )
    array[:] = values


@njit(nogil=True, cache=True)
def transpose_and_sum(rows, band, at, sums):  # type: ignore[no-untyped-def]
    """Lay rows into a band, channel by channel, and add to sums while the values are at hand.

    rows: (k, w, 3) uint8, C-contiguous; band: (3, h, w) uint8, filled from row ``at`` on; sums:
    (3, 2) int64, of v and v² per channel, exact up to 10¹⁴ pixels.
    """
    for y in range(rows.shape[0]):
        source = rows[y].reshape(-1)
        for channel in range(3):
            target = band[channel, at + y]
            total, squares = np.int64(0), np.int64(0)
            for x in range(len(target)):
                value = source[3 * x + channel]
                target[x] = value
                total += value
                squares += np.int64(value) * value
            sums[channel, 0] += total
            sums[channel, 1] += squares


class LevelWriter:
    """Writes one level from rows that arrive top to bottom, and sums its channels exactly.

    Attributes:
        sums: (3, 2) int64, Σ v and Σ v² per channel of the rows so far.
        bytes: what the array takes in the store, metadata included; known once it is closed.
    """

    def __init__(self, path: Path, height: int, width: int) -> None:
        """Create the array; ``path`` must not exist."""
        chunks, shards = chunk_and_shard_shape(height, width)
        self._array = zarr.create_array(
            store=str(path),
            shape=(3, height, width),
            dtype="uint8",
            chunks=chunks,
            shards=shards,
            compressors=[_ZSTD],
            fill_value=0,
            dimension_names=AXES,
            # an absent chunk must mean damage, never "all zero"
            config={"write_empty_chunks": True},
        )
        self._shards = path / "c" / "0"
        self._chunk, self._columns = (chunks[1], chunks[2]), shards[2]
        self._band: NDArray[np.uint8] = np.empty((3, shards[1], width), np.uint8)
        self._filled = 0
        self._row = 0
        self.sums: NDArray[np.int64] = np.zeros((3, 2), np.int64)
        self.bytes = 0

    def push(self, rows: NDArray[np.uint8]) -> None:
        """Take the next rows, (k, width, 3) uint8, C-contiguous.

        Raises:
            ValueError: rows of another width; compiled code would read on beyond them.
        """
        if rows.shape[1:] != (self._array.shape[2], 3):
            raise ValueError(f"rows of {rows.shape} for a level of width {self._array.shape[2]}")
        while len(rows):
            take = min(len(rows), self._band.shape[1] - self._filled)
            transpose_and_sum(rows[:take], self._band, self._filled, self.sums)
            self._filled += take
            if self._filled == self._band.shape[1]:
                self._flush()
            rows = rows[take:]

    def _flush(self) -> None:
        if not self._filled:
            return
        row = str(self._row // self._band.shape[1])
        for number, left in enumerate(range(0, self._band.shape[2], self._columns)):
            write_shard(
                self._shards / row / str(number),
                self._band[:, : self._filled, left : left + self._columns],
                self._chunk,
                self._columns // self._chunk[1],
            )
            report_progress()
        self._row += self._filled
        self._filled = 0

    def close(self) -> None:
        """Write what is left, and count the bytes written.

        Raises:
            ValueError: fewer rows came than the level has.
        """
        self._flush()
        if self._row != self._array.shape[1]:
            raise ValueError(f"a level of {self._array.shape[1]} rows got {self._row}")
        self.bytes = self._array.nbytes_stored()
