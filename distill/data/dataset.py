"""Samples: a crop's pixels at a task's levels, in an order that (seed, epoch) decides."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import torch
from torch import Tensor

import wsistore
from distill.data.pixel_transfer import Pixels
from distill.data.prefetch import NONE, Request, read_crops
from distill.data.stain_normalization import Stains


@dataclass(frozen=True)
class Sample:
    """One crop. It carries no label: this is all that distillation sees.

    Attributes:
        crop: the crop's id.
        index: its place in the data set, from 0; plus the size of the data set for each time that
            its crop came before in the epoch, see `distill.data.sampling.balanced_order`.
        images: level name to (3, H, W) uint8, RGB.
    """

    crop: str
    index: int
    images: Mapping[str, Tensor]

    def beside(self, level: str) -> int:
        """Return the bytes of its pixels at other levels, there while a network sees this one."""
        return sum(image.nbytes for name, image in self.images.items() if name != level)


@dataclass(frozen=True)
class LabeledSample(Sample):
    """A crop with its class: `label` is the number of the class, from 0."""

    label: int


S_co = TypeVar("S_co", bound=Sample, covariant=True)


class CropDataset(ABC, Generic[S_co]):
    """Crops of a store at some levels; `store` is whatever `wsistore.open` takes.

    `stains` is what the stains of a level are brought to when it is read: see `read_crops`.
    """

    def __init__(
        self,
        store: str | Path,
        crops: Sequence[str],
        levels: Sequence[str],
        stains: Stains = NONE,
    ) -> None:
        self.path = store
        self.crops = tuple(crops)
        self.levels = tuple(dict.fromkeys(levels))
        self.stains = stains
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
        crop = self.crops[index]
        return self.sample(index, read_crops(self._opened(), crop, self.levels, self.stains))

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
            yield Request(self.path, crop, self.levels, int(sizes.get(crop, 0)), self.stains)

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


class Crops(CropDataset[Sample]):
    """Map-style data set of crops without labels.

    Args:
        store: the store, as `wsistore.open` takes it.
        crops: ids, in the order that `index` counts.
        levels: names of the levels to read; repeated names are read once.
        stains: what the stains of some levels are brought to.
    """

    def sample(self, index: int, pixels: Pixels) -> Sample:
        """Return a sample without a label."""
        return Sample(self.crops[index], index, _tensors(pixels))


class LabeledCrops(CropDataset[LabeledSample]):
    """Map-style data set of crops with labels; `labels` are class numbers from 0, one per crop."""

    def __init__(
        self,
        store: str | Path,
        crops: Sequence[str],
        levels: Sequence[str],
        labels: Sequence[int],
        stains: Stains = NONE,
    ) -> None:
        super().__init__(store, crops, levels, stains)
        if len(labels) != len(self.crops):
            raise ValueError(f"{len(self.crops)} crops and {len(labels)} labels")
        self.labels = tuple(labels)

    def sample(self, index: int, pixels: Pixels) -> LabeledSample:
        """Return a sample with its label."""
        return LabeledSample(self.crops[index], index, _tensors(pixels), label=self.labels[index])


def _tensors(pixels: Pixels) -> dict[str, Tensor]:
    return {level: torch.from_numpy(values) for level, values in pixels.items()}
