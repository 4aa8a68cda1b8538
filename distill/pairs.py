"""Samples: a crop's pixels at a task's levels, in an order that (seed, epoch) decides."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar, cast

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

import wsistore
from distill.counter import Purpose, generator
from distill.errors import DistillError, SubsetError


@dataclass(frozen=True)
class Sample:
    """One crop. It carries no label: this is all that distillation sees.

    Attributes:
        crop: the crop's id.
        index: its place in the data set, from 0.
        images: level name to (3, H, W) uint8, RGB.
    """

    crop: str
    index: int
    images: Mapping[str, Tensor]


@dataclass(frozen=True)
class LabelledSample(Sample):
    """A crop with its class: `label` is the number of the class, from 0."""

    label: int


S = TypeVar("S")
S_co = TypeVar("S_co", bound=Sample, covariant=True)


class _Crops(Dataset[S_co]):
    """Reads crops of a store; each worker process opens the store for itself."""

    def __init__(self, store: Path, crops: Sequence[str], levels: Sequence[str]) -> None:
        self.path = store
        self.crops = tuple(crops)
        self.levels = tuple(dict.fromkeys(levels))
        self._store: wsistore.Store | None = None

    def __len__(self) -> int:
        return len(self.crops)

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_store": None}

    def images(self, index: int) -> dict[str, Tensor]:
        """Level name to (3, H, W) uint8.

        Raises:
            SubsetError: if an array is damaged.
            wsistore.WsistoreError: if the crop or the level is not there.
        """
        if self._store is None:
            self._store = wsistore.open(self.path)
        name = self.crops[index]
        return {level: _read(self._store, name, level) for level in self.levels}


class Crops(_Crops[Sample]):
    """Map-style data set of crops without labels.

    Args:
        store: folder of the store.
        crops: ids, in the order that `index` counts.
        levels: names of the levels to read; repeated names are read once.
    """

    def __getitem__(self, index: int) -> Sample:
        return Sample(self.crops[index], index, self.images(index))


class LabelledCrops(_Crops[LabelledSample]):
    """Map-style data set of crops with labels; `labels` are class numbers from 0, one per crop."""

    def __init__(
        self, store: Path, crops: Sequence[str], levels: Sequence[str], labels: Sequence[int]
    ) -> None:
        super().__init__(store, crops, levels)
        if len(labels) != len(self.crops):
            raise ValueError(f"{len(self.crops)} crops and {len(labels)} labels")
        self.labels = tuple(labels)

    def __getitem__(self, index: int) -> LabelledSample:
        return LabelledSample(
            self.crops[index], index, self.images(index), label=self.labels[index]
        )


def order(seed: int, epoch: int, count: int) -> list[int]:
    """Return a permutation of 0 … count - 1, a pure function of its arguments."""
    return cast("list[int]", generator(seed, Purpose.ORDER, epoch, 0).permutation(count).tolist())


class Samples(Generic[S_co]):
    """Iterates over a data set one sample at a time, epoch by epoch.

    The samples and their order depend on nothing but the data set, the seed and the epoch; worker
    processes only read ahead. They are started anew (not forked), because a fork would copy the
    locks of zarr's and CUDA's threads.

    Args:
        crops: the data set.
        seed: of the order; None reads every epoch in the order of the data set.
        workers: processes that read ahead; 0 reads in this one.
    """

    def __init__(self, crops: _Crops[S_co], seed: int | None, workers: int = 0) -> None:
        self._sampler = _Order(len(crops), seed)
        self._loader: DataLoader[S_co | Exception] = DataLoader(
            _Reported(crops),
            batch_size=None,
            sampler=self._sampler,
            num_workers=workers,
            collate_fn=_unchanged,
            multiprocessing_context="spawn" if workers else None,
            persistent_workers=workers > 0,
            generator=torch.Generator(),  # else the loader draws from torch's global generator
        )

    def __len__(self) -> int:
        return len(self._sampler)

    def epoch(self, number: int) -> Iterator[S_co]:
        """Yield every sample once, in the order of epoch `number`.

        Raises:
            SubsetError, wsistore.WsistoreError: if a crop cannot be read.
        """
        self._sampler.epoch = number
        for item in self._loader:
            if isinstance(item, Exception):
                raise item
            yield item


class _Reported(Dataset[S_co | Exception]):
    """Returns the errors a user can meet: raised in a worker, they would arrive as a traceback."""

    def __init__(self, crops: _Crops[S_co]) -> None:
        self._crops = crops

    def __getitem__(self, index: int) -> S_co | Exception:
        try:
            return self._crops[index]
        except (DistillError, wsistore.WsistoreError) as error:
            return error


class _Order(Sampler[int]):
    def __init__(self, count: int, seed: int | None) -> None:
        self._count = count
        self._seed = seed
        self.epoch = 0

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[int]:
        if self._seed is None:
            return iter(range(self._count))
        return iter(order(self._seed, self.epoch, self._count))


def _unchanged(sample: S) -> S:
    return sample


def _read(store: wsistore.Store, crop: str, level: str) -> Tensor:
    array = store[crop][level]
    try:
        pixels = np.asarray(array[:])
    except (OSError, RuntimeError, ValueError) as error:  # what zarr and its codecs raise
        raise SubsetError(f"crop {crop} of {store.path} is damaged at {level} ({error})") from error
    return torch.from_numpy(np.require(pixels, np.uint8, ["C", "W"]))
