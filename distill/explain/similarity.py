"""How alike two maps of one crop are: correlations over the cells of the coarser one."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import rankdata

from distill.explain.grid import Map, averaged
from wsistore import PixelGrid

FEWEST = 3
"""Two cells always correlate by 1 or -1."""
ABOUT = (
    "Pearson's and Spearman's correlation of the two maps over the cells of the coarser one; the "
    "finer map is averaged over the area of each coarse cell; null where there are fewer than "
    f"{FEWEST} cells or a map is the same everywhere"
)


def similarity(
    first: Map, first_grid: PixelGrid, second: Map, second_grid: PixelGrid
) -> dict[str, Any]:
    """Compare two maps of one crop, whichever is the coarser.

    Returns:
        cells: how many were compared; pearson and spearman, in -1 … 1, or None where there are
        fewer than three cells or one of the maps is constant. Ties have their mean rank.
    """
    if first_grid.x.step > second_grid.x.step:
        return similarity(second, second_grid, first, first_grid)
    a, b = averaged(first, first_grid, second_grid).ravel(), second.ravel()
    return {
        "cells": b.size,
        "pearson": _correlation(a, b),
        "spearman": _correlation(rankdata(a), rankdata(b)),
    }


def _correlation(a: Map, b: Map) -> float | None:
    if a.size < FEWEST or np.ptp(a) == 0 or np.ptp(b) == 0:
        return None
    return float(np.clip(np.corrcoef(a, b)[0, 1], -1, 1))
