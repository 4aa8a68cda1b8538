"""Heads of JPEG and JPEG 2000 streams, of Pillow's encoders and by hand."""

import io
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from wsistore.readers.stream_headers import StreamColor, jpeg2000_head, jpeg_head

PIXELS = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)


def encoded(kind: str, mode: str = "RGB", **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(PIXELS).convert(mode).save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("options", "color", "said_by", "subsampled"),
    [
        ({"subsampling": 0}, StreamColor.YCBCR, "JFIF marker", False),
        ({"subsampling": 1}, StreamColor.YCBCR, "JFIF marker", True),
        ({"subsampling": 2, "progressive": True}, StreamColor.YCBCR, "JFIF marker", True),
        ({"keep_rgb": True}, StreamColor.RGB, "Adobe marker", False),
    ],
)
def test_pillows_jpeg(
    options: dict[str, Any], color: StreamColor, said_by: str, subsampled: bool
) -> None:
    head = jpeg_head(encoded("JPEG", **options))
    assert (head.samples, head.color, head.said_by) == (3, color, said_by)
    assert head.subsampled == subsampled


def test_gray_says_nothing_of_color() -> None:
    head = jpeg_head(encoded("JPEG", mode="L"))
    assert (head.samples, head.color) == (1, None)


def by_hand(*markers: bytes, names: bytes = b"\1\2\3") -> bytes:
    frame = b"\x08\x00\x20\x00\x20\x03" + b"".join(bytes([name, 0x11, 0]) for name in names)
    parts = [*markers, b"\xff\xc0" + (len(frame) + 2).to_bytes(2, "big") + frame]
    return b"\xff\xd8" + b"".join(parts)


JFIF = b"\xff\xe0\x00\x10JFIF\0\1\1\0\0\1\0\1\0\0"


def adobe(transform: int) -> bytes:
    return b"\xff\xee\x00\x0eAdobe\0\x64\0\0\0\0" + bytes([transform])


def test_a_marker_after_the_frame_header_counts_too() -> None:
    """Aperio's tiles, cut out of their file, have Adobe's there; libjpeg reads up to the scan."""
    stream = by_hand() + adobe(0) + b"\xff\xda\x00\x02"
    assert (jpeg_head(stream).color, jpeg_head(stream).said_by) == (StreamColor.RGB, "Adobe marker")


def test_what_counts_is_libjpegs_order() -> None:
    assert jpeg_head(by_hand()).color is None
    assert jpeg_head(by_hand(names=b"\0\1\2")).color is None
    assert jpeg_head(by_hand(names=b"RGB")).color == StreamColor.RGB
    assert jpeg_head(by_hand(adobe(1), names=b"RGB")).color == StreamColor.YCBCR
    assert jpeg_head(by_hand(adobe(0))).color == StreamColor.RGB
    assert jpeg_head(by_hand(adobe(0), JFIF)).color == StreamColor.YCBCR
    assert jpeg_head(by_hand(JFIF, adobe(0))).color == StreamColor.YCBCR
    # fill bytes may stand before a marker
    assert jpeg_head(by_hand(b"\xff" + adobe(0))).color == StreamColor.RGB


@pytest.mark.parametrize("mct", [0, 1])
def test_pillows_jpeg_2000(mct: int) -> None:
    head = jpeg2000_head(encoded("JPEG2000", no_jp2=True, mct=mct))
    assert (head.samples, head.subsampled) == (3, False)
    assert head.color == (StreamColor.RGB if mct else None)


@pytest.mark.parametrize("length", [0, 1, 3, 10, 20])
def test_a_cut_head_is_an_error(length: int) -> None:
    with pytest.raises(ValueError, match="JPEG"):
        jpeg_head(by_hand(JFIF)[:length])
    with pytest.raises(ValueError, match="JPEG"):
        jpeg2000_head(encoded("JPEG2000", no_jp2=True)[:length])


def test_a_boxed_jpeg_2000_file_is_no_codestream() -> None:
    with pytest.raises(ValueError, match="no bare JPEG 2000 codestream"):
        jpeg2000_head(encoded("JPEG2000"))


@given(st.binary(max_size=200))
def test_any_bytes_have_a_head_or_are_an_error(data: bytes) -> None:
    for head, start in ((jpeg_head, b"\xff\xd8"), (jpeg2000_head, b"\xff\x4f\xff\x51")):
        for stream in (data, start + data):
            with suppress(ValueError):
                assert head(stream).samples > 0
