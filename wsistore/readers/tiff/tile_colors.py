"""Tiles of TIFF slides to RGB, where tags and the tiles' own streams have to be heard together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress

import numpy as np
from imagecodecs import JPEG8, jpeg2k_decode, jpeg8_decode
from numpy.typing import NDArray
from tifffile import COMPRESSION, PHOTOMETRIC, TiffPage

from wsistore.errors import SlideError
from wsistore.readers.stream_headers import StreamColor, StreamHead, jpeg2000_head, jpeg_head
from wsistore.readers.tiff.kinds import JPEG_2000
from wsistore.readers.ycbcr import rgb_of_ycbcr

HEAD = 1 << 16
"""Bytes in which a stream's head is looked for."""

PROBES = 16
"""Tiles of a level whose heads are read when a slide is opened."""

Decoder = Callable[[bytes, int], NDArray[np.uint8]]
"""A tile's bytes and its index → (tile height, tile width, 3) uint8 RGB, or less at the border."""


def tile_decoder(page: TiffPage, color: StreamColor) -> Decoder:
    """Return what decodes the tiles of a page that the tiffslide reader takes.

    Where a tile cannot be decoded it raises whatever its codec does, and ValueError where the
    tile's stream is not of the color space given.

    Args:
        page: a level of the slide.
        color: as `page_color` found it.
    """
    if page.compression == COMPRESSION.JPEG:
        return lambda data, index: _jpeg_tile(page, color, data, index)
    if page.compression in JPEG_2000:
        return lambda data, index: _jpeg2000_tile(page, color, data, index)
    return lambda data, index: _plain_tile(page, data, index)


def page_color(page: TiffPage) -> tuple[StreamColor, str]:
    """Return the color space of a page's streams, as some of its tiles and its tags say it.

    Tiles of which the head is damaged are passed over here; decoding them raises.

    Args:
        page: a level of the slide, of an open file.

    Returns:
        The color space (RGB where samples have no stream of their own), and what the user should
        know: that the tags say another one. Empty where they agree.

    Raises:
        SlideError: tiles contradict each other, or the tags in a way of which nothing says who is
            right.
    """
    tag = tag_color(page)
    if page.compression != COMPRESSION.JPEG and page.compression not in JPEG_2000:
        return tag, ""
    try:
        colors = {stream_color(page, head): head for head in _probed_heads(page)}
    except ValueError as error:
        raise SlideError(str(error)) from error
    if len(colors) > 1:
        raise SlideError("some of its tiles hold RGB, others YCbCr")
    for color, head in colors.items():
        if color != tag:
            said = f"its photometric tag says {tag.value}, its tiles {color.value}"
            return color, f"{said} ({head.said_by})"
    return tag, ""


def require_separate_tiles(page: TiffPage) -> None:
    """Refuse tiles that are stretches of one JPEG stream and share rows of chroma (NDPI, 4:2:0).

    No decoder at hand proves what this reader makes of them.

    Raises:
        SlideError: they do.
    """
    if page.jpegheader and any(head.subsampled_down for head in _probed_heads(page)):
        raise SlideError(
            "its tiles are stretches of one JPEG stream with fewer rows of chroma (4:2:0), which "
            "is left to OpenSlide"
        )


def stream_head(page: TiffPage, data: bytes) -> StreamHead:
    """Return the head of a tile's stream, of JPEG or JPEG 2000.

    Raises:
        ValueError: it has none, or is no stream of that kind.
    """
    if page.compression == COMPRESSION.JPEG:
        return jpeg_head(page.jpegheader or data)
    return jpeg2000_head(data)


def tag_color(page: TiffPage) -> StreamColor:
    """Return the color space that a page's tags give its streams' samples."""
    if page.compression == COMPRESSION.JPEG:
        ycbcr = page.photometric == PHOTOMETRIC.YCBCR
    else:
        # the photometric tag of such files is often wrong (OpenSlide's notes on Aperio's format)
        ycbcr = page.compression == COMPRESSION.APERIO_JP2000_YCBC
    return StreamColor.YCBCR if ycbcr else StreamColor.RGB


