"""Kinds of TIFF pages, and which reader is proved to turn their samples into RGB.

What is not in `DECODED` is refused, never tried: decoders return something for almost any page, and
nothing tells whether that is its colors. `tools.tiff_matrix` writes each kind and measures it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from tifffile import COMPRESSION, EXTRASAMPLE, PHOTOMETRIC, PREDICTOR, TiffPage

from wsistore.errors import SlideError

PIXEL_LOSSLESS = frozenset(
    {
        COMPRESSION.NONE,
        COMPRESSION.LZW,
        COMPRESSION.DEFLATE,
        COMPRESSION.ADOBE_DEFLATE,
        COMPRESSION.PACKBITS,
    }
)
"""Compressions of samples as they are that every decoder knows."""

JPEG_2000 = frozenset(
    {COMPRESSION.APERIO_JP2000_YCBC, COMPRESSION.APERIO_JP2000_RGB, COMPRESSION.JPEG2000}
)

_COLORS: dict[int, int] = {
    PHOTOMETRIC.MINISWHITE: 1,
    PHOTOMETRIC.MINISBLACK: 1,
    PHOTOMETRIC.RGB: 3,
    PHOTOMETRIC.PALETTE: 1,
    PHOTOMETRIC.YCBCR: 3,
}
"""Samples that are color, for each photometric tag in use."""


@dataclass(frozen=True)
class Rule:
    """Pages that a reader turns into RGB, by their tags.

    Attributes:
        compressions, photometrics: tag values, any with any.
        extra: values of ExtraSamples that one more sample may have; () for none.
        planar: values of PlanarConfiguration.
        bits: bits per sample, unsigned.
    """

    compressions: frozenset[int]
    photometrics: frozenset[int]
    extra: frozenset[int] = frozenset()
    planar: frozenset[int] = frozenset({1})
    bits: frozenset[int] = frozenset({8})

    def takes(self, page: TiffPage) -> bool:
        """Return whether a page is one of these."""
        extra = extra_samples(page)
        return (
            page.compression in self.compressions
            and page.photometric in self.photometrics
            and page.samplesperpixel >= _COLORS.get(page.photometric, 1)
            and (not extra or (len(extra) == 1 and extra[0] in self.extra))
            and (page.samplesperpixel == 1 or page.planarconfig in self.planar)
            and page.bitspersample in self.bits
            and page.dtype in (np.dtype(np.uint8), np.dtype(np.bool_))
        )


_RGB = frozenset({PHOTOMETRIC.RGB})
_YCBCR = frozenset({PHOTOMETRIC.YCBCR})
_GRAY = frozenset({PHOTOMETRIC.MINISBLACK, PHOTOMETRIC.MINISWHITE})
_JPEG = frozenset({COMPRESSION.JPEG})
_ANY_EXTRA = frozenset(EXTRASAMPLE)

DECODED: dict[str, tuple[Rule, ...]] = {
    "tiffslide": (
        Rule(PIXEL_LOSSLESS | {COMPRESSION.ZSTD, COMPRESSION.LZMA, COMPRESSION.WEBP}, _RGB),
        Rule(_JPEG, _RGB | _YCBCR),
        # what an Aperio page holds is said by its compression, whatever its photometric tag
        Rule(JPEG_2000 - {COMPRESSION.JPEG2000}, _RGB | _YCBCR),
        Rule(frozenset({COMPRESSION.JPEG2000}), _RGB),
    ),
    "openslide": (
        Rule(PIXEL_LOSSLESS | {COMPRESSION.ZSTD}, _RGB, planar=frozenset({1, 2})),
        Rule(PIXEL_LOSSLESS, _YCBCR),
        Rule(_JPEG, _RGB | _YCBCR),
        Rule(JPEG_2000 - {COMPRESSION.JPEG2000}, _RGB | _YCBCR),
    ),
    "vips": (
        Rule(PIXEL_LOSSLESS, _RGB, extra=_ANY_EXTRA),
        Rule(PIXEL_LOSSLESS, frozenset({PHOTOMETRIC.MINISBLACK}), extra=_ANY_EXTRA),
        Rule(PIXEL_LOSSLESS, _GRAY, bits=frozenset({1, 8})),
        Rule(PIXEL_LOSSLESS, frozenset({PHOTOMETRIC.PALETTE})),
        Rule(_JPEG, _RGB | _YCBCR | {PHOTOMETRIC.MINISBLACK}),
        Rule(frozenset({COMPRESSION.WEBP}), _RGB),
    ),
}
"""By reader, what it is proved to decode; all else it refuses."""


def require_kind(page: TiffPage, reader: str, advice: str = "") -> None:
    """Refuse a page whose samples a reader is not proved to turn into RGB.

    Args:
        page: of the slide, any level.
        reader: a key of `DECODED`.
        advice: what the user may do, the end of the sentence.

    Raises:
        SlideError: it names what the page holds.
    """
    if not any(rule.takes(page) for rule in DECODED[reader]):
        raise SlideError(
            f"its pixels are {describe(page)}, which it is not proved to turn into RGB{advice}"
        )
    if page.fillorder != 1:
        raise SlideError("the bits of its bytes are in reverse order (FillOrder 2)")
    if page.predictor not in (PREDICTOR.NONE, PREDICTOR.HORIZONTAL):
        raise SlideError(f"its predictor is {page.predictor}, not 1 or 2")
    if page.photometric == PHOTOMETRIC.YCBCR and page.compression in PIXEL_LOSSLESS:
        _require_plain_ycbcr(page)


def extra_samples(page: TiffPage) -> tuple[int, ...]:
    """Return what each sample beyond the colors is; 0, unspecified, where the file does not say."""
    said = tuple(int(kind) for kind in page.extrasamples)
    beyond = int(page.samplesperpixel) - _COLORS.get(page.photometric, page.samplesperpixel)
    return said + (0,) * (beyond - len(said))


def orientation_of(page: TiffPage) -> int:
    """Return a page's Orientation, 1 where it has none."""
    return int(page.tags.valueof("Orientation", 1))


