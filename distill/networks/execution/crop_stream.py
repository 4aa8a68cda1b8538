"""A stream of crops through a network that only answers: small ones together, in bounded memory.

Which crops share a batch depends on their order, their sizes and their groups alone. A group is a
slide: its answers are the same to the last bit whatever stands beside it, in a store with others
(`distill evaluate`) or alone (`distill predict`), and whichever of its crops are wanted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

from distill.data import AugmentationParams, ChannelStats
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
class Eye:
    """A network that sees crops, and how they are brought before it.

    Attributes:
        network: in evaluation mode.
        standard: what its input is standardised with.
        views: flips and turns under which it sees each crop; None is the crop as it is.
        prepared: makes of a crop the image that the network sees, of the same size; None takes the
            crop's own.
    """

    network: nn.Module
    standard: ChannelStats
    views: Sequence[AugmentationParams | None] = (None,)
    prepared: Callable[[CropImage], Tensor] | None = None


@dataclass(frozen=True)
class CropViewer(Generic[T]):
    """How networks see crops, and what becomes of their outputs.

    Attributes:
        eyes: at least one; each sees every crop, and a crop is not read again for the next.
        look: how they are run.
        level: name of the crops' level, for messages.
        take: makes a result of a crop's id and output; may raise DistillError. No output is kept
            beyond its batch.
    """

    eyes: Sequence[Eye]
    look: CropRunner
    level: str
    take: Callable[[str, Output], T]

    def see(self, crops: Iterable[CropImage]) -> Iterator[tuple[str, list[T] | DistillError]]:
        """Yield each wanted crop's id and its results, in order, or the error in their way.

        The results are those of the first eye, view by view, then those of the next.

        A crop waits, as uint8, until the next would bring those that wait above `WINDOW` times the
        pixels of a batch, or is of another slide; then they are cut into batches. A crop of more
        pixels than a batch passes alone, at once. A batch of which nobody wants a crop is left out.
        """
        limit = min(self.look.limit(eye.network) for eye in self.eyes)
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
                self._look({place: one}, window, one.held + 3 * window.pixels, alone=True)
            else:
                window.waiting[place] = one
                window.pixels += one.pixels
            del one  # or a large crop would be there while the next is read
        yield from self._results(window)

    def _results(self, window: _Window[T]) -> Iterator[tuple[str, list[T] | DistillError]]:
        if window.waiting:
            self._look(window.waiting, window)
        for place, crop in enumerate(window.crops):
            if place in window.found:
                yield crop, window.found[place]

    def _look(
        self,
        crops: Mapping[int, CropImage],
        window: _Window[T],
        held: int = 0,
        *,
        alone: bool = False,
    ) -> None:
        """Show crops to every eye; `held`: bytes that are in memory meanwhile, beside images."""
        places = list(crops)
        for eye in self.eyes:
            images = [_prepared(one, eye) for one in crops.values()]
            # of a crop that passes alone, its image and what was made of it are both there
            beside = (
                sum(one.image.nbytes for one in crops.values()) if alone and eye.prepared else 0
            )
            for view in eye.views:
                draws = [view] * len(images)
                for batch in self.look.batches(eye.network, images, draws):
                    own = [crops[places[number]] for number in batch]
                    if any(one.wanted for one in own):
                        shown = [images[number] for number in batch]
                        seen = self._seen(eye, view, own, shown, held + beside)
                        for number, result in zip(batch, seen, strict=True):
                            window.add(places[number], crops[places[number]], result)

    def _seen(
        self,
        eye: Eye,
        view: AugmentationParams | None,
        batch: Sequence[CropImage],
        images: Sequence[Tensor],
        held: int,
    ) -> list[T | DistillError]:
        """Run a network on the crops of a batch."""
        device, count = next(eye.network.parameters()).device, len(batch)
        try:
            with torch.inference_mode():
                outputs = self.look(
                    eye.network, images, [view] * count, eye.standard, device, [held] * count
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


def _prepared(crop: CropImage, eye: Eye) -> Tensor:
    """Return the image that an eye sees; of a crop that nobody asks for only the size counts."""
    return crop.image if eye.prepared is None or not crop.wanted else eye.prepared(crop)


class _Window(Generic[T]):
    """Crops of a slide that follow each other: those that wait, and what was found of the others.

    Attributes:
        slide: their slide.
        crops: the id of each.
        waiting: those that wait, by their place among all.
        found: results of those that are wanted, by place; or what stood in their way.
        pixels: of those that wait.
    """

    def __init__(self, slide: str | None = None) -> None:
        self.slide = slide
        self.crops: list[str] = []
        self.waiting: dict[int, CropImage] = {}
        self.found: dict[int, list[T] | DistillError] = {}
        self.pixels = 0

    def add(self, place: int, crop: CropImage, result: T | DistillError) -> None:
        """Note one more result of a crop; nothing more after an error."""
        if not crop.wanted:
            return
        known = self.found.setdefault(place, [])
        if isinstance(result, DistillError):
            self.found[place] = result if isinstance(known, list) else known
        elif isinstance(known, list):
            known.append(result)


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
