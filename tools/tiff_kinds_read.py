"""Kinds of TIFF that are read: who takes each, and what it is measured against."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tools.ndpi_file import ndpi
from tools.tiff_files import (
    ADOBE_RGB,
    APERIO,
    JFIF,
    VIDEO,
    Pixels,
    Writer,
    alpha,
    gray,
    image,
    jpeg,
    jpeg2000,
    jpeg_tables,
    one_tile,
    over_white,
    repeated,
    samples,
    streams,
    webp,
    ycbcr,
)

SOURCE, PILLOW, OPENSLIDE, LIBVIPS, STREAMS = (
    "source", "Pillow", "OpenSlide", "libvips", "Pillow on each tile",
)  # fmt: skip
PILLOW_WHOLE = "Pillow on the whole stream"


@dataclass(frozen=True)
class Kind:
    """A kind of TIFF that is read.

    Attributes:
        name: for people.
        write: writes one.
        reader: who must take it.
        against: the pixels it was written from, or decoders; the largest difference counts.
        bound: largest difference allowed, in gray levels.
        suffix: of the file's name, by which tifffile knows NDPI.
    """

    name: str
    write: Writer
    reader: str
    against: tuple[str, ...]
    bound: int = 0
    suffix: str = ".tif"


def read_kinds() -> list[Kind]:
    """Return all of them, by reader."""
    return [
        *_lossless(), *_jpeg(), *_ndpi(), *_jpeg2000(), *_openslide(), *_flat(), *_opacity(),
    ]  # fmt: skip


def _lossless() -> list[Kind]:
    both = (SOURCE, PILLOW)

    def kind(name: str, against: tuple[str, ...] = (*both, OPENSLIDE), **options: Any) -> Kind:
        return Kind(f"RGB, {name}", samples(image(), **options), "tiffslide", against)

    turned: dict[str, Any] = {"extratags": [(274, 3, 1, 3, True)]}
    return [
        kind("uncompressed"),
        kind("LZW", compression="lzw"),
        kind("LZW with predictor", compression="lzw", predictor=True),
        kind("deflate (8)", compression="adobe_deflate"),
        kind("deflate with predictor", compression="adobe_deflate", predictor=True),
        kind("deflate (32946)", compression="deflate"),
        kind("PackBits", compression="packbits"),
        kind("Zstandard", compression="zstd"),
        kind("Zstandard with predictor", compression="zstd", predictor=True),
        kind("LZMA", both, compression="lzma"),
        Kind(
            "RGB, WebP, lossless",
            streams(webp, compression="webp"),
            "tiffslide",
            (SOURCE, STREAMS, LIBVIPS),
        ),
        # OpenSlide takes no such file, Pillow warns of it
        kind("big-endian", (SOURCE, LIBVIPS), byteorder=">"),
        kind("BigTIFF", (SOURCE, PILLOW, OPENSLIDE), bigtiff=True),
        kind(
            "big-endian BigTIFF, LZW with predictor", (SOURCE, LIBVIPS, OPENSLIDE),
            byteorder=">", bigtiff=True, compression="lzw", predictor=True,
        ),
        kind("LZW, tiles of 48 × 80", tile=(80, 48), compression="lzw"),
        kind("one tile, larger than the image", tile=(256, 256)),
        kind("Orientation 3, as stored", (SOURCE, LIBVIPS), **turned),
    ]  # fmt: skip


def _jpeg() -> list[Kind]:
    all_three = (OPENSLIDE, PILLOW, LIBVIPS)

    def kind(
        name: str, write: Writer, against: tuple[str, ...] = all_three, bound: int = 1
    ) -> Kind:
        return Kind(f"JPEG, {name}", write, "tiffslide", against, bound)

    def tagged(photometric: int, shape: tuple[int, int] = (1, 1)) -> dict[str, Any]:
        # tifffile would call RGB YCbCr
        tags = {"PhotometricInterpretation": photometric}
        return {"compression": "jpeg", "subsampling": shape, "tags": tags}

    rgb, full = jpeg(rgb=True, tables=False), jpeg(tables=False)
    turned: dict[str, Any] = {"extratags": [(274, 3, 1, 3, True)]}
    return [
        kind("RGB without a transform", streams(jpeg(rgb=True), **tagged(2))),
        kind(
            "RGB, tables shared, as Aperio's",
            streams(rgb, **tagged(2), jpegtables=jpeg_tables(rgb=True)),
        ),
        kind("YCbCr 4:4:4", streams(jpeg(), **tagged(6))),
        kind(
            "YCbCr 4:4:4, tables shared",
            streams(full, **tagged(6), jpegtables=jpeg_tables(rgb=False)),
        ),
        kind("YCbCr 4:2:2", streams(jpeg(subsampling=1), **tagged(6, (2, 1)))),
        kind("YCbCr 4:2:0", streams(jpeg(subsampling=2), **tagged(6, (2, 2)))),
        kind(
            "YCbCr 4:4:4, ReferenceBlackWhite of video's range: not heard",
            streams(
                jpeg(), compression="jpeg", subsampling=(1, 1),
                tags={"PhotometricInterpretation": 6, "ReferenceBlackWhite": VIDEO},
            ),
        ),
        kind(
            "YCbCr 4:2:0 with JFIF markers",
            streams(jpeg(subsampling=2, marker=JFIF), **tagged(6, (2, 2))),
        ),
        kind(
            "called RGB, tiles YCbCr by their JFIF marker: with a note",
            streams(jpeg(marker=JFIF), **tagged(2)),
            (STREAMS,),
        ),
        kind(
            "called YCbCr, tiles RGB by their Adobe marker: with a note",
            streams(
                jpeg(rgb=True, marker=ADOBE_RGB),
                **tagged(6),
            ),
            (STREAMS,),
        ),
        kind(
            "YCbCr 4:2:0, Orientation 3, as stored",
            streams(jpeg(subsampling=2), **tagged(6, (2, 2)), **turned),
            (OPENSLIDE,),
        ),
    ]  # fmt: skip


def _ndpi() -> list[Kind]:
    def kind(name: str, subsampling: int, against: tuple[str, ...]) -> Kind:
        return Kind(f"Hamamatsu NDPI, {name}", ndpi(subsampling), "tiffslide", against, 1, ".ndpi")

    return [
        kind("YCbCr 4:4:4", 0, (PILLOW_WHOLE, OPENSLIDE)),
        # at the borders of tiles neither knows the neighbor's chroma
        kind("YCbCr 4:2:2", 1, (OPENSLIDE,)),
    ]


def _jpeg2000() -> list[Kind]:
    plain, turned = jpeg2000(transform=False), jpeg2000(transform=True)

    def kind(
        name: str, write: Writer, against: tuple[str, ...] = (SOURCE, OPENSLIDE), bound: int = 0
    ) -> Kind:
        return Kind(f"JPEG 2000 {name}", write, "tiffslide", against, bound)

    def tag(code: int) -> dict[str, Any]:
        return {"compression": code, "description": APERIO}

    return [
        kind("33003 (YCbCr)", streams(plain, ycbcr(), **tag(33003)), bound=3),
        kind("33003, chroma 4:2:2", one_tile("chroma-422.j2k", **tag(33003)), (OPENSLIDE,), 2),
        kind("33003, chroma 4:2:0", one_tile("chroma-420.j2k", **tag(33003)), (OPENSLIDE,), 2),
        kind("33005 (RGB)", streams(plain, **tag(33005))),
        kind("33005 with a color transform of its own", streams(turned, **tag(33005))),
        kind(
            "33005, called YCbCr",
            streams(plain, **tag(33005), tags={"PhotometricInterpretation": 6}),
        ),
        kind("34712 (RGB)", streams(plain, compression=34712), (SOURCE, STREAMS)),
        kind(
            "34712 with a color transform of its own",
            streams(turned, compression=34712),
            (SOURCE, STREAMS),
        ),
    ]  # fmt: skip


def _openslide() -> list[Kind]:
    apart: dict[str, Any] = {"planarconfig": "separate"}
    planes = np.moveaxis(image(), 2, 0)

    def kind(name: str, write: Writer, bound: int = 0) -> Kind:
        return Kind(name, write, "openslide", (SOURCE, PILLOW), bound)

    def plain_ycbcr(**options: Any) -> Writer:
        return samples(
            ycbcr(), image(), {"PhotometricInterpretation": 6},
            extratags=[(530, 3, 2, (1, 1), True)], **options,
        )  # fmt: skip

    return [
        kind("RGB, planes apart", samples(planes, image(), **apart)),
        kind("RGB, planes apart, LZW", samples(planes, image(), compression="lzw", **apart)),
        kind(
            "RGB, planes apart, deflate with predictor",
            samples(planes, image(), compression="adobe_deflate", predictor=True, **apart),
        ),
        kind("YCbCr 4:4:4, uncompressed", plain_ycbcr(), 3),
        kind("YCbCr 4:4:4, LZW", plain_ycbcr(compression="lzw"), 3),
        kind("YCbCr 4:4:4, deflate", plain_ycbcr(compression="adobe_deflate"), 3),
    ]


def _flat() -> list[Kind]:
    bits = gray() > 127
    colors = np.random.default_rng(1).integers(0, 256, (3, 256), dtype=np.uint16)
    shown: Pixels = colors.T[gray()].astype(np.uint8)
    strips: dict[str, Any] = {"tile": None, "rowsperstrip": 16}

    def kind(
        name: str, write: Writer, against: tuple[str, ...] = (SOURCE, PILLOW), bound: int = 0
    ) -> Kind:
        return Kind(name, write, "vips", against, bound)

    def monochrome(photometric: str, **options: Any) -> Writer:
        stored = gray() if photometric == "minisblack" else 255 - gray()
        return samples(stored, repeated(gray()), photometric=photometric, **options)

    return [
        kind("gray", monochrome("minisblack")),
        kind("gray, LZW", monochrome("minisblack", compression="lzw")),
        kind("gray, 0 is white", monochrome("miniswhite")),
        kind("gray, in strips", monochrome("minisblack", **strips)),
        kind(
            "gray, JPEG",
            streams(jpeg(), gray(), photometric="minisblack", compression="jpeg"),
            (PILLOW, OPENSLIDE),
            1,
        ),
        kind(
            "1 bit",
            samples(bits, repeated(bits.astype(np.uint8) * 255), photometric="minisblack"),
        ),
        kind(
            "1 bit, 0 is white",
            samples(~bits, repeated(bits.astype(np.uint8) * 255), photometric="miniswhite"),
        ),
        kind("palette", samples(gray(), shown, photometric="palette", colormap=colors * 257)),
        kind("RGB in strips", samples(image(), **strips)),
        kind("RGB in strips, LZW with predictor", samples(
            image(), compression="lzw", predictor=True, **strips
        )),
        kind("RGB in strips, deflate", samples(image(), compression="adobe_deflate", **strips)),
        kind("RGB in strips, PackBits", samples(image(), compression="packbits", **strips)),
    ]  # fmt: skip


def _opacity() -> list[Kind]:
    rgba, pale = np.dstack([image(), alpha()]), np.dstack([gray(), alpha()])

    def premultiplied(pixels: Pixels) -> Pixels:
        share = pixels[..., -1:] / 255
        product: Pixels = np.rint(pixels[..., :-1] * share).astype(np.uint8)
        return np.dstack([product, pixels[..., -1]])

    def kind(name: str, pixels: Pixels, shows: Pixels, extra: int, bound: int = 0) -> Kind:
        options: dict[str, Any] = {"extrasamples": [extra], "planarconfig": "contig"}
        if pixels.shape[2] == 2:
            options["photometric"] = "minisblack"
        return Kind(name, samples(pixels, shows, **options), "vips", (SOURCE,), bound)

    color, black = over_white(image(), alpha()), over_white(repeated(gray()), alpha())
    return [
        kind("RGB and opacity", rgba, color, 2, 1),
        kind("RGB times opacity (associated)", premultiplied(rgba), color, 1, 1),
        kind("RGB and a sample of unknown meaning: left out, with a note", rgba, image(), 0),
        kind("gray and opacity", pale, black, 2, 1),
        kind("gray times opacity (associated)", premultiplied(pale), black, 1, 1),
        kind(
            "gray and a sample of unknown meaning: left out, with a note",
            pale, repeated(gray()), 0,
        ),
    ]  # fmt: skip
