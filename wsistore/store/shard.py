"""A shard as a file: chunks of pixels compressed one after another, and where each lies.

zarr-python writes the same bytes, which a test holds this to, but passes each chunk through an
event loop and threads, and copies a shard twice: two thirds as long again as compression takes.
"""

from __future__ import annotations

from pathlib import Path

import google_crc32c
import numpy as np
from numcodecs.zstd import Zstd
from numpy.typing import NDArray

CHUNK = 512
SHARD_ROWS, SHARD_COLUMNS = 512, 4096
"""A shard is one file; its rows bound what a writer holds in memory."""

ZSTD_LEVEL = 1
_ABSENT = (1 << 64) - 1
_CODEC = Zstd(level=ZSTD_LEVEL, checksum=True)


def write_shard(path: Path, pixels: NDArray[np.uint8], chunk: tuple[int, int], count: int) -> None:
    """Write a shard whose chunks stand side by side.

    Chunks that the pixels fill in part are filled up with zeros; those that they do not reach are
    absent.

    Args:
        path: the file, which must not exist; folders are made.
        pixels: (3, h, w) uint8, h at most a chunk's height, w at most ``count`` times its width.
        chunk: height and width in pixels.
        count: how many chunks the shard has.

    Raises:
        OSError: it cannot be written.
    """
    channels, height, width = pixels.shape
    index = np.full((count, 2), _ABSENT, "<u8")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as file:
        place = 0
        for number, left in enumerate(range(0, width, chunk[1])):
            part = pixels[:, :, left : left + chunk[1]]
            if part.shape[1:] != chunk:
                whole = np.zeros((channels, *chunk), np.uint8)
                whole[:, :height, : part.shape[2]] = part
                part = whole
            frame = _CODEC.encode(np.ascontiguousarray(part))
            file.write(frame)
            index[number] = place, len(frame)
            place += len(frame)
        entries = index.tobytes()
        file.write(entries + google_crc32c.value(entries).to_bytes(4, "little"))


def _round_up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple


def chunk_and_shard_shape(
    height: int, width: int
) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """Return (chunks, shards) of a level of that size, each (c, y, x)."""
    chunk_y, chunk_x = min(CHUNK, height), min(CHUNK, width)
    shard_y = min(_round_up(height, chunk_y), SHARD_ROWS // chunk_y * chunk_y)
    shard_x = min(_round_up(width, chunk_x), SHARD_COLUMNS // chunk_x * chunk_x)
    return (3, chunk_y, chunk_x), (3, shard_y, shard_x)
