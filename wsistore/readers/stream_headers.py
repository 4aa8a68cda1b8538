"""What the head of a JPEG or JPEG 2000 stream says of its samples, without decoding it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class StreamColor(Enum):
    """Color space of a stream's three samples."""

    RGB = "RGB"
    YCBCR = "YCbCr"


@dataclass(frozen=True)
class StreamHead:
    """The head of one tile's stream.

    Attributes:
        samples: number of components.
        subsampled: some component has fewer pixels than another.
        subsampled_down: of JPEG: some component has fewer rows than another (4:2:0).
        color: what the stream says its samples are, or None where it says nothing. Of JPEG 2000:
            RGB where its own color transform (MCT) is on, for that gives RGB back.
        said_by: the marker that says it, for messages.
    """

    samples: int
    subsampled: bool
    color: StreamColor | None
    said_by: str = ""
    subsampled_down: bool = False


_SOS, _EOI, _APP0, _APP14 = 0xDA, 0xD9, 0xE0, 0xEE
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""JPEG's start-of-frame markers; the three others are tables."""

_COD = 0x52


def jpeg_head(stream: bytes) -> StreamHead:
    """Read a JPEG stream up to its scan: markers may come after the frame header too.

    The rules are libjpeg's: a JFIF marker means YCbCr; else Adobe's marker says which; else
    components named R, G and B are that; else nothing is said.

    Args:
        stream: from SOI on, or its first kilobytes.

    Raises:
        ValueError: it is no JPEG stream, or has no frame.
    """
    color, said_by, frame, place = None, "", b"", 2
    if stream[:2] != b"\xff\xd8":
        raise ValueError("it is no JPEG stream")
    while place + 4 <= len(stream):
        if stream[place] != 0xFF:
            raise ValueError(f"a JPEG marker is missing at byte {place}")
        marker = stream[place + 1]
        if marker == 0xFF:  # a fill byte
            place += 1
            continue
        length = int.from_bytes(stream[place + 2 : place + 4], "big")
        part = stream[place + 4 : place + 2 + length]
        if marker in (_SOS, _EOI):
            break
        if marker in _FRAMES:
            frame = part
        if marker == _APP0 and part[:5] == b"JFIF\0":
            color, said_by = StreamColor.YCBCR, "JFIF marker"
        elif marker == _APP14 and part[:5] == b"Adobe" and len(part) > 11 and color is None:
            color = StreamColor.YCBCR if part[11] else StreamColor.RGB
            said_by = "Adobe marker"
        place += 2 + length
    if not frame:
        raise ValueError("a JPEG stream has no frame header")
    return _frame(frame, color, said_by)


def _frame(part: bytes, color: StreamColor | None, said_by: str) -> StreamHead:
    samples = part[5] if len(part) > 5 else 0
    if not samples or len(part) < 6 + 3 * samples:
        raise ValueError("a JPEG stream's frame header is cut short")
    names, factors = part[6 : 6 + 3 * samples : 3], part[7 : 6 + 3 * samples : 3]
    if samples != 3:
        color, said_by = None, ""
    elif color is None and names == b"RGB":
        color, said_by = StreamColor.RGB, "names of its components"
    down = {factor & 15 for factor in factors}
    return StreamHead(samples, len(set(factors)) > 1, color, said_by, len(down) > 1)


def jpeg2000_head(stream: bytes) -> StreamHead:
    """Read the main header of a JPEG 2000 codestream.

    Args:
        stream: from SOC on, or its first kilobytes.

    Raises:
        ValueError: it is no bare codestream, its samples are not unsigned 8-bit, or it has no COD.
    """
    if stream[:4] != b"\xff\x4f\xff\x51":
        raise ValueError("it is no bare JPEG 2000 codestream")
    samples = int.from_bytes(stream[40:42], "big")
    components = stream[42 : 42 + 3 * samples]
    if not samples or len(components) < 3 * samples:
        raise ValueError("a JPEG 2000 header is cut short")
    if any(depth != 7 for depth in components[::3]):
        raise ValueError("a JPEG 2000 stream's samples are not unsigned 8-bit")
    subsampled = any(step != 1 for step in components[1::3] + components[2::3])
    place = 2
    while place + 9 <= len(stream) and stream[place] == 0xFF:
        length = int.from_bytes(stream[place + 2 : place + 4], "big")
        if stream[place + 1] == _COD:
            color = StreamColor.RGB if stream[place + 8] else None
            return StreamHead(samples, subsampled, color, "its own color transform")
        place += 2 + length
    raise ValueError("a JPEG 2000 header does not say how it is coded")
