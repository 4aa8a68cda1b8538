"""Samples: a crop's pixels at a task's levels, in an order that (seed, epoch) decides."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar, cast

import torch
from torch import Tensor

import wsistore
from distill.counter import Purpose, generator
from distill.handing import Pixels
from distill.reading import AHEAD_BYTES, Request, read, read_ahead


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

    def beside(self, level: str) -> int:
        """Return the bytes of its pixels at other levels, there while a network sees this one."""
        return sum(image.nbytes for name, image in self.images.items() if name != level)


@dataclass(frozen=True)
class LabelledSample(Sample):
    """A crop with its class: `label` is the number of the class, from 0."""

    label: int


S_co = TypeVar("S_co", bound=Sample, covariant=True)


class CropSet(ABC, Generic[S_co]):
    """Crops of a store at some levels; `store` is whatever `wsistore.open` takes."""

    def __init__(self, store: str | Path, crops: Sequence[str], levels: Sequence[str]) -> None:
        self.path = store
        self.crops = tuple(crops)
        self.levels = tuple(dict.fromkeys(levels))
        self._store: wsistore.Store | None = None
        self._sizes: dict[str, list[tuple[int, int]]] = {}

    def __len__(self) -> int:
        return len(self.crops)

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_store": None}

    def __getitem__(self, index: int) -> S_co:
        """Read one sample.

        Raises:
            SubsetError: if an array is damaged.
            wsistore.WsistoreError: if the crop or the level is not there.
        """
        return self.sample(index, read(self._opened(), self.crops[index], self.levels))

    @abstractmethod
    def sample(self, index: int, pixels: Pixels) -> S_co:
        """Return the sample that a crop's pixels make."""

    def requests(self, indices: Sequence[int]) -> Iterator[Request]:
        """Yield what has to be read for each of some crops, and how many bytes it will be."""
        rows = self._opened().levels
        rows = rows[rows["level"].isin(self.levels)]
        sizes = (3 * rows["height"] * rows["width"]).groupby(rows["crop"]).sum().to_dict()
        for index in indices:
            crop = self.crops[index]
            yield Request(self.path, crop, self.levels, int(sizes.get(crop, 0)))

    def sizes(self, level: str) -> list[tuple[int, int]]:
        """Return (height, width) of every crop at a level, from the store's tables."""
        if level not in self._sizes:
            rows = self._opened().levels
            rows = rows[rows["level"] == level].set_index("crop").loc[list(self.crops)]
            pairs = zip(rows["height"], rows["width"], strict=True)
            self._sizes[level] = [(int(height), int(width)) for height, width in pairs]
        return self._sizes[level]

    def _opened(self) -> wsistore.Store:
        if self._store is None:
            self._store = wsistore.open(self.path)
        return self._store


class Crops(CropSet[Sample]):
    """Map-style data set of crops without labels.

    Args:
        store: the store, as `wsistore.open` takes it.
        crops: ids, in the order that `index` counts.
        levels: names of the levels to read; repeated names are read once.
    """

    def sample(self, index: int, pixels: Pixels) -> Sample:
        """Return a sample without a label."""
        return Sample(self.crops[index], index, _tensors(pixels))


class LabelledCrops(CropSet[LabelledSample]):
    """Map-style data set of crops with labels; `labels` are class numbers from 0, one per crop."""

    def __init__(
        self, store: str | Path, crops: Sequence[str], levels: Sequence[str], labels: Sequence[int]
    ) -> None:
        super().__init__(store, crops, levels)
        if len(labels) != len(self.crops):
            raise ValueError(f"{len(self.crops)} crops and {len(labels)} labels")
        self.labels = tuple(labels)

    def sample(self, index: int, pixels: Pixels) -> LabelledSample:
        """Return a sample with its label."""
        return LabelledSample(self.crops[index], index, _tensors(pixels), label=self.labels[index])


def order(seed: int, epoch: int, count: int) -> list[int]:
    """Return a permutation of 0 … count - 1, a pure function of its arguments."""
    return cast("list[int]", generator(seed, Purpose.ORDER, epoch, 0).permutation(count).tolist())


class Room:
    """Bytes of memory in which data sets keep decoded samples, so that they are read once.

    A sample that has come in stays. Each epoch reads every sample once, in an order of its own, so
    to exchange samples would save no reading.
    """

    def __init__(self, size: int = 0) -> None:
        self._free = size

    def takes(self, size: int) -> bool:
        """Return whether `size` more bytes fit; if so, they are taken."""
        fits = size <= self._free
        self._free -= size if fits else 0
        return fits


class Samples(Generic[S_co]):
    """Reads a data set sample by sample, in an order that is new in every epoch.

    The samples and their order depend on nothing but the data set, the seed and the epoch; worker
    processes only read ahead, and samples are only kept, uint8 as the store has them.

    Args:
        crops: the data set.
        seed: of the order; None reads every epoch in the order of the data set.
        workers: processes that read ahead; 0 reads in this one.
        ahead: bytes they read ahead, at most; see `distill.reading.read_ahead`.
        room: where samples are kept after they were read; data sets can share one. None keeps none.
    """

    def __init__(
        self,
        crops: CropSet[S_co],
        seed: int | None,
        workers: int = 0,
        ahead: int = AHEAD_BYTES,
        room: Room | None = None,
    ) -> None:
        self._crops = crops
        self._seed = seed
        self._workers = workers
        self._ahead = ahead
        self._room = room or Room()
        self._kept: dict[int, S_co] = {}

    def __len__(self) -> int:
        return len(self._crops)

    def crop(self, index: int) -> str:
        """Return the id of a sample's crop."""
        return self._crops.crops[index]

    def size(self, index: int, level: str) -> tuple[int, int]:
        """Return (height, width) of a sample at a level, without reading it."""
        return self._crops.sizes(level)[index]

    def held(self, index: int) -> int:
        """Return the bytes of a sample's pixels, all levels together, without reading it."""
        sizes = (self.size(index, level) for level in self._crops.levels)
        return sum(3 * height * width for height, width in sizes)

    def order(self, epoch: int) -> list[int]:
        """Return the places of all samples in the order of an epoch."""
        if self._seed is None:
            return list(range(len(self)))
        return order(self._seed, epoch, len(self))

    def read(self, indices: Sequence[int]) -> Iterator[S_co]:
        """Yield some samples, in the order given. They are shared: nobody may write into them.

        Raises:
            SubsetError, wsistore.WsistoreError: if a crop cannot be read.
        """
        there = frozenset(self._kept)
        coming = self._read([index for index in indices if index not in there])
        for index in indices:
            if index in there:
                yield self._kept[index]
                continue
            sample = next(coming)
            if index not in self._kept and self._room.takes(self.held(index)):
                self._kept[index] = sample
            yield sample
            del sample  # a crop larger than --read-ahead must not be there while the next is read

    def _read(self, indices: Sequence[int]) -> Iterator[S_co]:
        if not self._workers:
            yield from (self._crops[index] for index in indices)
            return
        coming = read_ahead(self._crops.requests(indices), self._workers, self._ahead)
        for index, pixels in zip(indices, coming, strict=True):
            yield self._crops.sample(index, pixels)

    def epoch(self, number: int) -> Iterator[S_co]:
        """Yield every sample once, in the order of epoch `number`; errors as in `read`."""
        return self.read(self.order(number))


def _tensors(pixels: Pixels) -> dict[str, Tensor]:
    return {level: torch.from_numpy(values) for level, values in pixels.items()}
