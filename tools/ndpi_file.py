"""A small file laid out as Hamamatsu's scanners do: one JPEG stream, cut at its restart markers."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from tools.tiff_files import Pixels, Writer, image

_SHORT, _LONG, _RATIONAL, _ASCII, _SLONG, _FLOAT = 3, 4, 5, 2, 9, 11


class _Tag(NamedTuple):
    code: int
    kind: int
    number: int
    data: bytes


def ndpi(subsampling: int) -> Writer:
    """Return a writer of a file of 1280 × 144 pixels, in tiles of 8 blocks of JPEG.

    Args:
        subsampling: of chroma, in Pillow's numbers: 0 none, 1 4:2:2, 2 4:2:0.
    """

    def write(path: Path) -> Pixels:
        pixels = np.tile(image(), (1, 8, 1))
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(
            buffer, "JPEG", quality=97, subsampling=subsampling, restart_marker_blocks=8
        )
        stream = buffer.getvalue()
        path.write_bytes(_file(stream, *pixels.shape[:2]))
        return np.asarray(Image.open(io.BytesIO(stream)))

    return write


def _file(stream: bytes, height: int, width: int) -> bytes:
    starts = list(_restarts(stream))
    long = "<I"
    tags = [
        _Tag(256, _LONG, 1, struct.pack(long, width)),
        _Tag(257, _LONG, 1, struct.pack(long, height)),
        _Tag(258, _SHORT, 3, struct.pack("<3H", 8, 8, 8)),
        _Tag(259, _SHORT, 1, struct.pack(long, 7)),
        _Tag(262, _SHORT, 1, struct.pack(long, 6)),
        _Tag(271, _ASCII, 10, b"Hamamatsu\0"),
        _Tag(272, _ASCII, 11, b"NanoZoomer\0"),
        _Tag(273, _LONG, 1, b""),
        _Tag(277, _SHORT, 1, struct.pack(long, 3)),
        _Tag(278, _LONG, 1, struct.pack(long, height)),
        _Tag(279, _LONG, 1, struct.pack(long, len(stream))),
        _Tag(282, _RATIONAL, 1, struct.pack("<2I", 20000, 1)),
        _Tag(283, _RATIONAL, 1, struct.pack("<2I", 20000, 1)),
        _Tag(284, _SHORT, 1, struct.pack(long, 1)),
        _Tag(296, _SHORT, 1, struct.pack(long, 3)),
        _Tag(65420, _LONG, 1, struct.pack(long, 1)),
        _Tag(65421, _FLOAT, 1, struct.pack("<f", 20)),
        _Tag(65424, _SLONG, 1, struct.pack("<i", 0)),
        _Tag(65426, _LONG, len(starts), struct.pack(f"<{len(starts)}I", *starts)),
    ]
    body, entries, first = stream, b"", 12
    for tag in tags:
        value = tag.data
        if tag.code == 273:
            value = struct.pack(long, first)
        elif len(value) > 4:
            body, value = body + value, struct.pack(long, first + len(body))
        entries += struct.pack("<HHI", tag.code, tag.kind, tag.number) + value
    # NDPI: places have 8 bytes, and the high halves of the values follow the directory
    directory = struct.pack("<H", len(tags)) + entries + bytes(8) + bytes(4 * len(tags))
    return b"II*\0" + struct.pack("<Q", first + len(body)) + body + directory


def _restarts(stream: bytes) -> Iterator[int]:
    """Yield where each stretch between restart markers begins."""
    place = 2
    while stream[place + 1] != 0xDA:
        place += 2 + int.from_bytes(stream[place + 2 : place + 4], "big")
    place += 2 + int.from_bytes(stream[place + 2 : place + 4], "big")
    yield place
    for at in range(place, len(stream) - 1):
        if stream[at] == 0xFF and 0xD0 <= stream[at + 1] <= 0xD7:
            yield at + 2
