"""Samples read ahead, in an order that (seed, epoch) decides, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Generic, TypeVar, cast

from distill.data.dataset import CropDataset, S_co, Sample
from distill.data.prefetch import AHEAD_BYTES, read_ahead
from distill.data.rng import RandomStream, rng_for
from distill.data.sampling import balanced_order

S = TypeVar("S", bound=Sample)


def order(seed: int, epoch: int, count: int) -> list[int]:
    """Return a permutation of 0 … count - 1, a pure function of its arguments."""
    return cast(
        "list[int]", rng_for(seed, RandomStream.ORDER, epoch, 0).permutation(count).tolist()
    )


class SampleCache:
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


class SampleLoader(Generic[S_co]):
    """Reads a data set sample by sample, in an order that is new in every epoch.

    The samples and their order depend on nothing but the data set, the seed and the epoch; worker
    processes only read ahead, and samples are only kept, uint8 as the store has them.

    Args:
        crops: the data set.
        seed: of the order; None reads every epoch in the order of the data set.
        workers: processes that read ahead; 0 reads in this one.
        ahead: bytes they read ahead, at most; see `distill.data.prefetch.read_ahead`.
        room: where samples are kept after they were read; data sets can share one. None keeps none.
        balance: class number of each sample: every epoch has as many of each class then, see
            `distill.data.sampling.balanced_order`. None has each sample once.
    """

    def __init__(
        self,
        crops: CropDataset[S_co],
        seed: int | None,
        workers: int = 0,
        ahead: int = AHEAD_BYTES,
        room: SampleCache | None = None,
        balance: Sequence[int] | None = None,
    ) -> None:
        self._crops = crops
        self._seed = seed
        self._workers = workers
        self._ahead = ahead
        self._room = room or SampleCache()
        self._balance = balance
        self._kept: dict[int, S_co] = {}

    def __len__(self) -> int:
        return len(self._crops)

    def crop(self, index: int) -> str:
        """Return the id of a sample's crop."""
        return self._crops.crops[self._place(index)]

    def size(self, index: int, level: str) -> tuple[int, int]:
        """Return (height, width) of a sample at a level, without reading it."""
        return self._crops.sizes(level)[self._place(index)]

    def held(self, index: int) -> int:
        """Return the bytes of a sample's pixels, all levels together, without reading it."""
        sizes = (self.size(index, level) for level in self._crops.levels)
        return sum(3 * height * width for height, width in sizes)

    def order(self, epoch: int) -> list[int]:
        """Return the numbers of an epoch's samples, in its order."""
        if self._seed is None:
            return list(range(len(self)))
        if self._balance is not None:
            return balanced_order(self._seed, epoch, self._balance)
        return order(self._seed, epoch, len(self))

    def read(self, indices: Sequence[int]) -> Iterator[S_co]:
        """Yield some samples, in the order given. They are shared: nobody may write into them.

        Raises:
            SubsetError, wsistore.WsistoreError: if a crop cannot be read.
        """
        there = frozenset(self._kept)
        places = [self._place(index) for index in indices]
        coming = self._read([place for place in places if place not in there])
        for index, place in zip(indices, places, strict=True):
            if place in there:
                yield _numbered(self._kept[place], index)
                continue
            sample = next(coming)
            if place not in self._kept and self._room.takes(self.held(place)):
                self._kept[place] = sample
            yield _numbered(sample, index)
            del sample  # a crop larger than --read-ahead must not be there while the next is read

    def _place(self, index: int) -> int:
        return index % len(self)

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


def _numbered(sample: S, index: int) -> S:
    """Return the sample under another number: of a crop that comes again."""
    return sample if sample.index == index else replace(sample, index=index)
