"""Flat images (PNG, JPEG, WebP, AVIF, untiled TIFF) through libvips, streamed from the top."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pyvips
from numpy.typing import NDArray
from tifffile import EXTRASAMPLE

from wsistore.errors import SlideError, SlideImageError
from wsistore.readers.base import BaseReader, Properties, orientation_notes
from wsistore.readers.pixel_size import ObjectivePower, PixelSize
from wsistore.readers.tiff.kinds import extra_samples, require_kind
from wsistore.readers.tiff.pages import slide_pages
from wsistore.readers.tiff.reader import tiff_tags
from wsistore.readers.tiff.resolution import stated_in_tiff
from wsistore.readers.tiff.tile_colors import page_color
from wsistore.readers.tiff.tile_tables import require_tiles, tiles_of

# libvips would keep every image opened here, with its buffers, for calls that never come: a slide
# with ten crops took 90 MB for each
pyvips.cache_set_max(0)

LOADERS = ("png", "jpeg", "tiff", "webp", "heif")
"""libvips loaders in use."""

WHOLE_PIXELS = 100_000_000
"""Largest image of a kind that is decoded as a whole: interlaced PNG and JPEG, WebP, HEIF."""

FETCH_ROWS = 64
"""Rows decoded at a time; libvips holds a few copies of them."""

SCREEN = 72 / 25.4
"""Pixels per mm that libvips reports for PNG and JPEG files without a resolution."""


class VipsReader(BaseReader):
    """A flat image: one level, pixels as stored (EXIF orientation is not applied).

    Rows are decoded once from top to bottom; a read above the last one starts again at the top.
    Memory holds the rows read and libvips's few lines, never the image.
    """

    name = "vips"
    # libvips decodes JPEG in rows of blocks of this height
    tile_rows = 16

    def __init__(self, path: Path) -> None:
        """Open the file.

        Raises:
            SlideError: libvips cannot read it, or its pixels are not 8-bit RGB or grey.
        """
        if not path.is_file():
            raise SlideError("not a file")
        self._path = path
        self._page = 0
        self._image = self._open()
        # whether the last of 2 or 4 bands is opacity, as in PNG, WebP and HEIF it always is; where
        # a TIFF's colors are times their opacity (associated alpha), libvips divides them by it
        self._has_opacity = True
        self._region: pyvips.Region | None = None
        self._next = 0
        kind = str(self._image.get("vips-loader")).removesuffix("_source").removesuffix("load")
        if kind not in LOADERS:
            raise SlideError(f"a {kind} file is no image of a slide")
        self._stated: tuple[tuple[PixelSize, ...], ObjectivePower | None]
        self._stated = self._pixel_sizes(kind), None
        notes = self._choose_page() if kind == "tiff" else ()
        self._check(kind)
        self.level_sizes = ((self._image.width, self._image.height),)
        fields = self._image.get_fields()
        icc = self._image.get("icc-profile-data") if "icc-profile-data" in fields else None
        orientation = self._image.get("orientation") if "orientation" in fields else 1
        notes += orientation_notes(int(orientation))
        if self._image.bands in (2, 4) and not self._has_opacity:
            notes += ("what its last sample is the file does not say: it is left out",)
        self.properties = Properties(*self._stated, "generic", icc, notes)

    def _open(self) -> pyvips.Image:
        try:
            # by source: a path would be searched for loader options in brackets
            source = pyvips.Source.new_from_file(os.fsencode(self._path))
            # without fail_on, libvips paints what it cannot decode black or grey
            return pyvips.Image.new_from_source(
                source, f"page={self._page}" if self._page else "",
                access="sequential", fail_on="warning",
            )  # fmt: skip
        except pyvips.Error as error:
            raise SlideError(_reason(error)) from error

    def _check(self, kind: str) -> None:
        image = self._image
        colors = {"srgb": (3, 4), "rgb": (3, 4), "b-w": (1, 2)}.get(image.interpretation, ())
        if image.format != "uchar" or image.bands not in colors:
            raise SlideError(
                f"its pixels are {image.bands} × {image.format} {image.interpretation}; convert "
                "it to 8-bit RGB or grey first"
            )
        whole = kind in ("webp", "heif") or "interlaced" in image.get_fields()
        if whole and image.width * image.height > WHOLE_PIXELS:
            raise SlideError(
                f"{image.width} × {image.height} pixels of interlaced {kind} decode only as a "
                "whole; convert it to a tiled TIFF"
            )
        # animations and bursts: libvips takes the first
        count = image.get("n-pages") if "n-pages" in image.get_fields() else 1
        if kind != "tiff" and count > 1:
            raise SlideImageError(
                f"it holds {count} images; export the one that is meant to a file of its own"
            )

    def _choose_page(self) -> tuple[str, ...]:
        """Open the page of a TIFF that is the slide; return what is to be said of the others.

        Raises:
            SlideError: parts of it are missing, or its format needs a reader of its own.
            SlideImageError: which page is the slide cannot be told, or none is.
            DamagedSlideError: its tiles are not listed, or beyond the file's end, or all missing.
        """
        with tiff_tags(self._path) as file:
            if file.is_bif or file.is_scn or file.is_ndpi:
                raise SlideError("a scanner's format, of which libvips sees the first image only")
            chosen = slide_pages(file)
            page = chosen.levels[0]
            if page.is_subifd:
                raise SlideError("its slide is a SubIFD, of which libvips sees nothing")
            require_kind(page, VipsReader.name, "; convert it to 8-bit RGB or grey first")
            self._has_opacity = EXTRASAMPLE.UNSPECIFIED not in extra_samples(page)
            tiles = tiles_of(page, self._path)
            require_tiles(tiles)
            _, contradiction = page_color(page)
            self._stated = stated_in_tiff(file, page)
        if contradiction:
            raise SlideError(f"{contradiction}, and libvips follows the tag")
        if tiles.missing.any():
            raise SlideError("parts of it are missing, which libvips would paint black")
        if page.index:
            self._page = page.index
            self._image = self._open()
        return chosen.notes

    def _pixel_sizes(self, kind: str) -> tuple[PixelSize, ...]:
        """Return what PNG, JPEG and others state; nothing where libvips fills in its default."""
        x, y = float(self._image.xres), float(self._image.yres)
        # only PNG has its resolution without naming a unit; what no file says reads as 1 or 72 dpi
        said = kind == "png" or "resolution-unit" in self._image.get_fields()
        default = x == y and (x == 1.0 or abs(x - SCREEN) < 1e-3)
        if not said or default:
            return ()
        text = f"{kind.upper()} resolution = {x:g} × {y:g} per mm"
        if min(x, y) <= 0:
            return (PixelSize(text, None, None),)
        return (PixelSize.of(text, 1 / x, 1 / y, "mm", printing=True),)

    def _pixels(
        self, level: int, x: int, y: int, width: int, height: int
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
        bands = self._image.bands
        pixels = np.empty((height, width, bands), np.uint8)
        for top in range(0, height, FETCH_ROWS):
            part = pixels[top : top + FETCH_ROWS]
            part[:] = self._fetch(x, y + top, width, len(part)).reshape(part.shape)
        colors = bands - 1 + bands % 2
        rgb = pixels[:, :, :colors]
        opacity = pixels[:, :, colors] if bands > colors and self._has_opacity else None
        return np.repeat(rgb, 3, axis=2) if colors == 1 else rgb, opacity

    def _fetch(self, x: int, y: int, width: int, height: int) -> NDArray[np.uint8]:
        if self._region is None or y < self._next:
            self._image = self._open()
            self._region = pyvips.Region.new(self._image)
        self._next = y + height
        try:
            return np.frombuffer(self._region.fetch(x, y, width, height), np.uint8)
        except pyvips.Error as error:
            self._region = None
            raise SlideError(f"it cannot be decoded at x {x}, y {y}: {_reason(error)}") from error

    def close(self) -> None:
        """Release the file."""
        self._region = None
        del self._image


def _reason(error: pyvips.Error) -> str:
    """Return libvips's last line: earlier ones are left from other calls."""
    lines = [line for line in str(error.detail).splitlines() if line.strip()]
    return lines[-1].strip() if lines else str(error.message)
