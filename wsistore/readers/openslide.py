"""Scanner formats through OpenSlide: MRXS, VMS, NDPI, SCN, BIF, CZI, DICOM, SVS and others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import openslide
from numpy.typing import NDArray

from wsistore.errors import SlideError
from wsistore.files import dicom_files, strangers
from wsistore.readers.base import WHITE, BaseReader, Properties, positive
from wsistore.readers.tiff import require_rgb, tiff_tags
from wsistore.readers.tiff_pages import slide_pages


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
            self._path = path
        self._slide = self._open()
        found = self._slide.properties
        if found.get("openslide.vendor") in ("generic-tiff", "aperio"):
            self._check_tiff(found["openslide.vendor"])
        if path.is_dir() and (others := strangers(files, found.get("dicom.SeriesInstanceUID", ""))):
            self._slide.close()
            raise SlideError(
                f"the folder holds more than one DICOM series ({files[0].name}, "
                f"{others[0].name}); give each a folder of its own"
            )
        self.level_sizes = tuple(self._slide.level_dimensions)
        self.tile_rows = int(found.get("openslide.level[0].tile-height", 256))
        self.fill = _colour(found.get("openslide.background-color"))
        self.properties = Properties(
            mpp_x=positive(found.get("openslide.mpp-x")),
            mpp_y=positive(found.get("openslide.mpp-y")),
            objective_power=positive(found.get("openslide.objective-power")),
            vendor=found.get("openslide.vendor", "generic").replace("generic-tiff", "generic"),
            icc=self._profile(),
        )

    def _open(self) -> openslide.OpenSlide:
        try:
            return openslide.OpenSlide(self._path)
        except (openslide.OpenSlideError, OSError) as error:
            raise SlideError(str(error).rstrip(".")) from error

    def _check_tiff(self, vendor: str) -> None:
        """Refuse a TIFF of which OpenSlide takes the first image for the slide, and it is not.

        A tiled TIFF that is not 8-bit RGB is refused too: OpenSlide would make it so silently.

        Raises:
            SlideError: its first image is not the slide, or not 8-bit RGB.
        """
        try:
            with tiff_tags(self._path) as file:
                base = slide_pages(file).levels[0]
                size, taken = (base.imagewidth, base.imagelength), self._slide.dimensions
                if size != taken:
                    raise SlideError(
                        f"OpenSlide takes an image of {taken[0]} × {taken[1]} pixels for the "
                        f"slide, which has {size[0]} × {size[1]}"
                    )
                if vendor == "generic-tiff":
                    require_rgb(base)
        except SlideError:
            self._slide.close()
            raise

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
        return rgba[:, :, :3], rgba[:, :, 3]

    def close(self) -> None:
        """Release the file."""
        self._slide.close()


def _colour(text: str | None) -> tuple[int, int, int]:
    """Return OpenSlide's background colour (``"FFFFFF"``), white where the file has none."""
    if text is None:
        return WHITE
    red, green, blue = bytes.fromhex(text)
    return red, green, blue
