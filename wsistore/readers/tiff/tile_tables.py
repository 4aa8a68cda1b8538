"""The tables of a TIFF that say where its tiles lie: what they leave out, and what is damage."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tifffile import TiffPage

from wsistore.errors import DamagedSlideError
from wsistore.readers.base import Tiles

_HEADER = 8
"""Bytes before which no tile of any TIFF begins."""


def tiles_of(page: TiffPage, path: Path) -> Tiles:
    """Return the tiles (or strips) of a page as its tables list them.

    TIFF leaves tiles out on purpose, with a length of 0 (sparse files, Philips' empty areas). What
    the tables do not list at all is damage.

    Args:
        page: any page; where samples are apart, a tile of each makes a row of its own.
        path: its file.

    Raises:
        DamagedSlideError: a tile is not listed, or lies where none can; or more are listed than
            the image has.
    """
    columns = -(-page.imagewidth // page.tilewidth) if page.is_tiled else 1
    tiles, size = int(np.prod(page.chunked)), path.stat().st_size
    image = f"its image of {page.imagewidth} × {page.imagelength} pixels"
    offsets = _listed(page.dataoffsets, tiles, image)
    counts = _listed(page.databytecounts, tiles, image)
    # Aperio writes a place and no length; a place of 0 with a length is the header's
    lost = (counts > 0) & (offsets < _HEADER)
    if lost.any():
        raise DamagedSlideError(
            f"{image} has {int(lost.sum())} of its {tiles} tiles in the file's header; "
            "copy it again, or export it anew"
        )
    end = int((offsets + counts)[counts > 0].max(initial=0))
    if end > size:
        raise DamagedSlideError(
            f"the file is cut short: it has {size} bytes, its tiles end at {end}; copy it again"
        )
    return Tiles(
        page.tilewidth or page.imagewidth,
        page.tilelength or page.rowsperstrip,
        counts.reshape(-1, columns),
    )


def require_tiles(tiles: Tiles) -> None:
    """Refuse an image of which every tile is left out.

    Raises:
        DamagedSlideError: it is.
    """
    if not tiles.bytes.any():
        raise DamagedSlideError(
            f"all of its {tiles.bytes.size} tiles are missing, so it has no pixels; "
            "copy it again, or export it anew"
        )


def _listed(values: Sequence[int], tiles: int, image: str) -> NDArray[np.int64]:
    """Return what a table says of each tile, (tiles,) int64.

    Raises:
        DamagedSlideError: it has too few values, or too many that are not 0.
    """
    if len(values) < tiles or any(values[tiles:]):
        raise DamagedSlideError(
            f"{image} has {tiles} tiles, and the file lists {len(values)}; "
            "copy it again, or export it anew"
        )
    return np.array(values[:tiles], np.int64)
