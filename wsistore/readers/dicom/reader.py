"""DICOM slides through wsidicom: an extra, for those that OpenSlide refuses."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wsistore.errors import SlideError
from wsistore.readers.base import BaseReader, Properties, without_target
from wsistore.readers.dicom.frames import frame_colors
from wsistore.readers.dicom.images import require_one_pyramid, volume_sizes
from wsistore.readers.pixel_size import ObjectivePower, PixelSize
from wsistore.readers.ycbcr import rgb_of_ycbcr
from wsistore.slides import data_path, dicom_files, is_dicom

_SPARSE = (
    "its frames are YCbCr that wsidicom leaves as it is, and of a sparse series it does not tell "
    "frames from what it fills in"
)
_SHORT = 2
"""Characters of a text that tells nothing about a person."""

INSTALL = "pip install 'resolution-distillation[dicom]'"


class WsiDicomReader(BaseReader):
    """A DICOM VL whole-slide series: a folder that holds one, or any file of it.

    Frames that a sparse series leaves out are white: wsidicom does not tell them from others.
    """

    name = "wsidicom"

    def __init__(self, path: Path) -> None:
        """Open the series.

        Raises:
            SlideError: it is not DICOM, not one series, or cannot be read; or wsidicom is missing.
            SlideImageError: the series holds more than one slide.
        """
        if not (dicom_files(path) if path.is_dir() else is_dicom(path)):
            raise SlideError("not DICOM")
        if importlib.util.find_spec("wsidicom") is None:
            raise SlideError(f"wsidicom is not installed ({INSTALL})")
        self._slide: Any = None
        try:
            self._open(data_path(path))
        # pydicom and wsidicom raise many kinds; all of them mean one thing to the user
        except Exception as error:
            if self._slide is not None:
                self._slide.close()
            if isinstance(error, SlideError):
                raise
            raise SlideError(without_target(_reason(error), path)) from error

    def _open(self, path: Path) -> None:
        # imported where it is needed: it is an extra
        import wsidicom

        files = _series(path)
        require_one_pyramid(volume_sizes(files))
        self._slide = wsidicom.WsiDicom.open(files)
        self._levels = [level.level for level in self._slide.pyramid]
        self.level_sizes = tuple(
            (int(level.size.width), int(level.size.height)) for level in self._slide.pyramid
        )
        self.tile_rows = int(self._slide.tile_size.height)
        self.frame_size = int(self._slide.tile_size.width), self.tile_rows
        colors = {found.size: found for found in frame_colors(files)}
        known = [colors[size] for size in self.level_sizes if size in colors]
        file, base = _base(files, self.level_sizes[0])
        sparse = base.get("DimensionOrganizationType") == "TILED_SPARSE"
        for found in known:
            if found.unknown or (found.left_ycbcr and sparse):
                raise SlideError(found.unknown or _SPARSE)
        self._ycbcr = [size in colors and colors[size].left_ycbcr for size in self.level_sizes]
        notes = [
            f"{found.contradiction}; the frames' word was taken"
            for found in known
            if found.contradiction
        ]
        self.properties = self._stated(file, base, notes)

    def _stated(self, file: Path, base: Any, notes: list[str]) -> Properties:
        """Return the properties; what of them cannot be read decides nothing and is noted.

        Args:
            file, base: of level 0, and what `_base` read of it.
            notes: what is known already.
        """
        light: Any = (base.get("OpticalPathSequence") or [{}])[0]
        power, icc = light.get("ObjectiveLensPower"), light.get("ICCProfile")
        try:
            self._slide.metadata  # noqa: B018
        # it reads what its pixels do not need, and raises many kinds
        except Exception as error:
            named = (("objective power", power), ("color profile", icc))
            absent = [name for name, value in named if not value]
            without = f"; it gives no {' and no '.join(absent)}" if absent else ""
            notes.append(
                f"parts of its metadata cannot be read ({_discreet(error, file)}){without}"
            )
        mpp = self._slide.mpp
        size = PixelSize.read("PixelSpacing in µm", mpp.width, mpp.height)
        return Properties(
            pixel_sizes=(size,) if size else (),
            objective=ObjectivePower.read("ObjectiveLensPower", power),
            vendor="dicom",
            icc=bytes(icc) if icc else None,
            notes=tuple(dict.fromkeys(notes)),
        )

    def _pixels(
        self, level: int, x: int, y: int, width: int, height: int
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
        try:
            region = self._slide.read_region(
                (x, y), self._levels[level], (width, height), as_array=True
            )
        except Exception as error:
            raise SlideError(f"level {level} cannot be decoded at x {x}, y {y}: {error}") from error
        rgb = np.asarray(region)
        if rgb.dtype != np.uint8 or rgb.shape != (height, width, 3):
            raise SlideError(f"its pixels are {rgb.dtype} {rgb.shape}; 8-bit RGB is needed")
        return rgb_of_ycbcr(rgb) if self._ycbcr[level] else rgb, None

    def close(self) -> None:
        """Release the files."""
        self._slide.close()


def _base(files: list[Path], size: tuple[int, int]) -> tuple[Path, Any]:
    """Return the file of level 0, and of its data set what is used.

    Args:
        files: of the series.
        size: (width, height) of level 0 in pixels.
    """
    import pydicom

    tags = ["OpticalPathSequence", "DimensionOrganizationType"]
    sides = ["TotalPixelMatrixColumns", "TotalPixelMatrixRows"]
    heads = {
        file: pydicom.dcmread(file, stop_before_pixels=True, specific_tags=[*tags, *sides])
        for file in files
    }
    return next(
        (file, head)
        for file, head in heads.items()
        if tuple(head.get(side) for side in sides) == size
    )


def _discreet(error: Exception, file: Path) -> str:
    """Return what an error about metadata says, unless it quotes a text of the file.

    Such a text may be a patient's name or date of birth, which reaches no store and no log.
    """
    import pydicom

    said = _reason(error)
    try:
        dataset = pydicom.dcmread(file, stop_before_pixels=True)
        texts = [str(element.value).strip() for element in dataset.iterall() if element.VR != "SQ"]
    # where an element cannot be read, nobody knows whether it is quoted
    except Exception:
        return type(error).__name__
    quotes = any(len(text) > _SHORT and text in said for text in texts)
    return type(error).__name__ if quotes else said


def _reason(error: Exception) -> str:
    if type(error).__name__ == "WsiDicomNoResolutionError":
        return "it states no PixelSpacing, without which wsidicom opens nothing"
    return str(error).rstrip(".") or type(error).__name__


def _series(path: Path) -> list[Path]:
    """Return the files of the one series in a folder, or of the series that a file is of.

    Raises:
        SlideError: the folder holds several.
    """
    import pydicom

    folder = path if path.is_dir() else path.parent
    series: dict[str, list[Path]] = {}
    for file in dicom_files(folder):
        head = pydicom.dcmread(file, stop_before_pixels=True, specific_tags=["SeriesInstanceUID"])
        series.setdefault(str(head.SeriesInstanceUID), []).append(file)
    if path.is_file():
        return next(files for files in series.values() if path in files)
    if len(series) > 1:
        raise SlideError(
            f"the folder holds {len(series)} DICOM series; give each a folder of its own"
        )
    return next(iter(series.values()))
