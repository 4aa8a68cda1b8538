"""What a file declares of its size, read before any decoder builds tables of it.

A walk through a TIFF's directories reads the entries of each and no tile table, so a second is
enough for any file; what makes no sense here is left to the readers, who say so by name.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from wsistore.errors import SlideError
from wsistore.files import limits

_WIDTH, _LENGTH, _TILE_WIDTH, _TILE_LENGTH, _ROWS = 256, 257, 322, 323, 278
_SAMPLES, _PLANES, _SUBIFDS, _NDPI = 277, 284, 330, 65420
_TABLES = (273, 279, 324, 325)
_FORMATS = {3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}
_MOST_TAGS = 4096

Tags = dict[int, tuple[int, ...]]


@dataclass(frozen=True)
class _Layout:
    order: str
    count: str
    entry: str
    offset: str
    inline: int


def require_within_limits(path: Path) -> None:
    """Refuse a TIFF that declares more images, tiles, or larger ones, than the limits let pass.

    Any other file passes.

    Raises:
        SlideError: it does; the message names the limit and how to raise it.
        OSError: the file cannot be read.
        UsageError: an environment variable that sets a limit holds no number.
    """
    if not path.is_file():
        return
    with path.open("rb") as file:
        tiles = 0
        for number, tags in enumerate(_directories(file, path.suffix.lower() == ".ndpi"), start=1):
            _require("it declares", limits.IMAGES, number)
            width, length = _first(tags, _WIDTH), _first(tags, _LENGTH)
            _require("it declares an image of", limits.SIDE, max(width, length))
            columns, rows = _first(tags, _TILE_WIDTH), _first(tags, _TILE_LENGTH)
            if columns and rows:
                _require("it declares", limits.TILE_PIXELS, columns * rows)
                tiles += -(-width // columns) * -(-length // rows) * _planes(tags)
            elif height := min(_first(tags, _ROWS), length):
                tiles += -(-length // height) * _planes(tags)
            _require("it declares", limits.TILES, tiles)


def require_sizes(sizes: tuple[tuple[int, int], ...], frame: tuple[int, int] | None) -> None:
    """Refuse levels, (width, height) each, that are larger than the limits let pass.

    Args:
        sizes: of the levels.
        frame: (width, height) of a frame of level 0, where the format has frames.

    Raises:
        SlideError: one is; the message names the limit and how to raise it.
    """
    _require("it declares an image of", limits.SIDE, max(map(max, sizes)))
    if frame is not None and min(frame) > 0:
        _require("it declares", limits.TILE_PIXELS, frame[0] * frame[1])
        width, height = sizes[0]
        _require("it declares", limits.TILES, -(-width // frame[0]) * -(-height // frame[1]))


def _require(said: str, limit: limits.Limit, declared: int) -> None:
    if fault := limit.fault(declared):
        raise SlideError(f"{said} {fault}")


def _first(tags: Tags, code: int) -> int:
    return tags[code][0] if tags.get(code) else 0


def _planes(tags: Tags) -> int:
    return max(_first(tags, _SAMPLES), 1) if _first(tags, _PLANES) == 2 else 1


def _directories(file: BinaryIO, ndpi: bool) -> Iterator[Tags]:
    """Yield the small tags of each directory, SubIFDs too; stop where the file makes no sense."""
    head = file.read(16)
    order = {b"II": "<", b"MM": ">"}.get(head[:2], "")
    version = struct.unpack(f"{order}H", head[2:4])[0] if order and len(head) == 16 else 0
    if version == 43:
        layout = _Layout(order, "Q", "HHQ8s", "Q", 8)
        (first,) = struct.unpack(f"{order}Q", head[8:16])
    elif version == 42:
        layout = _Layout(order, "H", "HHI4s", "I", 4)
        (first,) = struct.unpack(f"{order}{'Q' if ndpi else 'I'}", head[4 : 12 if ndpi else 8])
    else:
        return
    waiting, seen = deque([first]), {0}
    while waiting:
        at = waiting.popleft()
        # a list may lead back to an image of its own
        if at in seen:
            continue
        seen.add(at)
        try:
            tags, after = _directory(file, at, layout, ndpi)
        except (struct.error, OverflowError, OSError, ValueError):
            continue
        if _NDPI in tags and version == 42 and not ndpi:
            # its offsets have 8 bytes, whatever the file is called
            ndpi = True
            tags, after = _directory(file, at, layout, ndpi)
        waiting.extend([*tags.get(_SUBIFDS, ()), after])
        yield tags


def _directory(file: BinaryIO, at: int, layout: _Layout, ndpi: bool) -> tuple[Tags, int]:
    """Return a directory's tags that hold whole numbers, and where the next directory is."""
    order = layout.order
    file.seek(at)
    (count,) = struct.unpack(order + layout.count, file.read(struct.calcsize(order + layout.count)))
    if count > _MOST_TAGS:
        raise ValueError("more tags than any reader takes")
    size = struct.calcsize(order + layout.entry)
    entries = file.read(count * size)
    form = "Q" if ndpi else layout.offset
    data = file.read(struct.calcsize(form))
    after = struct.unpack(order + form, data)[0] if len(data) == struct.calcsize(form) else 0
    tags: Tags = {}
    for code, kind, number, value in struct.iter_unpack(order + layout.entry, entries):
        if code in _TABLES:
            _require("it declares a table of", limits.TILES, number)
        elif kind in _FORMATS and code not in tags:
            tags[code] = _values(file, _FORMATS[kind], number, value, layout, code == _SUBIFDS)
    return tags, after


def _values(
    file: BinaryIO, form: str, number: int, value: bytes, layout: _Layout, far: bool
) -> tuple[int, ...]:
    """Return a tag's numbers: those within its entry, elsewhere only where they are wanted."""
    each = struct.calcsize(f"{layout.order}{form}")
    if number * each > layout.inline:
        if not far:
            return ()
        _require("it declares", limits.IMAGES, number)
        (place,) = struct.unpack(layout.order + layout.offset, value)
        file.seek(place)
        value = file.read(number * each)
        number = len(value) // each
    return struct.unpack(f"{layout.order}{number}{form}", value[: number * each])
