"""Which crop sizes a cost is asked for: a store's real ones, level by level, or some given ones."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

import wsistore
from distill.data import rows_of
from distill.errors import SubsetError, UsageError


@dataclass(frozen=True)
class Sizes:
    """The crops that a network would see.

    Attributes:
        name: the level, or the size itself as "1934x1550" where there is no store.
        sizes: (height, width) in pixels, one a crop.
        slides: the slide of each crop; None where there is no store.
        mpp: median µm per pixel over the crops; None where there is no store.
        left_out: crops that are too small for the network, or lack the level.
    """

    name: str
    sizes: tuple[tuple[int, int], ...]
    slides: tuple[str, ...] | None = None
    mpp: float | None = None
    left_out: int = 0

    def median(self) -> tuple[int, int]:
        """Return the median height and the median width, rounded, as Table 1 of the paper does."""
        height, width = np.rint(np.median(np.array(self.sizes), axis=0)).astype(int).tolist()
        return height, width

    def largest(self) -> tuple[int, int]:
        """Return the size of the crop that has most pixels."""
        return max(self.sizes, key=lambda size: (size[0] * size[1], size))


def given(texts: Iterable[str], smallest: int) -> list[Sizes]:
    """Return sizes written as HEIGHTxWIDTH, each once.

    Raises:
        UsageError: if one is not so written, or smaller than the network takes.
    """
    found = []
    for text in dict.fromkeys(texts):
        if not (match := re.fullmatch(r"(\d{1,7})[x×](\d{1,7})", text)):
            raise UsageError(f"--size {text} is not HEIGHTxWIDTH in pixels, such as 1934x1550")
        height, width = int(match[1]), int(match[2])
        if min(height, width) < smallest:
            raise UsageError(f"--size {text}: the network needs {smallest} px a side")
        found.append(Sizes(f"{height}x{width}", ((height, width),)))
    return found


def of_store(
    store: wsistore.Store,
    levels: Sequence[str],
    smallest: int,
    split: str,
    subset: str | None,
) -> list[Sizes]:
    """Return the crops of a store at some levels, the finest first; no pixel is read.

    Args:
        store: the store.
        levels: names of levels; "all" stands for all that it has.
        smallest: least height and width that the network takes.
        split: name of the split that `subset` is of; not read without one.
        subset: the crops of it alone, several joined by +; all crops of the store by default.

    Raises:
        SubsetError: if a level or the subset does not exist, or no crop can be used at a level.
        wsistore.WsistoreError: if the split does not exist.
    """
    wanted = set(store.level_names if "all" in levels else levels)
    if unknown := sorted(wanted - set(store.level_names)):
        there = ", ".join(store.level_names)
        raise SubsetError(f"{store.url} has no level {unknown[0]}; --level can be: {there}, all")
    crops = store.crops if subset is None else rows_of(store, split, subset)
    slide_of = dict(zip(crops["crop"], crops["slide"], strict=True))
    found = []
    for level in (name for name in store.level_names if name in wanted):
        rows = store.levels
        rows = rows[(rows["level"] == level) & rows["crop"].isin(slide_of.keys())]
        rows = rows[rows[["height", "width"]].min(axis=1) >= smallest]
        if rows.empty:
            raise SubsetError(
                f"no crop of {store.url} is {smallest} px a side at {level}, which the network "
                "needs; leave out that --level"
            )
        pairs = zip(rows["height"].tolist(), rows["width"].tolist(), strict=True)
        slides = tuple(str(slide_of[crop]) for crop in rows["crop"])
        left_out = len(slide_of) - len(rows)
        mpp = float(rows["mpp"].median())
        found.append(Sizes(level, tuple(pairs), slides, mpp, left_out))
    return found
