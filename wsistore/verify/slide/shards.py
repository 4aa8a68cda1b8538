"""A shard, byte by byte: its index, its chunks, and nothing else.

Written from the format's page and not on zarr-python, which reads a lost shard or chunk as zeros.
"""

from __future__ import annotations

from collections.abc import Iterator

import google_crc32c
import numpy as np
from numcodecs.zstd import Zstd
from numpy.typing import NDArray

_ENTRY, _CHECKSUM = 16, 4
_ABSENT = (1 << 64) - 1
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_ZSTD_HAS_CHECKSUM = 0b100  # RFC 8878, 3.1.1.1.1: the frame header's first byte


class DamageError(Exception):
    """Bytes are not what was written; the message says which."""


class AbsentError(DamageError):
    """A chunk was never written; right only where it lies wholly outside the array."""


def read_index(shard: bytes, chunks: int) -> NDArray[np.uint64]:
    """Return where a shard's chunks lie.

    Args:
        shard: the whole file.
        chunks: how many it holds.

    Returns:
        (chunks, 2) uint64, offset and length in bytes, both 2⁶⁴ - 1 for an absent chunk.

    Raises:
        DamageError: the index is cut off or fails its checksum.
    """
    size = chunks * _ENTRY + _CHECKSUM
    if len(shard) < size:
        raise DamageError(
            f"has {len(shard)} bytes, too few for its index of {size}: it is cut short"
        )
    index, checksum = shard[-size:-_CHECKSUM], shard[-_CHECKSUM:]
    if google_crc32c.value(index) != int.from_bytes(checksum, "little"):
        raise DamageError("its index fails its checksum: it is cut short or damaged")
    return np.frombuffer(index, "<u8").reshape(chunks, 2)


def decode(frame: bytes, size: int) -> bytes:
    """Decompress a zstd frame that carries a checksum.

    Raises:
        DamageError: it fails its checksum, has none, or holds another number of bytes.
    """
    if frame[:4] != _ZSTD_MAGIC or not frame[4] & _ZSTD_HAS_CHECKSUM:
        raise DamageError("is no zstd frame with a checksum")
    try:
        data = bytes(Zstd().decode(frame))
    # numcodecs raises RuntimeError for all that zstd refuses, ValueError for senseless sizes
    except (RuntimeError, ValueError, MemoryError) as error:
        raise DamageError(f"fails its checksum or cannot be decoded ({error})") from error
    if len(data) != size:
        raise DamageError(f"holds {len(data)} bytes, not {size}")
    return data


def read_chunks(
    shard: bytes, chunks: int, shape: tuple[int, int, int]
) -> Iterator[tuple[int, NDArray[np.uint8] | DamageError]]:
    """Decode all chunks of a shard, damaged or not.

    Args:
        shard: the whole file.
        chunks: how many it holds.
        shape: of each, (3, h, w).

    Yields:
        Each chunk's number in C order, and its pixels, or what is wrong with it.

    Raises:
        DamageError: the index is damaged, or there are bytes that belong to no chunk.
    """
    index = [(int(offset), int(length)) for offset, length in read_index(shard, chunks)]
    end = len(shard) - chunks * _ENTRY - _CHECKSUM
    _require_filled(index, end)
    for number, (offset, length) in enumerate(index):
        if offset == length == _ABSENT:
            yield number, AbsentError("is absent")
            continue
        try:
            data = decode(shard[offset : offset + length], shape[0] * shape[1] * shape[2])
        except DamageError as error:
            yield number, error
        else:
            yield number, np.frombuffer(data, np.uint8).reshape(shape)


def _require_filled(index: list[tuple[int, int]], end: int) -> None:
    """Refuse an index whose chunks do not fill the shard from 0 to the index, each byte once."""
    place = 0
    for offset, length in sorted(entry for entry in index if entry != (_ABSENT, _ABSENT)):
        if offset != place:
            raise DamageError(f"its chunks overlap or leave a gap at byte {min(place, offset)}")
        place += length
    if place != end:
        raise DamageError(f"its chunks take {place} bytes of {end}: it was cut or added to")
