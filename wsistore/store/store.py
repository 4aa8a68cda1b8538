"""A store as analysis sees it: tables, arrays, splits."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from wsistore.errors import StoreError
from wsistore.files import file_name
from wsistore.storage import StoreLike, StoreRoot, layout, open_root
from wsistore.store.channel_statistics import Statistics, statistics
from wsistore.store.crop import Crop
from wsistore.store.digests import file_sha256, settings_sha256
from wsistore.tables import read_settings, read_split, read_table

if TYPE_CHECKING:
    import pandas as pd

    from wsistore.slides import ClassMap
    from wsistore.split import Fold
    from wsistore.store.summary import Info


class Store:
    """A store of tissue crops. Picklable: a worker process reads its tables anew."""

    def __init__(self, place: StoreLike, storage_options: Mapping[str, Any] | None = None) -> None:
        """Open the store at a path or a URL; see `open`."""
        self.root: StoreRoot = open_root(place, storage_options)
        self.settings: dict[str, Any] = read_settings(self.root)
        """What decided the pixels: see the root group in docs/reference/store-format.md."""
        self.level_names: tuple[str, ...] = tuple(self.settings["levels"])
        """Canonical names of the levels, finest first."""

    def __getstate__(self) -> dict[str, object]:
        keys = ("root", "settings", "level_names")
        return {key: self.__dict__[key] for key in keys}

    @property
    def path(self) -> Path:
        """The store's folder.

        Raises:
            StoreError: the store is not on this machine; `url` names it anywhere.
        """
        return self.root.folder

    @property
    def url(self) -> str:
        """Path or URL of the store, without credentials."""
        return str(self.root)

    @cached_property
    def slides(self) -> pd.DataFrame:
        """One row per slide tried, with its outcome; columns of `wsistore.tables.SlideRow`."""
        return read_table(self.root / layout.SLIDES_CSV)

    @cached_property
    def crops(self) -> pd.DataFrame:
        """One row per crop; columns of `wsistore.tables.CropRow`, boxes in level-0 pixels."""
        return read_table(self.root / layout.CROPS_CSV)

    @cached_property
    def levels(self) -> pd.DataFrame:
        """One row per crop and level; columns of `wsistore.tables.records.LevelRow`."""
        return read_table(self.root / layout.LEVELS_CSV)

    @cached_property
    def _slides(self) -> StoreRoot:
        return self.root / layout.SLIDES

    @cached_property
    def _boxes(self) -> dict[str, tuple[int, int, int, int, float]]:
        """Crop to its x, y, width and height in level-0 pixels, and the µm of one."""
        columns = (self.crops[name].tolist() for name in ("x", "y", "width", "height", "mpp"))
        return dict(zip(self.crops["crop"], zip(*columns, strict=True), strict=True))

    def icc(self, slide: str) -> bytes | None:
        """Return a slide's ICC profile as its file held it, or None where it had none.

        Raises:
            StoreError: the store holds no such slide, or its profile cannot be read.
        """
        rows = self.slides[self.slides["slide"] == slide]
        if rows.empty or rows["outcome"].iloc[0] == "failed":
            raise StoreError(f"{self.url}: holds no slide {slide!r}")
        if not rows["icc"].iloc[0]:
            return None
        place = self.root / layout.SLIDES / slide / layout.ICC
        try:
            return np.asarray(place.open_array()[:]).tobytes()
        except place.errors as error:
            raise StoreError(f"{place}: cannot be read: {error}") from error

    @property
    def splits(self) -> tuple[str, ...]:
        """Names of the splits, sorted.

        Raises:
            StoreError: they cannot be listed, as on a web server.
        """
        names = (self.root / layout.SPLITS).names()
        return tuple(name.removesuffix(".csv") for name in names if name.endswith(".csv"))

    def info(self) -> Info:
        """Return what the store holds, from its tables: classes, sizes, levels, every split.

        Raises:
            StoreError: a table is missing or damaged, or the splits cannot be listed.
        """
        from wsistore.store.summary import summarize  # here, for it takes its time

        splits = {name: (self.split(name), self.class_map(name)) for name in self.splits}
        return summarize(
            file_name(self.root.absolute().name),
            read_settings(self.root),
            self.slides,
            self.crops,
            self.levels,
            splits,
        )

    def split(self, name: str) -> pd.DataFrame:
        """Return a split: columns crop, slide, patient, label, subset.

        Raises:
            UsageError: the name cannot be one.
            StoreError: there is no such split, it is being replaced, or its table is damaged.
        """
        from wsistore.split import require_finished  # here, for it takes its time

        path = layout.split_path(self.root, name)
        require_finished(self.root, name)
        return read_split(self._existing(path, name))

    def _existing(self, path: StoreRoot, split: str) -> StoreRoot:
        if not path.exists():
            which = f" (it has {', '.join(self.splits) or 'none'})" if self.root.listable else ""
            raise StoreError(f"{self.url}: has no split {split!r}{which}")
        return path

    def split_sha256(self, name: str) -> str:
        """Return the SHA-256 of the bytes of ``splits/NAME.csv``, in hexadecimal.

        The file counts as it is, whatever its record says, also while the split is being replaced.

        Raises:
            UsageError: the name cannot be one.
            StoreError: there is no such split, or its file cannot be read.
        """
        return file_sha256(self._existing(layout.split_path(self.root, name), name))

    def tables_sha256(self) -> dict[str, str]:
        """Return the SHA-256 of the bytes of ``crops.csv`` and of ``levels.csv``, by these names.

        They stand for the store: ``levels.csv`` holds exact sums of every crop's pixels.

        Raises:
            StoreError: a table is missing or cannot be read.
        """
        names = (layout.CROPS_CSV, layout.LEVELS_CSV)
        return {name: file_sha256(self.root / name) for name in names}

    def settings_sha256(self) -> str:
        """Return the SHA-256 of `settings`, which every slide of the store was built with.

        The bytes are those of ``json.dumps(settings, sort_keys=True, ensure_ascii=False)``, UTF-8.
        """
        return settings_sha256(self.settings)

    def statistics(self, level: str, crops: Collection[str] | None = None) -> Statistics:
        """Return the channels' mean and deviation over all pixels of some crops; reads no pixel.

        Args:
            level: name of the level.
            crops: ids, each counted once; all crops by default.

        Returns:
            Mean and standard deviation, each (3,) float64 in grey levels 0 … 255, exact up to one
            rounding; see `wsistore.store.channel_statistics`.

        Raises:
            StoreError: there are no crops, or one of them lacks the level.
        """
        return statistics(self.levels, level, crops)

    def subsets(self, split: str) -> tuple[str, ...]:
        """Return the names that `subset` knows in a split, such as train, val, test, dev, ADv1.

        Raises:
            UsageError: the name cannot be one.
            StoreError: there is no such split, or its table is damaged.
        """
        from wsistore.split import set_names  # it needs pandas, a build worker does not

        return set_names(self.split(split))

    def class_map(self, split: str) -> ClassMap:
        """Return which classes of the store a split leaves out or takes together.

        The labels of its table are what this makes of the store's.

        Raises:
            UsageError: the name cannot be one.
            StoreError: there is no such split, or its record is damaged.
        """
        from wsistore.split import class_map  # it needs pandas, a build worker does not

        self.split(split)
        return class_map(self.root, split)

    def folds(self, family: str) -> tuple[Fold, ...]:
        """Return the folds that were made by a name, of one repeat after the other.

        Raises:
            UsageError: no folds were made by it, or it cannot be a name.
            StoreError: its record is damaged.
        """
        from wsistore.split import folds_of

        return folds_of(self.root, family)

    def fold(self, split: str) -> Fold | None:
        """Return which fold of which family a split is, None if it is no fold.

        Raises:
            UsageError: the name cannot be one.
            StoreError: a record is damaged.
        """
        from wsistore.split import fold_of

        return fold_of(self.root, split)

    def subset(self, split: str, name: str) -> pd.DataFrame:
        """Return the crops of a set: columns crop, slide, patient, label, subset.

        Args:
            split: name of the split.
            name: a subset such as ``train``, or ``ADv2`` for all of ``aux1`` and ``aux2``: the
                auxiliary sets are nested. Labels of auxiliary crops are NaN, whatever they are.
                Or a labelled set such as ``L10``: the crops of ten patients of ``train``.

        Raises:
            UsageError: the split's name cannot be one.
            StoreError: there is no such split, or it has no such set.
        """
        from wsistore.split import rows_of, set_names

        table = self.split(split)
        try:
            return rows_of(table, name)
        except KeyError as error:
            has = ", ".join(set_names(table)) or "no crops"
            raise StoreError(
                f"{self.url}: split {split!r} has no {name!r} (it has {has})"
            ) from error

    def __getitem__(self, crop: str) -> Crop:
        """Return a crop by its id.

        Raises:
            StoreError: there is no such crop.
        """
        if crop not in self._boxes:
            raise StoreError(f"{self.url}: has no crop {crop!r}; ids look like SLIDE/0")
        exact = bool(self.settings.get("exact_mpp"))
        return Crop(self._slides / crop, crop, self.level_names, self._boxes[crop], exact)

    def __iter__(self) -> Iterator[Crop]:
        return (self[crop] for crop in self.crops["crop"])

    def __len__(self) -> int:
        return len(self.crops)

    def __repr__(self) -> str:
        levels = ", ".join(self.level_names)
        return f"<Store {self.url} {len(self)} crops of {len(self.slides)} slides, {levels}>"


def open(place: StoreLike, storage_options: Mapping[str, Any] | None = None) -> Store:
    """Open a store.

    Args:
        place: a folder, or a URL of a file system that fsspec knows, such as
            ``s3://bucket/store`` or ``https://host/store``.
        storage_options: of that file system, such as ``{"anon": True}``; what is not given comes
            from where it looks itself (environment variables, its own files).

    Raises:
        StoreError: there is no store, it cannot be reached, or its format is newer.
        UsageError: no file system has such URLs, its package is missing, or it takes no such
            options.
    """
    return Store(place, storage_options)
