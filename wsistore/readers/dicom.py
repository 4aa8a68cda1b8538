"""DICOM slides through wsidicom: an extra, for those that OpenSlide refuses."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wsistore.errors import SlideError
from wsistore.files import data_path, dicom_files, is_dicom
from wsistore.readers.base import BaseReader, Properties, positive, without_target

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
        """
        if not (dicom_files(path) if path.is_dir() else is_dicom(path)):
            raise SlideError("not DICOM")
        if importlib.util.find_spec("wsidicom") is None:
            raise SlideError(f"wsidicom is not installed ({INSTALL})")
        # imported where it is needed: it is an extra
        import wsidicom

        try:
            self._slide: Any = wsidicom.WsiDicom.open(_series(data_path(path)))
            self._levels = [level.level for level in self._slide.pyramid]
            self.level_sizes = tuple(
                (int(level.size.width), int(level.size.height)) for level in self._slide.pyramid
            )
            self.tile_rows = int(self._slide.tile_size.height)
            mpp, optics = self._slide.mpp, self._slide.metadata.pyramid.optical_paths
        except SlideError:
            raise
        # pydicom and wsidicom raise many kinds; all of them mean one thing to the user
        except Exception as error:
            text = without_target(str(error), path)
            raise SlideError(text or type(error).__name__) from error
        objective = optics[0].objective if optics else None
        self.properties = Properties(
            mpp_x=positive(mpp.width),
            mpp_y=positive(mpp.height),
            objective_power=positive(objective.objective_power) if objective else None,
            vendor="dicom",
            icc=optics[0].icc_profile if optics else None,
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
        return rgb, None

    def close(self) -> None:
        """Release the files."""
        self._slide.close()


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
