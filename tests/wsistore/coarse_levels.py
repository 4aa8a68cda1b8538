"""A small slide of two pieces of tissue, with coarse levels that tests spoil."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import tifffile

SIDE, TILE = 2048, 128
PIECES = ((200, 200), (1300, 1400))
APERIO = "Aperio Image Library v12.0.15\r\n{}x{} RGB|AppMag = 20|MPP = 0.5"


def base_image(seed: int = 0) -> np.ndarray:
    """Return glass with two pieces of 500 × 500 pixels, (SIDE, SIDE, 3) uint8."""
    rng = np.random.default_rng(seed)
    image = np.full((SIDE, SIDE, 3), 240, np.uint8)
    for y, x in PIECES:
        image[y : y + 500, x : x + 500] = rng.integers(120, 200, (500, 500, 3))
    return image


def reduced(image: np.ndarray, factor: int) -> np.ndarray:
    """Return the means of blocks of pixels, uint8."""
    height, width = image.shape[0] // factor, image.shape[1] // factor
    blocks = image.reshape(height, factor, width, factor, 3)
    return blocks.mean((1, 3)).round().astype(np.uint8)


def write_levels(path: Path, levels: Iterable[np.ndarray]) -> Path:
    """Write images, the base first, as an Aperio slide (``.svs``) or as a generic pyramid."""
    with tifffile.TiffWriter(path) as file:
        for number, pixels in enumerate(levels):
            options: dict[str, object] = {"subfiletype": int(number > 0)}
            if path.suffix == ".svs":
                options = {"description": APERIO.format(pixels.shape[1], pixels.shape[0])}
            if number == 1 and path.suffix == ".svs":
                # the thumbnail comes second
                file.write(reduced(pixels, 2), photometric="rgb", metadata=None)
            file.write(
                pixels, tile=(TILE, TILE), photometric="rgb", compression="zlib", metadata=None,
                resolution=(20000, 20000), resolutionunit="CENTIMETER", **options,
            )  # fmt: skip
    return path


def level_page(file: tifffile.TiffFile, level: int) -> tifffile.TiffPage:
    """Return the page of a level of such a slide."""
    return [page.aspage() for page in file.pages if page.is_tiled][level]


def leave_out(path: Path, level: int, tiles: Iterable[int]) -> None:
    """Set place and length of some tiles of a level to 0."""
    with tifffile.TiffFile(path, mode="r+b") as file:
        page, without = level_page(file, level), set(tiles)
        for table in ("TileOffsets", "TileByteCounts"):
            tag = page.tags[table]
            tag.overwrite(tuple(0 if n in without else v for n, v in enumerate(tag.value)))


def damage(path: Path, level: int, tile: int) -> None:
    """Overwrite the first bytes of a tile."""
    with tifffile.TiffFile(path) as file:
        start = level_page(file, level).dataoffsets[tile]
    with path.open("r+b") as raw:
        raw.seek(start)
        raw.write(b"\x11" * 64)
