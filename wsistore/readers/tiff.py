"""Tiled TIFF slides (Aperio, Hamamatsu, Leica, Philips, Ventana, generic) through tiffslide."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import tiffslide
from numpy.typing import NDArray

from wsistore.errors import SlideError
from wsistore.readers.base import Properties


def _number(value: Any) -> float | None:
    """Return a property as a positive float, or None where it is absent or not a number."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if np.isfinite(number) and number > 0 else None


class TiffReader:
    """A slide opened with tiffslide."""

    name = "tiffslide"

    def __init__(self, path: Path) -> None:
        """Open the file.

        Raises:
            SlideError: tiffslide cannot read it.
        """
        # our own handle: tiffslide leaves its own open when a file turns out to be no slide
        self._file = path.open("rb")
        try:
            self._slide = tiffslide.TiffSlide(self._file)
            self.level_sizes = tuple((int(w), int(h)) for w, h in self._slide.level_dimensions)
            found = self._slide.properties
            self.tile_rows = int(self._array(0).chunks[0])
        # tifffile and its codecs raise many kinds; all of them mean one thing to the user
        except Exception as error:
            self._file.close()
            raise SlideError(f"tiffslide cannot open it: {error}") from error
        self.properties = Properties(
            mpp_x=_number(found.get("tiffslide.mpp-x")),
            mpp_y=_number(found.get("tiffslide.mpp-y")),
            objective_power=_number(found.get("tiffslide.objective-power")),
            vendor=str(found.get("tiffslide.vendor") or "generic").lower(),
        )

    def read(self, level: int, x: int, y: int, width: int, height: int) -> NDArray[np.uint8]:
        """Return a region of a vendor level; see `Reader.read`."""
        level_width, level_height = self.level_sizes[level]
        if x < 0 or y < 0 or x + width > level_width or y + height > level_height:
            raise ValueError(f"({x}, {y}, {width}, {height}) is outside level {level}")
        try:
            # the level's array itself: read_region takes level-0 coordinates, which do not
            # address the pixels of a level whose downsampling is no integer
            array = self._array(level)
            region = np.asarray(array[y : y + height, x : x + width])
        except Exception as error:
            raise SlideError(f"level {level} cannot be decoded at x {x}, y {y}: {error}") from error
        if region.ndim != 3 or region.shape[2] < 3 or region.dtype != np.uint8:
            raise SlideError(
                f"its pixels are {region.dtype} with shape {region.shape}; 8-bit RGB is needed"
            )
        return np.ascontiguousarray(region[:, :, :3])

    def _array(self, level: int) -> Any:
        group = self._slide.zarr_group
        return group[str(level)] if hasattr(group, "keys") else group

    def close(self) -> None:
        """Release the file."""
        self._slide.close()
        self._file.close()

    def __enter__(self) -> Self:
        """Return the reader itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file."""
        self.close()
