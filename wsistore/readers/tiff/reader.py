"""Tiled TIFF slides (Aperio, Hamamatsu, Philips, generic) through tiffslide."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import tiffslide
from numpy.typing import NDArray
from tifffile import TiffFile, TiffPage

from wsistore.errors import SlideError
from wsistore.readers.base import BaseReader, Properties, Tiles, orientation_notes
from wsistore.readers.stream_headers import StreamColor
from wsistore.readers.tiff.kinds import orientation_of, require_kind
from wsistore.readers.tiff.pages import SlidePages, slide_pages
from wsistore.readers.tiff.resolution import stated_in_tiff
from wsistore.readers.tiff.tile_colors import page_color, require_separate_tiles, tile_decoder
from wsistore.readers.tiff.tile_tables import require_tiles, tiles_of


class TiffReader(BaseReader):
    """A slide opened with tiffslide: tiled 8-bit RGB, one scan, tiles side by side."""

    name = "tiffslide"

    def __init__(self, path: Path) -> None:
        """Open the file.

        Raises:
            SlideError: it is none of tiffslide's, or better left to another reader.
            DamagedSlideError: the slide's tiles are not listed, or lie beyond the file's end.
        """
        if not path.is_file():
            raise SlideError("not a file")
        # our own handle: tiffslide leaves its own open when a file turns out to be no slide
        self._file = path.open("rb")
        try:
            with warnings.catch_warnings():
                # of Hamamatsu's tags it says that it reads a part; what is wanted is read here
                warnings.filterwarnings("ignore", "hamamatsu-format metadata")
                self._slide = tiffslide.TiffSlide(self._file)
                found = self._slide.properties
            chosen = _pages(self._slide)
            self._pages, self._tiles, colors, left_out = _whole_levels(chosen.levels, path)
            self.level_sizes = tuple(
                (int(page.imagewidth), int(page.imagelength)) for page in self._pages
            )
            self.tile_rows = int(self._pages[0].tilelength)
            self.tile_columns = int(self._pages[0].tilewidth)
            orientation = orientation_of(self._pages[0])
            self._decoders = [
                tile_decoder(page, color)
                for page, (color, _) in zip(self._pages, colors, strict=True)
            ]
            pixel_sizes, objective = stated_in_tiff(self._slide.ts_tifffile, self._pages[0])
        except SlideError:
            self._file.close()
            raise
        # tifffile and its codecs raise many kinds; all of them mean one thing to the user
        except Exception as error:
            self._file.close()
            raise SlideError(str(error)) from error
        missing, tiles = int(self._tiles[0].missing.sum()), self._tiles[0].missing.size
        holes = f"{missing} of its {tiles} tiles are missing and get the glass's colour"
        contradiction = next((note for _, note in colors if note), "")
        icc = self._pages[0].tags.valueof("InterColorProfile")
        self.properties = Properties(
            pixel_sizes=pixel_sizes,
            objective=objective,
            vendor=str(found.get("tiffslide.vendor") or "generic").lower(),
            icc=icc if isinstance(icc, bytes) else None,
            notes=(
                *chosen.notes,
                *left_out,
                *((holes,) if missing else ()),
                *((f"{contradiction}; colors follow the tiles",) if contradiction else ()),
                *orientation_notes(orientation),
            ),
        )

    def tiles(self, level: int) -> Tiles:
        """Return the tiles of a vendor level; see `Reader.tiles`."""
        return self._tiles[level]

    def _pixels(
        self, level: int, x: int, y: int, width: int, height: int
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
        page = self._pages[level]
        tile_width, tile_height = page.tilewidth, page.tilelength
        columns = -(-page.imagewidth // tile_width)
        rgb = np.empty((height, width, 3), np.uint8)
        opacity = None
        for row in range(y // tile_height, -(-(y + height) // tile_height)):
            for column in range(x // tile_width, -(-(x + width) // tile_width)):
                left, top = column * tile_width - x, row * tile_height - y
                part = np.s_[max(top, 0) : top + tile_height, max(left, 0) : left + tile_width]
                if self._tiles[level].bytes[row, column] == 0:
                    opacity = (
                        np.full((height, width), 255, np.uint8) if opacity is None else opacity
                    )
                    rgb[part], opacity[part] = 0, 0
                    continue
                tile = self._tile(level, row * columns + column)
                rgb[part] = tile[max(-top, 0) : height - top, max(-left, 0) : width - left]
        return rgb, opacity

    def _tile(self, level: int, index: int) -> NDArray[np.uint8]:
        """Decode one tile, (tile height, tile width, 3) uint8, or less at the level's border.

        Straight through tifffile: tiffslide's array layer takes as long again as the decoder.
        """
        page = self._pages[level]
        offset, length = page.dataoffsets[index], page.databytecounts[index]
        try:
            self._file.seek(offset)
            data = self._file.read(length)
            return self._decoders[level](data, index)
        except Exception as error:
            columns = -(-page.imagewidth // page.tilewidth)
            x, y = index % columns * page.tilewidth, index // columns * page.tilelength
            raise SlideError(f"level {level} cannot be decoded at x {x}, y {y}: {error}") from error

    def close(self) -> None:
        """Release the file."""
        self._slide.close()
        self._file.close()


def _pages(slide: tiffslide.TiffSlide) -> SlidePages:
    """Return the slide's images, checked to be what this reader takes.

    Raises:
        SlideError: another reader suits the file better; the message says why.
        SlideImageError: which image is the slide cannot be told, or none is.
    """
    file = slide.ts_tifffile
    if file.is_bif:
        raise SlideError("its tiles overlap (Ventana), which tiffslide does not undo")
    if "tiffslide.series-composition" in slide.properties:
        raise SlideError("it places scans on a slide (Leica), which tiffslide fills with black")
    chosen = slide_pages(file)
    base = chosen.levels[0]
    if not base.is_tiled:
        raise SlideError("it is not tiled")
    if base.axes != "YXS":
        raise SlideError(f"its axes are {base.axes}, not YXS")
    require_kind(base, TiffReader.name)
    return chosen


def _whole_levels(
    pages: Sequence[TiffPage], path: Path
) -> tuple[list[TiffPage], list[Tiles], list[tuple[StreamColor, str]], list[str]]:
    """Return the levels that can be read, their tiles and colors, and a sentence on each other.

    Raises:
        DamagedSlideError: tiles of level 0 are not listed, or all of them are left out.
        SlideError: nothing tells what colors level 0 holds, or its tiles cannot be read apart.
    """
    levels, tiles, notes = [pages[0]], [tiles_of(pages[0], path)], []
    require_tiles(tiles[0])
    require_separate_tiles(pages[0])
    colors = [page_color(pages[0])]
    for page in pages[1:]:
        try:
            require_kind(page, TiffReader.name)
            require_separate_tiles(page)
            color, listed = page_color(page), tiles_of(page, path)
        except SlideError as error:
            notes.append(f"one of its smaller levels is not used: {error}")
            continue
        levels.append(page)
        tiles.append(listed)
        colors.append(color)
    return levels, tiles, colors, notes


@contextmanager
def tiff_tags(path: Path) -> Iterator[TiffFile]:
    """Open a TIFF for its tags alone.

    Raises:
        SlideError: they make no sense, or what the caller finds in them.
    """
    try:
        with TiffFile(path) as file:
            yield file
    except SlideError:
        raise
    # tifffile raises many kinds for tags that contradict each other
    except Exception as error:
        raise SlideError(f"its TIFF tags make no sense: {error}") from error
