"""A store as analysis sees it: tables, arrays, splits."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import zarr

from wsistore import layout
from wsistore.errors import StoreError
from wsistore.index import read_settings, read_table

if TYPE_CHECKING:
    import pandas as pd
    from dask.array import Array as DaskArray


class Crop:
    """One tissue crop; ``crop["1.25x"]`` is an array. Holds no open file, so it pickles."""

    def __init__(self, path: Path, name: str, levels: tuple[str, ...]) -> None:
        """Name the crop whose group is at ``path``."""
        self.path, self.name, self.levels = path, name, levels

    def __getitem__(self, level: str) -> zarr.Array[Any]:
        """Return a level, (3, H, W) uint8, axes c, y, x.

        Raises:
            StoreError: the crop has no such level, or its array is missing.
        """
        if level not in self.levels:
            raise StoreError(f"crop {self.name} has no level {level}; it has {self._listed()}")
        try:
            return zarr.open_array(store=str(self.path / level), mode="r")
        except (OSError, ValueError) as error:
            raise StoreError(f"{self.path / level}: cannot be opened: {error}") from error

    def dask(self, level: str) -> DaskArray:
        """Return a level as a lazy dask array, (3, H, W) uint8; a block is a shard, one file.

        Raises:
            StoreError: the crop has no such level, or its array is missing.
        """
        # imported here: it takes half a second, which a build worker need not spend
        from dask.array import from_array

        array = self[level]
        lazy: DaskArray = from_array(array, chunks=array.shards)
        return lazy

    def _listed(self) -> str:
        return ", ".join(self.levels)

    def __repr__(self) -> str:
        return f"<Crop {self.name} {self._listed()}>"


class Store:
    """A store of tissue crops. Picklable: a worker process reads its tables anew."""

    def __init__(self, path: Path) -> None:
        """Open the store at ``path``.

        Raises:
            StoreError: there is no store, or its format is newer.
        """
        self.path = path
        self.level_names: tuple[str, ...] = tuple(read_settings(path)["levels"])
        """Canonical names of the levels, finest first."""

    def __getstate__(self) -> dict[str, object]:
        return {"path": self.path, "level_names": self.level_names}

    @cached_property
    def slides(self) -> pd.DataFrame:
        """One row per slide tried, with its outcome; columns of `wsistore.records.SlideRow`."""
        return read_table(self.path / layout.SLIDES_CSV)

    @cached_property
    def crops(self) -> pd.DataFrame:
        """One row per crop; columns of `wsistore.records.CropRow`, boxes in level-0 pixels."""
        return read_table(self.path / layout.CROPS_CSV)

    @cached_property
    def levels(self) -> pd.DataFrame:
        """One row per crop and level; columns of `wsistore.records.LevelRow`."""
        return read_table(self.path / layout.LEVELS_CSV)

    @cached_property
    def _names(self) -> frozenset[str]:
        return frozenset(self.crops["crop"])

    def icc(self, slide: str) -> bytes | None:
        """Return a slide's ICC profile as its file held it, or None where it had none.

        Raises:
            StoreError: the store holds no such slide, or its profile cannot be read.
        """
        group = self.path / layout.SLIDES / slide
        if slide not in set(self.slides["slide"]) or not group.is_dir():
            raise StoreError(f"{self.path}: holds no slide {slide!r}")
        if not (group / layout.ICC).exists():
            return None
        try:
            array = zarr.open_array(store=str(group / layout.ICC), mode="r")
            return np.asarray(array[:]).tobytes()
        except (OSError, ValueError, RuntimeError) as error:
            raise StoreError(f"{group / layout.ICC}: cannot be read: {error}") from error

    @property
    def splits(self) -> tuple[str, ...]:
        """Names of the splits, sorted."""
        return tuple(sorted(p.stem for p in (self.path / layout.SPLITS).glob("*.csv")))

    def split(self, name: str) -> pd.DataFrame:
        """Return a split: columns crop, slide, patient, label, subset.

        Raises:
            UsageError: the name cannot be one.
            StoreError: there is no such split.
        """
        path = layout.split_path(self.path, name)
        if not path.exists():
            has = ", ".join(self.splits) or "none"
            raise StoreError(f"{self.path}: has no split {name!r} (it has {has})")
        return read_table(path)

    def subsets(self, split: str) -> tuple[str, ...]:
        """Return the names that `subset` knows in a split, such as train, val, test, dev, ADv1.

        Raises:
            UsageError: the name cannot be one.
            StoreError: there is no such split.
        """
        from wsistore.split.sets import set_names  # it needs pandas, a build worker does not

        return set_names(self.split(split))

    def subset(self, split: str, name: str) -> pd.DataFrame:
        """Return the crops of a set: columns crop, slide, patient, label, subset.

        Args:
            split: name of the split.
            name: a subset such as ``train``, or ``ADv2`` for all of ``aux1`` and ``aux2``: the
                auxiliary sets are nested. Labels of auxiliary crops are NaN, whatever they are.

        Raises:
            UsageError: the split's name cannot be one.
            StoreError: there is no such split, or it has no such set.
        """
        from wsistore.split.sets import rows_of, set_names

        table = self.split(split)
        try:
            return rows_of(table, name)
        except KeyError as error:
            has = ", ".join(set_names(table)) or "no crops"
            raise StoreError(
                f"{self.path}: split {split!r} has no {name!r} (it has {has})"
            ) from error

    def __getitem__(self, crop: str) -> Crop:
        """Return a crop by its id.

        Raises:
            StoreError: there is no such crop.
        """
        if crop not in self._names:
            raise StoreError(f"{self.path}: has no crop {crop!r}; ids look like SLIDE/0")
        return Crop(self.path / layout.SLIDES / crop, crop, self.level_names)

    def __iter__(self) -> Iterator[Crop]:
        return (self[crop] for crop in self.crops["crop"])

    def __len__(self) -> int:
        return len(self.crops)

    def __repr__(self) -> str:
        levels = ", ".join(self.level_names)
        return f"<Store {self.path} {len(self)} crops of {len(self.slides)} slides, {levels}>"


def open(path: str | Path) -> Store:
    """Open a store.

    Raises:
        StoreError: there is no store at ``path``, or its format is newer.
    """
    return Store(Path(path))
