"""Kinds of TIFF that are refused, each by name."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from tools.tiff_files import (
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
    one_tile,
    reversed_bits,
    samples,
    streams,
    ycbcr,
)


@dataclass(frozen=True)
class Refused:
    """A kind of TIFF that no reader takes.

    Attributes:
        name: for people.
        write: writes one.
        says: what the error must hold.
    """

    name: str
    write: Writer
    says: str


def refused_kinds() -> list[Refused]:
    """Return all of them."""
    return [*_depths(), *_spaces(), *_codecs(), *_contradictions()]


def _depths() -> list[Refused]:
    rgb, pale = image(), gray()
    return [
        Refused("RGB of 16 bits", samples(rgb.astype(np.uint16) * 257), "3 × uint16 RGB"),
        Refused("RGB of signed 8 bits", samples(rgb.view(np.int8)), "3 × int8 RGB"),
        Refused("RGB of 32-bit floats", samples(rgb.astype(np.float32)), "3 × float32 RGB"),
        Refused(
            "gray of 16 bits",
            samples(pale.astype(np.uint16) * 257, photometric="minisblack"),
            "1 × uint16 MINISBLACK",
        ),
    ]


def _spaces() -> list[Refused]:
    rgb, ycc = image(), ycbcr()
    tag = "PhotometricInterpretation"

    def plain_ycbcr(*tags: tuple[int, int, int, Any, bool], **options: Any) -> Writer:
        return samples(ycc, None, {tag: 6}, extratags=list(tags), **options)

    full = (530, 3, 2, (1, 1), True)
    return [
        Refused(
            "CMYK",
            samples(np.dstack([rgb, alpha()]), photometric="separated"),
            "4 × uint8 SEPARATED",
        ),
        Refused("CIELab", samples(rgb, photometric="cielab"), "3 × uint8 CIELAB"),
        Refused(
            "three gray channels",
            samples(rgb, photometric="minisblack", planarconfig="contig"),
            "3 × uint8 MINISBLACK",
        ),
        Refused(
            "RGB and two more samples",
            samples(np.dstack([rgb, alpha(), alpha()]), extrasamples=[0, 0]),
            "5 × uint8 RGB",
        ),
        Refused(
            "YCbCr without JPEG, chroma subsampled", plain_ycbcr(), "its chroma is subsampled"
        ),
        Refused(
            "YCbCr without JPEG, of video's range",
            plain_ycbcr(full, (532, 5, 6, VIDEO, True)),
            "it has the tag ReferenceBlackWhite",
        ),
        Refused(
            "YCbCr without JPEG, in strips",
            plain_ycbcr(full, tile=None),
            "vips: its pixels are 3 × uint8 YCBCR (NONE)",
        ),
        Refused(
            "YCbCr without JPEG, planes apart",
            samples(
                np.moveaxis(ycc, 2, 0), None, {tag: 6}, planarconfig="separate", extratags=[full]
            ),
            "3 × uint8 YCBCR (NONE, planes apart)",
        ),
    ]  # fmt: skip


def _codecs() -> list[Refused]:
    def coded(name: str, **options: Any) -> Writer:
        return samples(image(), compression=name, **options)

    return [
        Refused("LERC", coded("lerc"), "(LERC)"),
        Refused("JPEG XL", coded("jpegxl"), "(JPEGXL)"),
        Refused("JPEG XR", coded("jpegxr"), "(JPEGXR)"),
        Refused("PNG in TIFF", coded("png"), "(PNG)"),
        Refused(
            "JPEG of TIFF 6.0 (6)",
            streams(jpeg(), photometric="ycbcr", compression="jpeg", tags={"Compression": 6}),
            "(OJPEG)",
        ),
        Refused("fax (CCITT group 4)", _fax, "1 × 1-bit MINISBLACK (CCITTFAX4)"),
        Refused(
            "bits in reverse order",
            reversed_bits,
            "FillOrder 2",
        ),
    ]


def _contradictions() -> list[Refused]:
    called_rgb: dict[str, Any] = {"compression": "jpeg", "tags": {"PhotometricInterpretation": 2}}
    kinds = iter([jpeg(marker=JFIF), *[jpeg(rgb=True)] * 8])
    return [
        Refused(
            "JPEG called RGB, subsampled as only YCbCr is",
            streams(jpeg(subsampling=2), **called_rgb),
            "subsampled as only YCbCr is",
        ),
        Refused(
            "JPEG of which some tiles say YCbCr, some nothing, called RGB",
            streams(lambda tile: next(kinds)(tile), **called_rgb),
            "some of its tiles hold RGB, others YCbCr",
        ),
        Refused(
            "JPEG of four samples called RGB",
            streams(_cmyk_jpeg, **called_rgb),
            "its tiles have 4 samples, not 3",
        ),
        Refused(
            "JPEG 2000 33003 with a color transform of its own",
            streams(jpeg2000(transform=True), compression=33003, description=APERIO),
            "have a color transform of their own",
        ),
        Refused(
            "JPEG 2000 33005, chroma subsampled",
            one_tile("chroma-422.j2k", compression=33005, description=APERIO),
            "subsampled as only YCbCr is",
        ),
        Refused(
            "JPEG 2000 34712 called YCbCr",
            streams(
                jpeg2000(transform=False), ycbcr(), {"PhotometricInterpretation": 6},
                compression=34712,
            ),
            "3 × uint8 YCBCR (JPEG2000)",
        ),
        Refused(
            "planes apart, Orientation 3",
            samples(
                np.moveaxis(image(), 2, 0), planarconfig="separate",
                extratags=[(274, 3, 1, 3, True)],
            ),
            "its orientation tag is 3",
        ),
    ]  # fmt: skip


def _fax(path: Any) -> Pixels:
    Image.fromarray(gray() > 127).save(path, compression="group4")
    return image()


def _cmyk_jpeg(pixels: Pixels) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).convert("CMYK").save(buffer, "JPEG")
    return buffer.getvalue()