def stream_color(page: TiffPage, head: StreamHead) -> StreamColor:
    """Return the color space of a tile's samples: what its stream says, else what the tags say.

    Raises:
        ValueError: there are not as many samples as the tags say, or nothing says who is right.
    """
    tag = tag_color(page)
    if head.samples != page.samplesperpixel:
        raise ValueError(f"its tiles have {head.samples} samples, not {page.samplesperpixel}")
    if head.samples != 3:
        return tag
    if page.compression in JPEG_2000 and head.color not in (None, tag):
        raise ValueError(
            "its compression says YCbCr, its tiles have a color transform of their own"
        )
    color = head.color or tag
    if head.subsampled and color == StreamColor.RGB:
        raise ValueError("its tiles are called RGB, and are subsampled as only YCbCr is")
    return color


def _jpeg_tile(page: TiffPage, color: StreamColor, data: bytes, index: int) -> NDArray[np.uint8]:
    if page.jpegheader:
        # NDPI: the tiles of a page are stretches of one stream
        data = b"".join((page.jpegheader, data, b"\xff\xd9"))
    _require_color(page, color, jpeg_head(data))
    tile: NDArray[np.uint8] = jpeg8_decode(
        data,
        tables=page.jpegtables,
        # said outright: the decoder would guess
        colorspace=JPEG8.CS.RGB if color == StreamColor.RGB else JPEG8.CS.YCbCr,
        outcolorspace=JPEG8.CS.RGB,
        shape=(page.tilelength, page.tilewidth),
    )
    _require_size(page, tile, index)
    return tile


def _jpeg2000_tile(
    page: TiffPage, color: StreamColor, data: bytes, index: int
) -> NDArray[np.uint8]:
    head = jpeg2000_head(data)
    _require_color(page, color, head)
    tile: NDArray[np.uint8] = jpeg2k_decode(data)
    _require_size(page, tile, index)
    # subsampled chroma is spread and made RGB by the codec itself
    return tile if color == StreamColor.RGB or head.subsampled else rgb_of_ycbcr(tile)


def _plain_tile(page: TiffPage, data: bytes, index: int) -> NDArray[np.uint8]:
    tile, _, _ = page.decode(data, index)
    if tile is None:
        raise ValueError("the tile is empty")
    pixels: NDArray[np.uint8] = tile[0]
    return pixels


def _require_color(page: TiffPage, color: StreamColor, head: StreamHead) -> None:
    """Refuse a tile of another color space than the page's.

    Raises:
        ValueError: it is.
    """
    found = stream_color(page, head)
    if found != color:
        raise ValueError(f"the tile holds {found.value}, others {color.value}")


def _require_size(page: TiffPage, tile: NDArray[np.uint8], index: int) -> None:
    """Refuse a stream that is neither a tile nor what of it lies on the image.

    Raises:
        ValueError: it is smaller or larger.
    """
    columns = -(-page.imagewidth // page.tilewidth)
    top, left = index // columns * page.tilelength, index % columns * page.tilewidth
    rows = (page.tilelength, min(page.tilelength, page.imagelength - top))
    across = (page.tilewidth, min(page.tilewidth, page.imagewidth - left))
    if tile.ndim != 3 or tile.shape[0] not in rows or tile.shape[1] not in across:
        raise ValueError(f"the tile's stream holds {tile.shape}, not {(rows[0], across[0], 3)}")


def _probed_heads(page: TiffPage) -> Iterator[StreamHead]:
    """Yield the heads of a few tiles, evenly over those that are there."""
    tiles = [
        (offset, count)
        for offset, count in zip(page.dataoffsets, page.databytecounts, strict=False)
        if offset and count
    ]
    file = page.parent.filehandle
    for offset, count in tiles[:: -(-len(tiles) // PROBES) or 1]:
        file.seek(offset)
        data = file.read(min(count, HEAD))
        with suppress(ValueError):
            yield stream_head(page, data)
