"""Pyramidal tiled TIFF in the manner of Aperio, written in strips."""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

TILE = 256
_CHUNK = 1024
_REDUCTION = 4
_LEVELS = 3
_QUALITY = 82
_THUMBNAIL = 1024
_TITLE = "Title = wsistore sample"

Pixels = NDArray[np.uint8]
Region = Callable[[int, int, int, int], Pixels]


@dataclass(frozen=True, slots=True)
class Scan:
    """What the file says about itself.

    Attributes:
        side: width and height of level 0 in pixels.
        mpp: µm per pixel, or None to say nothing.
        objective: objective power, or None to say nothing.
    """

    side: int
    mpp: float | None
    objective: float | None

    def description(self, side: int) -> str:
        """Return the Aperio image description of a level of `side` pixels."""
        text = f"Aperio Image Library v12.0.15\r\n{self.side}x{self.side} "
        text += f"[0,0 {self.side}x{self.side}] ({TILE}x{TILE}) "
        if side != self.side:
            text += f"-> {side}x{side} "
        text += f"JPEG/RGB Q={_QUALITY}|{_TITLE}"
        if self.objective is not None:
            text += f"|AppMag = {self.objective:g}"
        if self.mpp is not None:
            text += f"|MPP = {self.mpp:.4f}"
        return text


def write_pyramid(
    path: Path, region: Region, scan: Scan, progress: Callable[[int], None] | None = None
) -> None:
    """Write a slide of three levels, each a quarter of the one before, and a thumbnail.

    Level 0 is rendered once, from top to bottom, in strips of one row of tiles, and is never whole
    in memory. Reduced levels are box means of the level before, kept in temporary files beside
    `path` until they are written.

    Args:
        path: file to write; an existing one is replaced.
        region: (x, y, width, height) → uint8 (height, width, 3).
        scan: size and metadata.
        progress: called with the number of level-0 pixels of every strip that is done.

    Raises:
        OSError: where the file cannot be written.
    """
    sides = [scan.side]
    while len(sides) < _LEVELS and sides[-1] >= 2 * _REDUCTION:
        sides.append(sides[-1] // _REDUCTION)
    options: dict[str, Any] = {
        "dtype": np.uint8,
        "photometric": "rgb",  # of the pixels given; the file holds YCbCr
        "subsampling": (2, 2),
        "compression": "jpeg",
        "compressionargs": {"level": _QUALITY},
        "metadata": None,
        "software": False,
        "maxworkers": 1,
    }
    with (
        tempfile.TemporaryDirectory(dir=path.parent, prefix=".levels-") as folder,
        tifffile.TiffWriter(path, bigtiff=3 * scan.side**2 >= 2**32) as tiff,
    ):
        levels = [_Level(Path(folder) / f"{n}", side) for n, side in enumerate(sides) if n > 0]
        for n, side in enumerate(sides):
            strips = (
                _rendered(region, side, levels, progress) if n == 0 else levels[n - 1].strips(TILE)
            )
            tiff.write(
                _tiles(strips),
                shape=(side, side, 3),
                tile=(TILE, TILE),
                description=scan.description(side),
                **options,
            )
            if n == 0 and levels:
                # readers take the second image of an Aperio file for its thumbnail
                coarsest = next(levels[-1].strips(sides[-1]))
                small = _reduced(coarsest, -(-sides[-1] // _THUMBNAIL))
                text = scan.description(len(small))
                tiff.write(small, rowsperstrip=16, description=text, **options)


def is_synthetic(path: Path) -> bool:
    """Say whether `path` is a slide that `write_pyramid` made."""
    try:
        with tifffile.TiffFile(path) as tiff:
            return _TITLE in str(tiff.pages.first.description)
    except tifffile.TiffFileError:
        return False


@dataclass(frozen=True, slots=True)
class _Level:
    """A reduced level of side × side pixels in a temporary file, written and read in order.

    A plain file, not a memory map: mapped pages would count as this process's memory.
    """

    path: Path
    side: int

    def append(self, rows: Pixels) -> None:
        """Add rows at the bottom."""
        with self.path.open("ab") as file:
            file.write(rows.tobytes())

    def strips(self, height: int) -> Iterator[Pixels]:
        """Return all rows in strips of `height`."""
        for top in range(0, self.side, height):
            rows = min(height, self.side - top)
            count, row = rows * self.side * 3, self.side * 3
            pixels = np.fromfile(self.path, np.uint8, count, offset=top * row)
            yield pixels.reshape(rows, self.side, 3)


def _rendered(
    region: Region, side: int, levels: list[_Level], progress: Callable[[int], None] | None
) -> Iterator[Pixels]:
    """Render level 0 in strips of one row of tiles, and fill the reduced levels on the way."""
    for top in range(0, side, TILE):
        height = min(TILE, side - top)
        strip = np.empty((height, side, 3), np.uint8)
        for left in range(0, side, _CHUNK):
            width = min(_CHUNK, side - left)
            strip[:, left : left + width] = region(left, top, width, height)
        # before the yield: nobody asks for more after the last tile
        reduced = strip
        for level in levels:
            reduced = _reduced(reduced, _REDUCTION)
            level.append(reduced)
        if progress is not None:
            progress(height * side)
        yield strip


def _reduced(pixels: Pixels, factor: int) -> Pixels:
    """Return means of factor × factor pixels; rows and columns beyond a multiple are left out."""
    height, width = pixels.shape[0] // factor, pixels.shape[1] // factor
    if height == 0 or width == 0:
        return np.empty((height, width, 3), np.uint8)
    whole = np.ascontiguousarray(pixels[: height * factor, : width * factor])
    return np.asarray(Image.fromarray(whole).reduce(factor))


def _tiles(strips: Iterator[Pixels]) -> Iterator[Pixels]:
    """Cut strips into tiles from left to right; border pixels are repeated to fill a tile."""
    for strip in strips:
        height, width = strip.shape[:2]
        for left in range(0, width, TILE):
            tile = strip[:, left : left + TILE]
            missing = TILE - height, TILE - tile.shape[1]
            if any(missing):
                tile = np.pad(tile, ((0, missing[0]), (0, missing[1]), (0, 0)), mode="edge")
            yield np.ascontiguousarray(tile)
