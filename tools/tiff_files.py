"""Small TIFF files of each kind, written from known pixels by encoders that wsistore does not use.

Samples are laid out here or by tifffile, streams are Pillow's. Two JPEG 2000 tiles with subsampled
chroma, which no encoder at hand writes, lie beside the tests; OpenJPEG 2.5 made them from `image`.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]
Writer = Callable[[Path], Pixels]
"""Writes a file; returns the RGB that it stands for."""

TESTS = Path(__file__).resolve().parents[1] / "tests" / "wsistore" / "readers"
HEIGHT, WIDTH, TILE = 144, 160, 64

APERIO = "Aperio Image Library v10.0.50\r\n160x144 (64x64) J2K/YUV16 Q=90|AppMag = 20|MPP = 0.5"

VIDEO = (15, 1, 235, 1, 128, 1, 240, 1, 128, 1, 240, 1)
"""ReferenceBlackWhite of YCbCr that has headroom, as video has."""

JFIF = b"\xff\xe0\x00\x10JFIF\0\1\1\0\0\1\0\1\0\0"
ADOBE_RGB = b"\xff\xee\x00\x0eAdobe\0\x64\0\0\0\0\0"


def image() -> Pixels:
    """Return (144, 160, 3) uint8: waves, pure colors, and noise."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    waves = [128 + 100 * np.sin(x / 17), 128 + 90 * np.sin(y / 13), 128 + 80 * np.cos((x + y) / 19)]
    pixels = np.stack(waves, axis=-1).round().astype(np.uint8)
    for place, color in enumerate(np.eye(3, dtype=np.uint8) * 255):
        pixels[20 * place : 20 * place + 20, :24] = color
    pixels[60:80, :24], pixels[80:100, :24] = 255, 0
    rng = np.random.default_rng(0)
    pixels[100:, 90:] = rng.integers(0, 256, (HEIGHT - 100, WIDTH - 90, 3))
    return pixels


def gray() -> Pixels:
    """Return (144, 160) uint8."""
    return image()[..., 0]


def ycbcr() -> Pixels:
    """Return the image in JPEG's YCbCr, (144, 160, 3) uint8."""
    return np.asarray(Image.fromarray(image()).convert("YCbCr"))


def alpha() -> Pixels:
    """Return opacity from 0 to 255, (144, 160) uint8."""
    ramp: Pixels = np.tile(np.linspace(0, 255, WIDTH).round().astype(np.uint8), (HEIGHT, 1))
    return ramp


def over_white(rgb: Pixels, opacity: Pixels) -> Pixels:
    """Lay pixels that are not premultiplied over white, rounded to the nearest."""
    share = opacity[..., np.newaxis] / 255
    mixed: Pixels = np.rint(rgb * share + 255 * (1 - share)).astype(np.uint8)
    return mixed


def repeated(pixels: Pixels) -> Pixels:
    """Return gray as RGB."""
    return np.repeat(pixels[..., np.newaxis], 3, axis=2)


def tiles_of(pixels: Pixels) -> Iterator[Pixels]:
    """Yield tiles, zeros beyond the border, in reading order."""
    for top in range(0, HEIGHT, TILE):
        for left in range(0, WIDTH, TILE):
            part = pixels[top : top + TILE, left : left + TILE]
            room = [(0, TILE - part.shape[0]), (0, TILE - part.shape[1]), (0, 0)]
            yield np.pad(part, room[: pixels.ndim])


def samples(
    pixels: NDArray[Any], shows: Pixels | None = None, tags: dict[str, Any] | None = None,
    **options: Any,
) -> Writer:  # fmt: skip
    """Return a writer of samples as they are, or losslessly compressed by tifffile.

    Args:
        pixels: the samples, in the file's layout.
        shows: the RGB they stand for; the samples themselves by default.
        tags: set after writing, by name: what tifffile would not write itself.
        options: of tifffile's `imwrite`.
    """

    def write(path: Path) -> Pixels:
        given = {"tile": (TILE, TILE), "photometric": "rgb", "metadata": None, **options}
        tifffile.imwrite(path, pixels, **given)
        _overwrite(path, tags or {})
        return pixels if shows is None else shows

    return write


