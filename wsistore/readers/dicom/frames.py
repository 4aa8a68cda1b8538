"""What colors the frames of DICOM files hold: by their tag, and by their own stream.

Read from the bytes, so that it is known without the extra `[dicom]`.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from wsistore.readers.stream_headers import StreamColor, jpeg2000_head, jpeg_head

_PHOTOMETRIC = b"\x28\x00\x04\x00CS"
_COLUMNS = b"\x48\x00\x06\x00UL\x04\x00"
_ROWS = b"\x48\x00\x07\x00UL\x04\x00"
# frames that are compressed lie in items, after a table of their places
_ENCAPSULATED = b"\xe0\x7f\x10\x00OB\x00\x00\xff\xff\xff\xff\xfe\xff\x00\xe0"
_HEAD = 1 << 16
"""Bytes of a frame in which its markers are looked for."""


@dataclass(frozen=True)
class FrameColors:
    """The colors of one DICOM file's frames.

    Attributes:
        size: (width, height) of the whole image, in pixels.
        photometric: the tag PhotometricInterpretation.
        coding: ``"JPEG"``, ``"JPEG 2000"``, or empty for any other compression.
        stream: what the stream itself says, see `wsistore.readers.stream_headers.StreamHead`.
    """

    size: tuple[int, int]
    photometric: str
    coding: str
    stream: StreamColor | None

    @property
    def contradiction(self) -> str:
        """How tag and stream contradict each other, in a sentence; empty where they do not."""
        # the tags of JPEG 2000's own transform
        own = self.coding == "JPEG 2000" and self.photometric in ("YBR_ICT", "YBR_RCT")
        tag = StreamColor.RGB if self.photometric == "RGB" or own else StreamColor.YCBCR
        if self.stream is None or self.stream == tag:
            return ""
        return (
            f"its photometric tag says {self.photometric}, its {self.coding} frames say "
            f"{self.stream.value} themselves"
        )

    @property
    def unknown(self) -> str:
        """Why nobody can say what colors the frames hold; empty where it is known."""
        full = self.photometric in ("YBR_FULL", "YBR_FULL_422") and self.coding
        if self.stream or self.coding == "JPEG" or not self.photometric.startswith("YBR") or full:
            return ""
        return f"its photometric tag says {self.photometric}, of which its frames show nothing"

    @property
    def left_ycbcr(self) -> bool:
        """Whether decoders leave YCbCr: tagged as RGB, or in JPEG 2000 without a transform."""
        if self.coding == "JPEG 2000":
            return self.stream is None and self.photometric in ("YBR_FULL", "YBR_FULL_422")
        return self.stream == StreamColor.YCBCR and self.photometric == "RGB"


def frame_colors(files: Iterable[Path]) -> Iterator[FrameColors]:
    """Yield the colors of each file whose frames are compressed.

    Raises:
        OSError: a file cannot be read.
    """
    for path in files:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            found = _colors(data)
        if found is not None:
            yield found


def _colors(data: mmap.mmap) -> FrameColors | None:
    table = data.find(_ENCAPSULATED)
    tag = data.find(_PHOTOMETRIC, 0, table)
    columns, rows = data.find(_COLUMNS, 0, table), data.find(_ROWS, 0, table)
    if min(table, tag, columns, rows) < 0:
        return None
    start = tag + len(_PHOTOMETRIC)
    (length,) = struct.unpack_from("<H", data, start)
    photometric = data[start + 2 : start + 2 + length].decode("ascii", "replace").strip(" \0")
    size = tuple(struct.unpack_from("<I", data, at + len(_ROWS))[0] for at in (columns, rows))
    at = table + len(_ENCAPSULATED)
    (length,) = struct.unpack_from("<I", data, at)
    # the table's items, then the head of the first frame's item
    frame = at + 4 + length + 8
    head = data[frame : frame + _HEAD]
    stream, coding = None, ""
    with suppress(ValueError):
        stream, coding = jpeg2000_head(head).color, "JPEG 2000"
    if not coding:
        # of JPEG-LS, which begins alike, no frame header is found
        with suppress(ValueError):
            stream, coding = jpeg_head(head).color, "JPEG"
    return FrameColors((size[0], size[1]), photometric, coding, stream)
