"""A slide at a coarse, fixed physical scale, to find regions on; read in strips."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wsistore.errors import SlideError
from wsistore.levels import Box, StreamingDownsampler, output_length
from wsistore.readers import NativeLevels, Reader

STRIP_PIXELS = 4_000_000
"""Source pixels read at a time."""


@dataclass(frozen=True)
class Thumbnail:
    """A coarse image of a whole slide.

    Attributes:
        image: (h, w, 3) uint8 RGB, axes y, x, c.
        scale_x, scale_y: level-0 pixels per overview pixel.
        mpp: µm per overview pixel.
        level: index of the vendor level that it was read from.
    """

    image: NDArray[np.uint8]
    scale_x: float
    scale_y: float
    mpp: float
    level: int = 0

    def to_level0(self, box: Box) -> Box:
        """Return a box given in overview pixels in level-0 pixels, rounded outward."""
        x0, y0 = int(np.floor(box.x * self.scale_x)), int(np.floor(box.y * self.scale_y))
        x1, y1 = int(np.ceil(box.right * self.scale_x)), int(np.ceil(box.bottom * self.scale_y))
        return Box(x0, y0, x1 - x0, y1 - y0)


def read_thumbnail(levels: NativeLevels, mpp: float, target_mpp: float) -> Thumbnail:
    """Read the slide at about ``target_mpp``, from the coarsest sound vendor level fine enough.

    Vendor levels serve here because nothing but the place of tissue is taken from them. One that
    cannot stand for level 0, or cannot be decoded, is passed over for the next finer one.

    Args:
        levels: of the open slide.
        mpp: µm per level-0 pixel.
        target_mpp: wanted µm per overview pixel; a slide smaller than one such pixel is read at
            its own scale.

    Raises:
        SlideError: the pixels of level 0 cannot be decoded, or none was ever scanned.
    """
    reader = levels.reader
    width0 = reader.level_sizes[0][0]
    fine = [
        level
        for level, (width, _) in enumerate(reader.level_sizes)
        if level == 0 or mpp * width0 / width <= target_mpp
    ]
    while True:
        chosen = levels.first_sound(reversed(fine))
        try:
            overview = _read_level(reader, chosen, mpp, target_mpp)
            if not reader.scanned:
                raise SlideError(
                    "no pixel of it was scanned: all its tiles are missing, or all its pixels "
                    "are transparent; copy it again, or export it anew"
                )
        except SlideError as error:
            if chosen == 0:
                raise
            levels.pass_over(chosen, error)
        else:
            return overview


def _read_level(reader: Reader, level: int, mpp: float, target_mpp: float) -> Thumbnail:
    width0, height0 = reader.level_sizes[0]
    width, height = reader.level_sizes[level]
    factor = max(target_mpp / (mpp * width0 / width), 1.0)
    if min(output_length(width, factor), output_length(height, factor)) < 1:
        factor = 1.0
    stream = StreamingDownsampler(width, height, [factor])
    rows = max(STRIP_PIXELS // width, 1)
    parts = [
        stream.push(reader.read(level, 0, y, width, min(rows, height - y)))[0]
        for y in range(0, height, rows)
    ]
    scale_x, scale_y = factor * width0 / width, factor * height0 / height
    image = np.concatenate(parts)
    return Thumbnail(image, scale_x, scale_y, mpp * (scale_x + scale_y) / 2, level)
