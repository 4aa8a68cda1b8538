"""One level of a crop: metadata, every chunk of every shard, and the sums of its pixels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wsistore.store import chunk_and_shard_shape
from wsistore.tables import LevelRow
from wsistore.verify.findings import Check
from wsistore.verify.slide.folder import SlideFolder
from wsistore.verify.slide.shards import AbsentError, DamageError, read_chunks

Sides = tuple[int, int, int]


def check_level(
    folder: SlideFolder, part: str, size: tuple[int, int], row: LevelRow, check: Check, do: str
) -> bool:
    """Check a level and tell whether it is whole.

    Shards are looked for where the law puts them, whatever ``zarr.json`` says, so that each fault
    is named once, at the file that has it.

    Args:
        folder: of the slide.
        part: the array's path inside it, such as ``0/10x``.
        size: (height, width) by the law.
        row: what the record says of it.
        check: takes faults and counts.
        do: what mends the slide.
    """
    before, read = len(check.faults), check.bytes
    pixels = _Pixels(size, f"{folder.name}/{part}", check, do)
    metadata = folder.metadata(f"{part}/zarr.json", "level", do)
    if metadata is not None:
        pixels.check_metadata(metadata)
    damaged = len(check.faults)
    for y, x in pixels.shard_places():
        data = folder.read(f"{part}/c/0/{y}/{x}", do)
        if data is not None:
            pixels.add_shard(data, y, x)
    check.levels += 1
    if len(check.faults) == damaged:
        pixels.check_sums(row)
    if len(check.faults) == before and row.bytes not in (None, check.bytes - read):
        what = f"takes {check.bytes - read} bytes, recorded {row.bytes}: it was written anew"
        check.fault(f"{folder.name}/{part}", what, do)
    return len(check.faults) == before


class _Pixels:
    """The shards of one array, and the sums of what they hold."""

    def __init__(self, size: tuple[int, int], array: str, check: Check, do: str) -> None:
        self._shape: Sides = (3, *size)
        self._chunk, self._shard = chunk_and_shard_shape(*size)
        self._array, self._check, self._do = array, check, do
        self._sums, self._squares = np.zeros(3), np.zeros(3)

    def check_metadata(self, metadata: dict[str, Any]) -> None:
        """Hold shape, chunks and shards against the law; Zarr calls a shard the outer chunk."""
        (sharding,) = metadata["codecs"]
        for name, found, right in (
            ("shape", metadata["shape"], self._shape),
            ("chunks", sharding["configuration"]["chunk_shape"], self._chunk),
            ("shards", metadata["chunk_grid"]["configuration"]["chunk_shape"], self._shard),
        ):
            if found != list(right):
                what = f"has the {name} {found}; the law gives {list(right)}"
                self._check.fault(f"{self._array}/zarr.json", what, self._do)

    def shard_places(self) -> Iterator[tuple[int, int]]:
        """Yield each shard's row and column in the grid of shards."""
        for y in range(-(-self._shape[1] // self._shard[1])):
            for x in range(-(-self._shape[2] // self._shard[2])):
                yield y, x

    def add_shard(self, data: bytes, row: int, column: int) -> None:
        """Decode all chunks of a shard."""
        file = f"{self._array}/c/0/{row}/{column}"
        down, across = self._shard[1] // self._chunk[1], self._shard[2] // self._chunk[2]
        self._check.shards += 1
        try:
            for number, found in read_chunks(data, down * across, self._chunk):
                y, x = row * down + number // across, column * across + number % across
                room = self._shape[1] - y * self._chunk[1], self._shape[2] - x * self._chunk[2]
                if isinstance(found, AbsentError) and min(room) <= 0:
                    continue
                if isinstance(found, DamageError):
                    self._check.fault(file, f"chunk (0, {y}, {x}) {found}", self._do)
                else:
                    self._check.chunks += 1
                    self._add(found[:, : max(room[0], 0), : max(room[1], 0)])
        except DamageError as error:
            self._check.fault(file, str(error), self._do)

    def _add(self, pixels: NDArray[np.uint8]) -> None:
        # exact in float64: integers below 2⁵³, for a level of up to 10¹¹ pixels
        values = pixels.reshape(3, -1).astype(np.float64)
        self._sums += values.sum(axis=1)
        self._squares += np.einsum("ij,ij->i", values, values)

    def check_sums(self, row: LevelRow) -> None:
        """Hold the sums of the pixels against those that were recorded when they were stored."""
        found = [int(value) for value in (*self._sums, *self._squares)]
        recorded = [row.sum_r, row.sum_g, row.sum_b, row.sumsq_r, row.sumsq_g, row.sumsq_b]
        if found != recorded:
            what = (
                f"its pixels are not those that were stored: channel sums and sums of squares are "
                f"{found}, recorded {recorded} (two levels or crops exchanged?)"
            )
            self._check.fault(self._array, what, self._do)
