"""Whether a slide's frames lie where its tags place them: pixels must continue across borders.

The order of frames is known from tags alone, which may be wrong. Pixels then show it: where frames
do not belong side by side, what is on one ends at the border of the next.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from wsistore.errors import SlideError
from wsistore.readers import Reader

BORDERS = 12
"""Borders sampled along each axis; each costs the decoding of two frames."""

LEAST = 4
"""Borders at tissue that a judgment needs."""

SHARE = 0.7
"""Share of them that must be broken."""

_REACH = 4
_CONTENT = 3.0
"""Standard deviation in grey levels above which a side shows more than glass."""


def seam_warning(reader: Reader) -> str:
    """Return a sentence where a slide is broken at nearly all borders of frames, else nothing.

    Args:
        reader: an open slide; only one with a ``frame_size`` is judged.
    """
    if reader.frame_size is None:
        return ""
    found = [broken(strip) for strip in _strips(reader, *reader.frame_size) if has_content(strip)]
    if len(found) < LEAST or sum(found) < SHARE * len(found):
        return ""
    return (
        f"its picture breaks off at {sum(found)} of {len(found)} sampled borders of frames: they "
        "may lie in another order than its tags say; look at it before you use it"
    )


def has_content(strip: NDArray[np.uint8]) -> bool:
    """Tell whether a border has tissue on one side at least, and frames on both.

    Args:
        strip: (n, 2 k, 3) uint8, the border in the middle of the second axis.
    """
    half = strip.shape[1] // 2
    along = [side.mean(axis=(1, 2)) for side in (strip[:, :half], strip[:, half:])]
    # what was never scanned has one color throughout
    return all(np.ptp(side) > 0 for side in along) and any(side.std() > _CONTENT for side in along)


def broken(strip: NDArray[np.uint8]) -> bool:
    """Tell whether a picture breaks off in the middle of a strip's second axis.

    The mean step across the border is then several times that between neighbors beside it, which
    neither compression nor the joints of a scanner reach.
    """
    steps = np.abs(np.diff(strip.astype(np.int16), axis=1)).mean(axis=(0, 2))
    border = strip.shape[1] // 2 - 1
    beside = np.delete(steps, border).mean()
    return bool(steps[border] > 3 * beside + 4)


def _strips(reader: Reader, width: int, height: int) -> Iterator[NDArray[np.uint8]]:
    """Yield sampled borders of frames of level 0, spread over the slide, as `broken` takes them."""
    whole, high = reader.level_sizes[0]
    across = [(x, y) for y in range(0, high, height) for x in range(width, whole, width)]
    down = [(x, y) for x in range(0, whole, width) for y in range(height, high, height)]
    for places, turned in ((across, False), (down, True)):
        for index in np.linspace(0, len(places) - 1, min(BORDERS, len(places))).round().astype(int):
            x, y = places[index]
            try:
                if turned:
                    top, reach = y - _REACH, min(2 * _REACH, high - y + _REACH)
                    part = reader.read(0, x, top, min(width, whole - x), reach).swapaxes(0, 1)
                else:
                    left, reach = x - _REACH, min(2 * _REACH, whole - x + _REACH)
                    part = reader.read(0, left, y, reach, min(height, high - y))
            except SlideError:
                # a damaged frame may lie where no crop does; one that is needed fails the slide
                continue
            if part.shape[1] == 2 * _REACH:
                yield part