def streams(
    encode: Callable[[Pixels], bytes], pixels: Pixels | None = None,
    tags: dict[str, Any] | None = None, **options: Any,
) -> Writer:  # fmt: skip
    """Return a writer of tiles, or with ``tile=None`` strips, that are streams of their own.

    Args:
        encode: a tile or strip, (64, 64 or 160, 3) or without the last axis, to bytes.
        pixels: what is encoded; the image by default.
        tags: set after writing.
        options: of tifffile's `imwrite`.
    """

    def write(path: Path) -> Pixels:
        given = {"tile": (TILE, TILE), "photometric": "rgb", "metadata": None, **options}
        encoded = image() if pixels is None else pixels
        parts = tiles_of(encoded)
        if given["tile"] is None:
            given["rowsperstrip"] = TILE
            parts = (encoded[top : top + TILE] for top in range(0, HEIGHT, TILE))
        tifffile.imwrite(
            path, (encode(part) for part in parts),
            shape=encoded.shape, dtype=np.uint8, **given,
        )  # fmt: skip
        _overwrite(path, tags or {})
        return image()

    return write


def one_tile(name: str, **options: Any) -> Writer:
    """Return a writer of a stream beside the tests, as a file of one tile."""

    def write(path: Path) -> Pixels:
        tifffile.imwrite(
            path, iter([(TESTS / name).read_bytes()]), shape=(TILE, TILE, 3), dtype=np.uint8,
            tile=(TILE, TILE), photometric="rgb", metadata=None, **options,
        )  # fmt: skip
        return image()[:TILE, :TILE]

    return write


def jpeg(
    *, rgb: bool = False, subsampling: int = 0, marker: bytes = b"", tables: bool = True
) -> Callable[[Pixels], bytes]:
    """Return an encoder to JPEG without Pillow's own markers of color.

    Args:
        rgb: samples stay RGB, else they become YCbCr.
        subsampling: of chroma, in Pillow's numbers: 0 none, 1 4:2:2, 2 4:2:0.
        marker: put in at the start.
        tables: the stream holds its tables; where not, `jpeg_tables` belong to it.
    """

    def encode(pixels: Pixels) -> bytes:
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(
            buffer, "JPEG", quality=97, subsampling=subsampling, keep_rgb=rgb
        )
        parts = list(_segments(buffer.getvalue()))
        kept = [part for kind, part in parts if tables or kind not in (0xDB, 0xC4)]
        return b"\xff\xd8" + marker + b"".join(kept)

    return encode


def jpeg_tables(*, rgb: bool) -> bytes:
    """Return the tables of `jpeg`'s streams as TIFF's JPEGTables."""
    stream = jpeg(rgb=rgb)(image()[:TILE, :TILE])
    tables = b"".join(part for kind, part in _segments(stream) if kind in (0xDB, 0xC4))
    return b"\xff\xd8" + tables + b"\xff\xd9"


def _segments(stream: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield (marker, bytes) of a JPEG stream but SOI and APPn; the scan and all after it is one."""
    place = 2
    while stream[place + 1] != 0xDA:
        length = 2 + int.from_bytes(stream[place + 2 : place + 4], "big")
        if not 0xE0 <= stream[place + 1] <= 0xEF:
            yield stream[place + 1], stream[place : place + length]
        place += length
    yield 0xDA, stream[place:]


def jpeg2000(transform: bool) -> Callable[[Pixels], bytes]:
    """Return a lossless encoder to a JPEG 2000 codestream, with its own color transform or not."""
    return lambda pixels: _pillow(pixels, "JPEG2000", no_jp2=True, mct=int(transform))


def webp(pixels: Pixels) -> bytes:
    """Encode losslessly."""
    return _pillow(pixels, "WEBP", lossless=True, exact=True)


def _pillow(pixels: Pixels, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


def reversed_bits(path: Path) -> Pixels:
    """Write a file that says that the bits of its bytes are in reverse order (FillOrder 2)."""
    samples(image(), extratags=[(274, 3, 1, 2, True)])(path)
    with tifffile.TiffFile(path) as file:
        entry = file.pages.first.aspage().tags["Orientation"].offset
    data = bytearray(path.read_bytes())
    data[entry : entry + 2] = (266).to_bytes(2, "little")
    path.write_bytes(data)
    return image()


def _overwrite(path: Path, tags: dict[str, Any]) -> None:
    if tags:
        with tifffile.TiffFile(path, mode="r+") as file:
            for name, value in tags.items():
                file.pages.first.aspage().tags[name].overwrite(value)