def describe(page: TiffPage) -> str:
    """Return a page's kind in words: ``"4 × uint8 RGB (LZW, extra sample unspecified)"``."""
    parts = [_name(COMPRESSION, page.compression)]
    if extra := extra_samples(page):
        parts.append("extra " + ", ".join(_extra_names(extra)))
    if page.planarconfig != 1 and page.samplesperpixel > 1:
        parts.append("planes apart")
    photometric = _name(PHOTOMETRIC, page.photometric)
    depth = page.dtype if page.bitspersample in (8, 16, 32, 64) else f"{page.bitspersample}-bit"
    return f"{page.samplesperpixel} × {depth} {photometric} ({', '.join(parts)})"


def _extra_names(kinds: tuple[int, ...]) -> Iterator[str]:
    """Yield what samples are, equal ones in a row once: a file may say that it has 65,535."""
    for kind, equal in groupby(kinds):
        count = len(list(equal))
        yield (f"{count} × " if count > 1 else "") + _name(EXTRASAMPLE, kind)


def _require_plain_ycbcr(page: TiffPage) -> None:
    """Refuse YCbCr samples that are subsampled, or scaled in a way of their own.

    Raises:
        SlideError: chroma is subsampled, or a tag gives other coefficients or ranges than JPEG's.
    """
    if page.tags.valueof("YCbCrSubSampling", (2, 2)) != (1, 1):
        raise SlideError("its chroma is subsampled without JPEG")
    for tag in ("YCbCrCoefficients", "ReferenceBlackWhite"):
        if tag in page.tags:
            raise SlideError(f"its YCbCr is not JPEG's: it has the tag {tag}")


def _name(names: type[COMPRESSION | PHOTOMETRIC | EXTRASAMPLE], value: int) -> str:
    try:
        return names(value).name
    except ValueError:
        return str(value)
