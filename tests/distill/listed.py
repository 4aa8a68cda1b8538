"""A data set of samples that are there already."""

from collections.abc import Iterator, Sequence
from typing import Generic, TypeVar

from distill.data.dataset import Sample
from distill.data.loader import order

S = TypeVar("S", bound=Sample)


class Listed(Generic[S]):
    """Samples of a list, in the order that real ones have; as they are where the seed is None."""

    def __init__(self, samples: Sequence[S], seed: int | None = 0) -> None:
        self.samples = samples
        self.seed = seed

    def __len__(self) -> int:
        return len(self.samples)

    def order(self, epoch: int) -> list[int]:
        return list(range(len(self))) if self.seed is None else order(self.seed, epoch, len(self))

    def read(self, indices: Sequence[int]) -> Iterator[S]:
        return iter([self.samples[i] for i in indices])

    def crop(self, index: int) -> str:
        return self.samples[index].crop

    def size(self, index: int, level: str) -> tuple[int, int]:
        height, width = self.samples[index].images[level].shape[1:]
        return height, width

    def held(self, index: int) -> int:
        return sum(image.numel() for image in self.samples[index].images.values())
