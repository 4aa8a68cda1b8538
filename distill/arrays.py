"""Zarr arrays that grow by rows, and whose lost chunks are never taken for values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.codecs import ZstdCodec

EMPTY_TOO: Any = {"write_empty_chunks": True}
"""An absent chunk must mean damage."""


def create(
    path: Path,
    shape: tuple[int, ...],
    dtype: str,
    axes: tuple[str, ...],
    chunks: tuple[int, ...] | None = None,
    shards: tuple[int, ...] | None = None,
) -> zarr.Array[Any]:
    """Make a Zarr v3 array at `path`, which must not exist; without `chunks` it is one chunk."""
    return zarr.create_array(
        store=str(path),
        shape=shape,
        dtype=dtype,
        chunks=chunks or shape,
        shards=shards,
        compressors=[ZstdCodec(level=1, checksum=True)],
        fill_value=np.nan,  # a lost shard must not look like zeros that were written
        dimension_names=axes,
        config=EMPTY_TOO,
    )


class Tail:
    """Rows that are not written yet, joined only when they are.

    Args:
        rows: the first of them, maybe none; decides dtype and width.
    """

    def __init__(self, rows: NDArray[Any]) -> None:
        self.dtype = rows.dtype
        self.width = rows.shape[1:]
        self._pieces = [rows]
        self._count = len(rows)

    def __len__(self) -> int:
        return self._count

    def append(self, rows: NDArray[Any]) -> None:
        """Take more rows."""
        self._pieces.append(rows)
        self._count += len(rows)

    def joined(self) -> NDArray[Any]:
        """Return all rows as one array."""
        self._pieces = [np.concatenate(self._pieces)]
        return self._pieces[0]

    def take(self, most: int) -> NDArray[Any]:
        """Return the first rows, at most so many, and forget them."""
        rows = self.joined()
        self._pieces, self._count = [rows[most:].copy()], max(0, self._count - most)
        return rows[:most]
