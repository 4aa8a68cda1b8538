"""What every reader offers, whatever the format, and what all of them do alike."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from wsistore.parallel import report_progress
from wsistore.readers.icc import srgb_conversion
from wsistore.readers.pixel_size import ObjectivePower, PixelSize
from wsistore.slides import data_path

WHITE = (255, 255, 255)
"""Colour of what was never scanned, until the slide's glass is known."""


@dataclass(frozen=True)
class Properties:
    """What a slide file says of itself, as far as wsistore uses it; nothing about the patient.

    Attributes:
        pixel_sizes: µm per level-0 pixel, as each place of the file states it, the one to trust
            first; empty where the file does not say.
        objective: the scanner's objective (20×, 40×) as the file states it, or None.
        vendor: the format's vendor in lower case, or ``"generic"``.
        icc: the ICC profile's bytes as the file holds them, or None.
        notes: what the user should know of the file before it is read, one sentence each.
    """

    pixel_sizes: tuple[PixelSize, ...]
    objective: ObjectivePower | None
    vendor: str
    icc: bytes | None = None
    notes: tuple[str, ...] = ()

    @property
    def mpp_x(self) -> float | None:
        """Width of a level-0 pixel in µm as the most trusted place says, or None."""
        return next((size.x for size in self.pixel_sizes if not size.unitless), None)

    @property
    def mpp_y(self) -> float | None:
        """Its height in µm, or None."""
        return next((size.y for size in self.pixel_sizes if not size.unitless), None)

    @property
    def objective_power(self) -> float | None:
        """The objective's power, or None where the file does not say or cannot be understood."""
        return None if self.objective is None else self.objective.value


@dataclass(frozen=True)
class Tiles:
    """The tiles of a vendor level, as its file lists them.

    Attributes:
        width, height: of a tile, in pixels of the level.
        bytes: stored length of each, (tile rows, tile columns) int64; 0 where one is left out.
    """

    width: int
    height: int
    bytes: NDArray[np.int64]

    @property
    def missing(self) -> NDArray[np.bool_]:
        """Which tiles are left out, (tile rows, tile columns) bool."""
        missing: NDArray[np.bool_] = self.bytes == 0
        return missing


class Reader(Protocol):
    """An open slide. Not shared between threads or processes: each opens its own.

    Attributes:
        name: the reader's name, as ``--reader`` takes it.
        level_sizes: (width, height) of each vendor level, level 0 first.
        tile_rows: height in pixels of the level-0 tiles, which are decoded as a whole.
        tile_columns: their width, where some tiles of a row are read as quickly as all at once;
            None where they are not.
        frame_size: (width, height) in pixels of level-0 frames that are placed by tags alone
            (DICOM), or None.
        properties: what the file says of itself.
        fill: RGB of pixels that were never scanned (missing tiles, transparent areas): the file's
            own background colour, else white, until the caller sets the glass's.
        scanned: a pixel that was scanned is among those read so far.
    """

    name: str
    level_sizes: tuple[tuple[int, int], ...]
    tile_rows: int
    tile_columns: int | None
    frame_size: tuple[int, int] | None
    properties: Properties
    fill: tuple[int, int, int]
    scanned: bool

    def read(self, level: int, x: int, y: int, width: int, height: int) -> NDArray[np.uint8]:
        """Return a region of a vendor level, which must lie inside it.

        Args:
            level: index of the vendor level.
            x, y, width, height: in pixels of that level.

        Returns:
            (height, width, 3) uint8 RGB, axes y, x, c.

        Raises:
            SlideError: the pixels cannot be decoded; nothing is invented in their place.
            ValueError: the region is not inside the level.
        """
        ...

    def tiles(self, level: int) -> Tiles | None:
        """Return the tiles of a vendor level; None where the format does not list them."""
        ...

    def apply_icc(self) -> None:
        """Convert what is read from now on from the file's profile to sRGB.

        A file without a profile is taken as sRGB: nothing changes.

        Raises:
            SlideError: the profile is damaged, or not one for RGB.
        """
        ...

    def close(self) -> None:
        """Release the file."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


class BaseReader(ABC):
    """Bounds, colour and filling, the same for every `Reader`; formats give `_pixels`."""

    name: str
    level_sizes: tuple[tuple[int, int], ...]
    tile_rows: int
    tile_columns: int | None = None
    frame_size: tuple[int, int] | None = None
    properties: Properties
    fill: tuple[int, int, int] = WHITE
    scanned: bool = False
    _convert: Callable[[NDArray[np.uint8]], NDArray[np.uint8]] | None = None

    @abstractmethod
    def _pixels(
        self, level: int, x: int, y: int, width: int, height: int
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
        """Decode a region that lies inside the level.

        Returns:
            RGB as stored, (height, width, 3) uint8; and opacity, (height, width) uint8, or None
            where all was scanned.

        Raises:
            SlideError: the pixels cannot be decoded.
        """

    @abstractmethod
    def close(self) -> None:
        """Release the file."""

    def read(self, level: int, x: int, y: int, width: int, height: int) -> NDArray[np.uint8]:
        """Return a region of a vendor level; see `Reader.read`."""
        level_width, level_height = self.level_sizes[level]
        if x < 0 or y < 0 or x + width > level_width or y + height > level_height:
            raise ValueError(f"({x}, {y}, {width}, {height}) is outside level {level}")
        rgb, opacity = self._pixels(level, x, y, width, height)
        report_progress()
        self.scanned = self.scanned or opacity is None or bool(opacity.any())
        if self._convert is not None:
            rgb = self._convert(rgb)
        return np.ascontiguousarray(composite_over(rgb, opacity, self.fill))

    def tiles(self, level: int) -> Tiles | None:
        """Return None; see `Reader.tiles`."""
        return None

    def apply_icc(self) -> None:
        """Convert what is read from now on to sRGB; see `Reader.apply_icc`."""
        if self.properties.icc is not None:
            self._convert = srgb_conversion(self.properties.icc)

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


def composite_over(
    rgb: NDArray[np.uint8], opacity: NDArray[np.uint8] | None, fill: tuple[int, int, int]
) -> NDArray[np.uint8]:
    """Lay pixels over a colour: ``(rgb·a + fill·(255 − a)) / 255``, rounded half up.

    Args:
        rgb: (h, w, 3) uint8, not premultiplied.
        opacity: ``a``, (h, w) uint8, or None where all is opaque.
        fill: the colour below.

    Returns:
        (h, w, 3) uint8; opaque pixels as they were, transparent ones ``fill`` exactly.
    """
    if opacity is None or opacity.min(initial=255) == 255:
        return rgb
    # 255 · 255 + 127 is below 2¹⁶
    alpha = opacity.astype(np.uint16)[..., np.newaxis]
    below = np.array(fill, np.uint16)
    mixed: NDArray[np.uint16] = (rgb * alpha + below * (255 - alpha) + 127) // 255
    return mixed.astype(np.uint8)


def orientation_notes(orientation: int) -> tuple[str, ...]:
    """Return what the user should know of a file's orientation tag (TIFF's and EXIF's 274).

    Args:
        orientation: 1 where rows run down and columns to the right, as nearly always.
    """
    if orientation == 1:
        return ()
    return (
        f"its orientation tag ({orientation}) is not applied: pixels are taken as the file stores "
        "them, so a viewer that turns or mirrors it shows other places",
    )


def without_target(text: str, given: Path) -> str:
    """Return a message about a slide that is a link without the name and place of its target."""
    opened = data_path(given)
    if opened == given:
        return text
    text = text.replace(str(opened.parent), str(given.parent))
    return text.replace(opened.stem, given.stem)
