"""Measure each kind of TIFF against other decoders; write the tables of the page on readers."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import openslide
import pyvips
import tifffile
from PIL import Image

from tools.tiff_files import Pixels
from tools.tiff_kinds_read import LIBVIPS, OPENSLIDE, PILLOW, STREAMS, Kind, read_kinds
from tools.tiff_kinds_refused import refused_kinds
from wsistore.readers import open_slide

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reference" / "readers.md"
START, END = "<!-- python -m tools.tiff_matrix -->\n", "<!-- end -->\n"


@dataclass(frozen=True)
class Measured:
    """What came of a kind: the reader that took it, and its largest error in gray levels."""

    reader: str
    error: int


def measure(kind: Kind, folder: Path) -> Measured:
    """Write a file of a kind, read all of it, and compare.

    Args:
        kind: what to write.
        folder: where to; the file is left there.
    """
    path = folder / f"a{kind.suffix}"
    written = kind.write(path)
    with open_slide(path) as slide:
        read = slide.read(0, 0, 0, *slide.level_sizes[0]).astype(np.int16)
        name = slide.name
    truths = [DECODERS[other](path) if other in DECODERS else written for other in kind.against]
    return Measured(name, max(int(np.abs(read - truth).max()) for truth in truths))


def _pillow(path: Path) -> Pixels:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


def _openslide(path: Path) -> Pixels:
    with openslide.OpenSlide(path) as slide:
        return np.asarray(slide.read_region((0, 0), 0, slide.dimensions).convert("RGB"))


def _libvips(path: Path) -> Pixels:
    pixels: Pixels = pyvips.Image.new_from_file(str(path), fail_on="warning").numpy()
    return pixels


def _streams(path: Path) -> Pixels:
    """Decode each tile's stream by itself, as an image file of its own."""
    with tifffile.TiffFile(path) as file:
        page = file.pages.first
        rows, columns = (
            -(-page.imagelength // page.tilelength),
            -(-page.imagewidth // page.tilewidth),
        )
        whole = np.zeros((rows * page.tilelength, columns * page.tilewidth, 3), np.uint8)
        for index, (offset, count) in enumerate(
            zip(page.dataoffsets, page.databytecounts, strict=True)
        ):
            file.filehandle.seek(offset)
            tile = Image.open(io.BytesIO(file.filehandle.read(count))).convert("RGB")
            top, left = index // columns * page.tilelength, index % columns * page.tilewidth
            whole[top : top + page.tilelength, left : left + page.tilewidth] = np.asarray(tile)
        return whole[: page.imagelength, : page.imagewidth]


DECODERS: dict[str, Callable[[Path], Pixels]] = {
    PILLOW: _pillow,
    OPENSLIDE: _openslide,
    LIBVIPS: _libvips,
    STREAMS: _streams,
}
"""Other decoders: a file → (height, width, 3) uint8 RGB."""


def table() -> str:
    """Return both tables: what is read, measured now, and what is refused."""
    lines = ["| kind | reader | largest error | against |", "|---|---|---|---|"]
    for kind in read_kinds():
        # a folder each: libvips remembers what it opened by the file's name
        with tempfile.TemporaryDirectory() as folder:
            found = measure(kind, Path(folder))
        lines.append(
            f"| {kind.name} | `{found.reader}` | {found.error} | {', '.join(kind.against)} |"
        )
    lines += ["", "| refused | because |", "|---|---|"]
    lines += [f"| {kind.name} | {kind.says} |" for kind in refused_kinds()]
    return "\n".join(lines) + "\n"


def page() -> str:
    """Return docs/reference/readers.md with its tables as they are today."""
    before, rest = PAGE.read_text(encoding="utf-8").split(START)
    return before + START + table() + END + rest.split(END)[1]


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
