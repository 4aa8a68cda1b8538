"""Vectors that are there while others are still to come: a file for each run of rows.

A file is written once, in one rename, and none knows of another. So several processes can write
side by side, each may be killed at any moment, and what is left to do can be shared out anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

import wsistore
from distill.files import load, publish, save

_WHOLE = "whole"
"""File that says that nothing is left to do, and that the pieces may be gone."""
_SUFFIX = ".safetensors"


class Pieces:
    """The pieces of an array of `total` rows, in a folder of their own.

    Args:
        folder: where they are.
        total: rows that there will be.
    """

    def __init__(self, folder: Path, total: int) -> None:
        self.folder, self.total = folder, total

    def begin(self) -> None:
        """Make the folder; there is none."""
        self.folder.mkdir()

    def resume(self) -> None:
        """Clear away files that killed processes had not renamed yet."""
        wsistore.atomic.clear(self.folder)

    @property
    def whole(self) -> bool:
        """Whether the array has taken in all pieces."""
        return (self.folder / _WHOLE).exists()

    def left(self) -> list[range]:
        """Return the rows that no piece holds, in order."""
        if self.whole:
            return []
        found, end = [], 0
        for rows in [*self._there(), range(self.total, self.total)]:
            if rows.start > end:
                found.append(range(end, rows.start))
            end = max(end, rows.stop)
        return found

    def save(self, first: int, rows: NDArray[np.float32]) -> None:
        """Keep rows, (n, D), of which the first has that number."""
        name = f"{first:012d}-{first + len(rows):012d}{_SUFFIX}"
        tensors = {"rows": torch.from_numpy(np.ascontiguousarray(rows))}
        save(self.folder / name, tensors, {"first": str(first)})

    def in_order(self) -> Iterator[NDArray[np.float32]]:
        """Yield all rows, piece by piece; nothing is left to do.

        Raises:
            RunError: if a piece is damaged.
        """
        end = 0
        for rows in self._there():
            tensors, _ = load(self.folder / f"{rows.start:012d}-{rows.stop:012d}{_SUFFIX}")
            yield tensors["rows"].numpy()[end - rows.start :]  # no row twice
            end = max(end, rows.stop)

    def finish(self) -> None:
        """Say that the array has taken in all pieces, and remove them."""
        publish(self.folder / _WHOLE, b"")
        for piece in self.folder.glob(f"*{_SUFFIX}"):
            piece.unlink()

    def _there(self) -> list[range]:
        names = [path.name.removesuffix(_SUFFIX) for path in self.folder.glob(f"*{_SUFFIX}")]
        ends = (name.partition("-")[::2] for name in names)
        return sorted((range(int(a), int(b)) for a, b in ends), key=lambda rows: rows.start)


def shares(left: Sequence[range], batch: int, rank: int, world: int) -> list[range]:
    """Return the rows that one of several processes takes of those that are left.

    They are whole batches, as near to each other as can be. Which rows make a batch depends on
    their numbers alone, so that no vector depends on the number of processes.

    Args:
        left: each begins at a multiple of `batch`.
        batch: rows that pass through the network together; fewer at the end of the last.
        rank: number of the process, from 0.
        world: number of processes.
    """
    batches = [
        range(first, min(first + batch, rows.stop))
        for rows in left
        for first in range(rows.start, rows.stop, batch)
    ]
    mine = batches[rank * len(batches) // world : (rank + 1) * len(batches) // world]
    found: list[range] = []
    for rows in mine:
        if found and found[-1].stop == rows.start:
            found[-1] = range(found[-1].start, rows.stop)
        else:
            found.append(rows)
    return found
