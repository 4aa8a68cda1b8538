"""A stream of crops through a network that only answers: small ones together, in bounded memory.

Which crops share a batch depends on their order, their sizes and their groups alone. A group is a
slide: its answers are the same to the last bit whatever stands beside it, in a store with others
(`distill evaluate`) or alone (`distill predict`), and whichever of its crops are wanted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

from distill.data import ChannelStats
from distill.errors import DistillError
from distill.networks import Output
from distill.networks.execution.memory import WINDOW
from distill.networks.execution.runner import CropRunner

T = TypeVar("T")


@dataclass(frozen=True)
class CropImage:
    """A crop that a network is to see.

    Attributes:
        crop: its id.
        slide: its slide's id; crops of different slides share no batch.
        image: (3, H, W) uint8, RGB.
        held: bytes that are in memory for it beside its image until the next is asked for.
        wanted: whether anyone asks for its answer. One that nobody asks for keeps the place of its
            crop in a batch, so that the others have the bits that they have beside it; only its
            size counts.
    """

    crop: str
    slide: str
    image: Tensor
    held: int = 0
    wanted: bool = True

    @property
    def pixels(self) -> int:
        """Pixels of the image."""
        return self.image.shape[1] * self.image.shape[2]


@dataclass(frozen=True)
class CropViewer(Generic[T]):
    """How a network sees crops, and what becomes of its outputs.

    Attributes:
        network: in evaluation mode.
        look: how it is run.
        standard: what its input is standardised with.
        level: name of the crops' level, for messages.
        take: makes a result of a crop's id and output; may raise DistillError. No output is kept
            beyond its batch.
    """

    network: nn.Module
    look: CropRunner
    standard: ChannelStats
    level: str
    take: Callable[[str, Output], T]

    def see(self, crops: Iterable[CropImage]) -> Iterator[tuple[str, T | DistillError]]:
        """Yield each wanted crop's id and its result, in order, or the error in its way.

        A crop waits, as uint8, until the next would bring those that wait above `WINDOW` times the
        pixels of a batch, or is of another slide; then they are cut into batches. A crop of more
        pixels than a batch passes alone, at once. A batch of which nobody wants a crop is left out.
        """
        limit = self.look.limit(self.network)
        window = _Window[T]()
        for one in crops:
            alone = one.pixels > limit
            if alone and not one.wanted:
                continue
            full = not alone and window.pixels + one.pixels > WINDOW * limit
            if window.slide != one.slide or full or not window.waiting:
                yield from self._results(window)
                window = _Window(one.slide)
            place = len(window.crops)
            window.crops.append(one.crop)
            if alone:
                (window.found[place],) = self._seen([one], one.held + 3 * window.pixels)
            else:
                window.waiting[place] = one
                window.pixels += one.pixels
            del one  # or a large crop would be there while the next is read
        yield from self._results(window)

    def _results(self, window: _Window[T]) -> Iterator[tuple[str, T | DistillError]]:
        places = list(window.waiting)
        images = [one.image for one in window.waiting.values()]
        for batch in self.look.batches(self.network, images, [None] * len(images)):
            own = [places[number] for number in batch]
            wanted = [window.waiting[place].wanted for place in own]
            if any(wanted):
                seen = self._seen([window.waiting[place] for place in own])
                window.found |= compress(zip(own, seen, strict=True), wanted)
        for place, crop in enumerate(window.crops):
            if place in window.found:
                yield crop, window.found[place]

    def _seen(self, batch: Sequence[CropImage], held: int = 0) -> list[T | DistillError]:
        """Run the network on the crops of a batch; `held`: bytes of those that wait meanwhile."""
        device = next(self.network.parameters()).device
        images, count = [one.image for one in batch], len(batch)
        try:
            with torch.inference_mode():
                outputs = self.look(
                    self.network, images, [None] * count, self.standard, device, [held] * count
                )
        except torch.OutOfMemoryError:
            return [_short(batch, self.level)] * count
        except DistillError as error:
            return [error] * count
        return [self._taken(one.crop, said) for one, said in zip(batch, outputs, strict=True)]

    def _taken(self, crop: str, output: Output) -> T | DistillError:
        try:
            with torch.inference_mode():
                return self.take(crop, output)
        except DistillError as error:
            return error


class _Window(Generic[T]):
    """Crops of a slide that follow each other: those that wait, and what was found of the others.

    Attributes:
        slide: their slide.
        crops: the id of each.
        waiting: those that wait, by their place among all.
        found: results, by place.
        pixels: of those that wait.
    """

    def __init__(self, slide: str | None = None) -> None:
        self.slide = slide
        self.crops: list[str] = []
        self.waiting: dict[int, CropImage] = {}
        self.found: dict[int, T | DistillError] = {}
        self.pixels = 0


def _short(batch: Sequence[CropImage], level: str) -> DistillError:
    largest = max(batch, key=lambda one: one.pixels)
    height, width = largest.image.shape[1:]
    size = f"({height} × {width} px at {level})"
    if len(batch) == 1:
        return DistillError(
            f"crop {largest.crop} {size} does not fit in the device's memory; lower --memory or "
            "use --device cpu"
        )
    return DistillError(
        f"a batch of {len(batch)} crops, the largest {largest.crop} {size}, does not fit in the "
        "device's memory; lower --batch-pixels or --memory, or use --device cpu"
    )
