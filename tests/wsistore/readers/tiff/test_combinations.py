"""Every combination that the table of proved kinds holds is written, and read right."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tifffile import COMPRESSION, EXTRASAMPLE, PHOTOMETRIC

from tools.tiff_files import (
    APERIO,
    TILE,
    Pixels,
    alpha,
    gray,
    image,
    jpeg,
    jpeg2000,
    over_white,
    repeated,
    samples,
    streams,
    webp,
    ycbcr,
)
from tools.tiff_matrix import DECODERS, PILLOW
from wsistore.readers import open_slide
from wsistore.readers.tiff.kinds import DECODED, JPEG_2000, PIXEL_LOSSLESS

PREDICTED = {COMPRESSION.LZW, COMPRESSION.ADOBE_DEFLATE, COMPRESSION.DEFLATE, COMPRESSION.ZSTD}
COLORS = np.random.default_rng(2).integers(0, 256, (3, 256), dtype=np.uint16)


@dataclass(frozen=True)
class Combination:
    """One file that the table says a reader takes."""

    reader: str
    compression: COMPRESSION
    photometric: PHOTOMETRIC
    extra: EXTRASAMPLE | None
    planar: int
    bits: int
    predictor: bool
    tiled: bool

    def __str__(self) -> str:
        parts = [self.reader, self.compression.name, self.photometric.name, f"{self.bits}-bit"]
        parts += [] if self.extra is None else [self.extra.name]
        parts += ["planes"] * (self.planar == 2) + ["predictor"] * self.predictor
        return "-".join([*parts, "tiles" if self.tiled else "strips"])


def combinations() -> Iterator[Combination]:
    """Yield each combination of each rule; of the reader of flat images in strips too."""
    for reader, rules in DECODED.items():
        for rule in rules:
            for compression, photometric, extra, planar, bits, predictor, tiled in product(
                sorted(rule.compressions), sorted(rule.photometrics), (None, *sorted(rule.extra)),
                sorted(rule.planar), sorted(rule.bits), (False, True), (True, False),
            ):  # fmt: skip
                if (predictor and (compression not in PREDICTED or bits == 1)) or (
                    not tiled and reader != "vips"
                ):
                    continue
                yield Combination(
                    reader, COMPRESSION(compression), PHOTOMETRIC(photometric),
                    None if extra is None else EXTRASAMPLE(extra), planar, bits, predictor, tiled,
                )  # fmt: skip


def colors_and_shown(photometric: PHOTOMETRIC, bits: int) -> tuple[np.ndarray, Pixels]:
    """Return samples of a photometric kind, and the RGB they stand for."""
    if photometric == PHOTOMETRIC.RGB:
        return image(), image()
    if photometric == PHOTOMETRIC.YCBCR:
        return ycbcr(), image()
    if photometric == PHOTOMETRIC.PALETTE:
        return gray(), COLORS.T[gray()].astype(np.uint8)
    black = photometric == PHOTOMETRIC.MINISBLACK
    if bits == 1:
        light = gray() > 127
        return (light if black else ~light), repeated(light.astype(np.uint8) * 255)
    return (gray() if black else 255 - gray()), repeated(gray())


def with_extra(stored: np.ndarray, shown: Pixels, extra: EXTRASAMPLE) -> tuple[np.ndarray, Pixels]:
    """Add a sample of a kind."""
    if extra == EXTRASAMPLE.ASSOCALPHA:
        share = alpha() / 255 if stored.ndim == 2 else alpha()[..., np.newaxis] / 255
        stored = np.rint(stored * share).astype(np.uint8)
    known = extra != EXTRASAMPLE.UNSPECIFIED
    return np.dstack([stored, alpha()]), over_white(shown, alpha()) if known else shown


def write(path: Path, kind: Combination) -> tuple[Pixels, int]:
    """Write a file; return the RGB that it stands for, and the error allowed."""
    options: dict[str, Any] = {} if kind.tiled else {"tile": None, "rowsperstrip": TILE}
    if kind.photometric in (PHOTOMETRIC.MINISBLACK, PHOTOMETRIC.MINISWHITE):
        options["photometric"] = kind.photometric.name.lower()
    # tifffile would call RGB under JPEG YCbCr, and writes no YCbCr without
    options["tags"] = {"PhotometricInterpretation": int(kind.photometric)}
    if kind.compression == COMPRESSION.JPEG:
        return write_jpeg(path, kind, options)
    if kind.compression in JPEG_2000:
        ycc = kind.compression == COMPRESSION.APERIO_JP2000_YCBC
        options |= {"compression": int(kind.compression), "description": APERIO}
        streams(jpeg2000(transform=False), ycbcr() if ycc else image(), **options)(path)
        return image(), 3 if ycc else 0
    if kind.compression == COMPRESSION.WEBP:
        return streams(webp, compression="webp", **options)(path), 0
    return write_plain(path, kind, options)


def write_jpeg(path: Path, kind: Combination, options: dict[str, Any]) -> tuple[Pixels, int]:
    """Write a file of JPEG streams without markers."""
    pixels = gray() if kind.photometric == PHOTOMETRIC.MINISBLACK else image()
    encode = jpeg(rgb=kind.photometric == PHOTOMETRIC.RGB)
    streams(encode, pixels, compression="jpeg", subsampling=(1, 1), **options)(path)
    return DECODERS[PILLOW](path), 1


def write_plain(path: Path, kind: Combination, options: dict[str, Any]) -> tuple[Pixels, int]:
    """Write a file of samples, as they are or losslessly compressed."""
    stored, shown = colors_and_shown(kind.photometric, kind.bits)
    bound = 0
    if kind.photometric == PHOTOMETRIC.YCBCR:
        options["extratags"] = [(530, 3, 2, (1, 1), True)]
        bound = 3
    elif kind.photometric == PHOTOMETRIC.PALETTE:
        options |= {"photometric": "palette", "colormap": COLORS * 257}
    if kind.extra is not None:
        stored, shown = with_extra(stored, shown, kind.extra)
        options |= {"extrasamples": [int(kind.extra)], "planarconfig": "contig"}
        bound = 1
    if kind.planar == 2:
        stored = np.moveaxis(stored, 2, 0)
        options["planarconfig"] = "separate"
    if kind.compression != COMPRESSION.NONE:
        options |= {"compression": int(kind.compression), "predictor": kind.predictor or None}
    samples(stored, shown, **options)(path)
    return shown, bound


def test_it_reaches_every_lossless_compression_of_each_reader() -> None:
    found = {(kind.reader, kind.compression) for kind in combinations()}
    assert {(reader, code) for reader in DECODED for code in PIXEL_LOSSLESS} <= found


@pytest.mark.parametrize("kind", list(combinations()), ids=str)
def test_a_combination_is_read_right(tmp_path: Path, kind: Combination) -> None:
    shown, bound = write(tmp_path / "a.tif", kind)
    with open_slide(tmp_path / "a.tif", kind.reader) as slide:
        read = slide.read(0, 0, 0, *slide.level_sizes[0])
    assert np.abs(read.astype(int) - shown).max() <= bound
