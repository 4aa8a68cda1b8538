"""Scanner formats through OpenSlide: MRXS, VMS, NDPI, SCN, BIF, CZI, DICOM, SVS and others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import openslide
from numpy.typing import NDArray
from tifffile import COMPRESSION, TiffFile, TiffPage

from wsistore.errors import SlideError, SlideImageError
from wsistore.readers.base import WHITE, BaseReader, Properties, orientation_notes, without_target
from wsistore.readers.dicom.frames import frame_colors
from wsistore.readers.dicom.images import require_one_pyramid
from wsistore.readers.openslide_resolution import stated_by_openslide
from wsistore.readers.tiff.kinds import PIXEL_LOSSLESS, orientation_of, require_kind
from wsistore.readers.tiff.pages import slide_pages
from wsistore.readers.tiff.reader import tiff_tags
from wsistore.readers.tiff.tile_colors import page_color
from wsistore.readers.tiff.tile_tables import require_tiles, tiles_of
from wsistore.readers.ycbcr import rgb_of_ycbcr
from wsistore.slides import data_path, dicom_files, files_of_other_series

TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


class OpenSlideReader(BaseReader):
    """A slide opened with OpenSlide. What its scanner left out is transparent there."""

    name = "openslide"

    def __init__(self, path: Path) -> None:
        """Open the file, or the DICOM series in a folder.

        Raises:
            SlideError: OpenSlide cannot read it, or the folder holds several series.
        """
        if path.is_dir():
            files = dicom_files(path)
            if not files:
                raise SlideError("the folder holds no DICOM file")
            self._path = files[0]
        else:
            self._path = data_path(path)
        self._given = path
        self._slide = self._open()
        found = self._slide.properties
        notes = self._tiff_notes()
        if path.is_dir() and (
            others := files_of_other_series(files, found.get("dicom.SeriesInstanceUID", ""))
        ):
            self._slide.close()
            raise SlideError(
                f"the folder holds more than one DICOM series ({files[0].name}, "
                f"{others[0].name}); give each a folder of its own"
            )
        self.level_sizes = tuple(self._slide.level_dimensions)
        self._ycbcr: set[int] = set()
        self.tile_rows = int(found.get("openslide.level[0].tile-height", 256))
        if found.get("openslide.vendor") == "dicom":
            self._require_one_pyramid()
            notes = self._contradictions(found.get("dicom.SeriesInstanceUID", ""))
            self.frame_size = int(found["openslide.level[0].tile-width"]), self.tile_rows
        self.fill = _color(found.get("openslide.background-color"))
        pixel_sizes, objective = stated_by_openslide(found, self._path)
        self.properties = Properties(
            pixel_sizes=pixel_sizes,
            objective=objective,
            vendor=found.get("openslide.vendor", "generic").replace("generic-tiff", "generic"),
            icc=self._profile(),
            notes=notes,
        )

    def _open(self) -> openslide.OpenSlide:
        try:
            return openslide.OpenSlide(self._path)
        except (openslide.OpenSlideError, OSError) as error:
            raise SlideError(without_target(str(error), self._given).rstrip(".")) from error

    def _require_one_pyramid(self) -> None:
        """Refuse a DICOM series of several slides, of which OpenSlide makes levels of one.

        Raises:
            SlideImageError: it is.
        """
        try:
            require_one_pyramid(self.level_sizes)
        except SlideImageError:
            self._slide.close()
            raise

    def _tiff_notes(self) -> tuple[str, ...]:
        """Refuse a TIFF that OpenSlide would show otherwise than it is, else return notes on it.

        Raises:
            SlideError: it takes another image for the slide, or its samples for other colors.
        """
        with self._path.open("rb") as file:
            if file.read(4) not in TIFF_MAGIC:
                return ()
        try:
            with tiff_tags(self._path) as tiff:
                if self._slide.properties["openslide.vendor"] in ("generic-tiff", "aperio"):
                    _check_choice(tiff, self._slide.dimensions, self._path)
                return _checked_pages(tiff, set(self._slide.level_dimensions))
        except SlideError:
            self._slide.close()
            raise

    def _contradictions(self, uid: str) -> tuple[str, ...]:
        """Return where a DICOM series' frames contradict its tags, which OpenSlide believes.

        Raises:
            SlideError: OpenSlide's pixels cannot be set right.
        """
        files = dicom_files(self._path.parent)
        away = set(files_of_other_series(files, uid))
        colors = {found.size: found for found in frame_colors(f for f in files if f not in away)}
        notes: dict[str, None] = {}
        for level, size in enumerate(self.level_sizes):
            if size not in colors:
                continue
            found = colors[size]
            if found.unknown or (found.contradiction and not found.left_ycbcr):
                self._slide.close()
                raise SlideError(
                    found.unknown or f"{found.contradiction}; OpenSlide would believe the tag"
                )
            # taken for RGB they come as they are stored, so that nothing is lost
            if found.left_ycbcr:
                self._ycbcr.add(level)
                notes[f"{found.contradiction}; the frames' word was taken"] = None
        return tuple(notes)

    def _profile(self) -> bytes | None:
        """Return the profile's bytes; a region of no pixels carries them and decodes nothing."""
        icc = self._slide.read_region((0, 0), 0, (0, 0)).info.get("icc_profile")
        return icc if isinstance(icc, bytes) else None

    def _pixels(
        self, level: int, x: int, y: int, width: int, height: int
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
        # OpenSlide takes places in level-0 pixels: exact in level 0; where a level's scale is no
        # integer, another level is placed to the nearest level-0 pixel, within half of its own
        scale_x = self.level_sizes[0][0] / self.level_sizes[level][0]
        scale_y = self.level_sizes[0][1] / self.level_sizes[level][1]
        place = (round(x * scale_x), round(y * scale_y))
        try:
            rgba = np.asarray(self._slide.read_region(place, level, (width, height)))
        except openslide.OpenSlideError as error:
            # after one bad tile a handle answers every call with that error
            self._slide.close()
            self._slide = self._open()
            raise SlideError(f"level {level} cannot be decoded at x {x}, y {y}: {error}") from error
        rgb = rgba[:, :, :3]
        return rgb_of_ycbcr(rgb) if level in self._ycbcr else rgb, rgba[:, :, 3]

    def close(self) -> None:
        """Release the file."""
        self._slide.close()


def _check_choice(tiff: TiffFile, taken: tuple[int, int], path: Path) -> None:
    """Refuse a file of which OpenSlide takes an image (width, height) that is not the slide.

    Raises:
        SlideError: it does.
        DamagedSlideError: tiles are not listed, or beyond the file's end, or all missing.
    """
    base = slide_pages(tiff).levels[0]
    size = (base.imagewidth, base.imagelength)
    if size != taken:
        raise SlideError(
            f"OpenSlide takes an image of {taken[0]} × {taken[1]} pixels for the slide, which "
            f"has {size[0]} × {size[1]}"
        )
    require_tiles(tiles_of(base, path))


def _checked_pages(tiff: TiffFile, sizes: set[tuple[int, int]]) -> tuple[str, ...]:
    """Check the pages that are levels: those of a level's size, or the largest one.

    Returns:
        What the user should know of them.

    Raises:
        SlideError: OpenSlide would make something else of one of them than it holds.
    """
    pages = [page for page in tiff.pages if isinstance(page, TiffPage)]
    levels = [page for page in pages if (page.imagewidth, page.imagelength) in sizes]
    if not levels:
        # overlapping tiles and several scans: a level is larger than a page
        levels = [max(pages, key=lambda page: page.imagewidth * page.imagelength)]
    for page in levels:
        require_kind(page, OpenSlideReader.name)
        if orientation_of(page) != 1 and page.compression in PIXEL_LOSSLESS | {COMPRESSION.ZSTD}:
            raise SlideError(
                f"its orientation tag is {orientation_of(page)}, by which OpenSlide would turn "
                "each tile by itself"
            )
        _, contradiction = page_color(page)
        # of NDPI it takes what the stream says, of other TIFFs what the tag says
        if contradiction and not tiff.is_ndpi:
            raise SlideError(f"{contradiction}, and OpenSlide follows the tag")
    return orientation_notes(orientation_of(levels[0]))


def _color(text: str | None) -> tuple[int, int, int]:
    """Return OpenSlide's background colour (``"FFFFFF"``), white where the file has none."""
    if text is None:
        return WHITE
    red, green, blue = bytes.fromhex(text)
    return red, green, blue
