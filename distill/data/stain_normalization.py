"""The stains of crops brought to those of a reference, when their pixels are read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distill.data.macenko import Macenko
from distill.data.reinhard import Reinhard
from distill.data.stain_figures import StainFigures

STAIN_FIGURES: Mapping[str, type[StainFigures]] = {one.method: one for one in (Reinhard, Macenko)}
"""The ways to normalize stains; `distill.data.choices.STAIN_METHODS` has their names too."""
Stains = Mapping[str, StainFigures]
"""What the crops are brought to, by the name of the level that is read; no level, no change."""
_CHUNK = 2**15
"""Pixels that are changed at a time: their float copies stay in the processor's cache."""


def normalize_stains(image: NDArray[np.uint8], reference: StainFigures) -> bool:
    """Bring the stains of a crop to those of a reference, in place.

    What a pixel becomes depends on the crop and the reference alone: not on who reads it, in how
    many threads, or how much of it is changed at a time.

    Args:
        image: (3, H, W) uint8, RGB, writable; the whole crop, at the level that is read.
        reference: of the run.

    Returns:
        Whether it could be done. A crop that has too little to be measured stays as it is.
    """
    source = type(reference).measure(image)
    if source is None:
        return False
    apply = reference.transfer(source)
    _, height, width = image.shape
    rows = max(1, _CHUNK // width)
    for top in range(0, height, rows):
        part = image[:, top : top + rows]
        part[...] = apply(part)
    return True


def read_stains(recorded: Mapping[str, Any]) -> StainFigures:
    """Return what `StainFigures.record` wrote.

    Raises:
        ValueError: it is something else.
    """
    method = str(recorded.get("method"))
    if method not in STAIN_FIGURES:
        raise ValueError(f"no stain normalization is called {method!r}")
    return STAIN_FIGURES[method].of(recorded)
