"""How much a file may declare before it is opened: the limits, and how to raise each."""

from __future__ import annotations

import os
from dataclasses import dataclass

from wsistore.errors import UsageError


@dataclass(frozen=True)
class Limit:
    """The most that is taken of something.

    Attributes:
        what: is counted, in the plural.
        most: by default.
        variable: the environment variable that holds another number.
    """

    what: str
    most: int
    variable: str

    def now(self) -> int:
        """Return the limit in force.

        Raises:
            UsageError: the environment variable holds no whole number above 0.
        """
        text = os.environ.get(self.variable, "")
        if not text:
            return self.most
        if not text.isdecimal() or int(text) == 0:
            raise UsageError(f"{self.variable} is {text!r}, not a whole number above 0")
        return int(text)

    def fault(self, declared: int) -> str:
        """Say that a number is beyond the limit, and how to raise it; empty where it is not."""
        most = self.now()
        if declared <= most:
            return ""
        return (
            f"{declared:,} {self.what} where at most {most:,} are taken; if that is right, set "
            f"{self.variable} to more"
        )


SIDE = Limit("pixels along a side", 500_000, "WSISTORE_MAX_SIDE")
"""25 cm at 0.5 µm/px: a whole slide at 40× has at most 300,000."""

TILES = Limit("tiles", 5_000_000, "WSISTORE_MAX_TILES")
"""Of all images of a file: 400,000 × 400,000 pixels in tiles of 240 × 240, and its pyramid."""

TILE_PIXELS = Limit("pixels in a tile", 8192 * 8192, "WSISTORE_MAX_TILE_PIXELS")
"""A tile is decoded as a whole, 200 MB at this size; scanners write 240 to 4,096 pixels a side."""

IMAGES = Limit("images", 5_000, "WSISTORE_MAX_IMAGES")
"""Pages and SubIFDs of a TIFF: a slide has its levels, label and macro, a stack of planes more."""

TEXT_BYTES = Limit("bytes of text", 1 << 29, "WSISTORE_MAX_TEXT_BYTES")
"""Of a table or a file of annotations: it is held in memory, several times over."""

LIMITS = (SIDE, TILES, TILE_PIXELS, IMAGES, TEXT_BYTES)
