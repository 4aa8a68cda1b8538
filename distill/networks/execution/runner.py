"""Runs a network on crops: small ones of like sizes together, a large one as memory allows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from distill.data import (
    WASTE,
    AugmentationParams,
    ChannelStats,
    batch_by_size,
    network_input,
    output_size,
)
from distill.errors import TrainingError
from distill.networks import ANSWER_PIXELS, Classifier, Output, ResNet
from distill.networks.execution import masked
from distill.networks.execution.device import available_gib
from distill.networks.execution.memory import (
    OVERHEAD,
    WINDOW,
    memory_of_forward,
    memory_of_plans,
    memory_of_whole,
    memory_together,
    pixels_that_fit,
)
from distill.networks.execution.modes import ExecutionPlan, forward
from distill.networks.execution.streamed_input import StreamedInput


class CropRunner:
    """Runs networks on crops within a budget of memory; values and gradients do not depend on it.

    Args:
        memory: bytes for the maps of one pass; None for no limit. Networks other than ours run on
            whole crops, several of one size together.
        batch_pixels: most pixels, padding included, of crops that pass through a network together;
            0 takes crops one by one.
        learns: whether a backward pass follows. Without one a crop needs far less memory.
    """

    def __init__(
        self, memory: int | None = None, batch_pixels: int = 0, *, learns: bool = True
    ) -> None:
        self.memory = memory
        self.batch_pixels = batch_pixels
        self._learns = learns
        self._ways: dict[tuple[int, int, int, bool, int], ExecutionPlan | None] = {}
        self._limits: dict[int, int] = {}
        self._needs: dict[tuple[int, bool], dict[tuple[int, int], int]] = {}
        self._together: dict[tuple[int, int, int], int] = {}

    def __call__(
        self,
        network: nn.Module,
        images: Sequence[Tensor],
        draws: Sequence[AugmentationParams | None],
        standard: ChannelStats,
        device: torch.device,
        held: Sequence[int] | None = None,
    ) -> list[Output]:
        """Return what the network says of each crop under its draw.

        Args:
            network: on `device`.
            images: each (3, H, W) uint8, RGB, on any device.
            draws: the augmentation of each, or None.
            standard: what its input is standardised with.
            device: where it runs.
            held: bytes of each crop that are in memory beside its image, and part of the budget
                of a crop that passes alone; None for none. Crops of a batch are small, and what is
                read of them has a budget of its own, --read-ahead.

        Raises:
            TrainingError: if no way fits the memory.
        """
        found: dict[int, Output] = {}
        held = held or [0] * len(images)
        for places in self.batches(network, images, draws):
            if len(places) == 1:
                (one,) = places
                found[one] = self._alone(
                    network, images[one], draws[one], standard, device, held[one]
                )
                continue
            inputs = [network_input(images[i], draws[i], standard, device) for i in places]
            if isinstance(network, ResNet):
                outputs = masked.forward(network, *masked.pad(inputs))
            else:
                assert isinstance(network, Classifier)
                outputs = _together(network, inputs)
            found |= zip(places, outputs, strict=True)
        return [found[place] for place in range(len(images))]

    def batches(
        self,
        network: nn.Module,
        images: Sequence[Tensor],
        draws: Sequence[AugmentationParams | None],
    ) -> list[tuple[int, ...]]:
        """Return the places of the crops that pass through a network together.

        Such a batch, given alone, passes as it is.
        """
        sizes = [
            output_size(draw, *image.shape[1:]) for image, draw in zip(images, draws, strict=True)
        ]
        batches = batch_by_size(
            sizes, self.limit(network), len(images), waste=self.padding(network)
        )
        if self.memory is None or isinstance(network, ResNet):
            return [batch.places for batch in batches]
        return [
            batch.places[start : start + most]
            for batch in batches
            for most in [self._most(network, batch.height, batch.width, len(batch.places))]
            for start in range(0, len(batch.places), most)
        ]

    @staticmethod
    def padding(network: nn.Module) -> float:
        """Return the fraction of a network's batches that may be padding: none but in ours."""
        return WASTE if isinstance(network, ResNet) else 0.0

    def limit(self, network: nn.Module) -> int:
        """Return the most pixels of a batch for a network; 0 if crops go one by one."""
        if not isinstance(network, Classifier):
            return 0
        if self.memory is None or not self.batch_pixels:
            return self.batch_pixels
        if id(network) not in self._limits:
            fits = pixels_that_fit(network, self.memory, learns=self._learns)
            self._limits[id(network)] = fits
        return min(self.batch_pixels, self._limits[id(network)])

    def _most(self, network: nn.Module, height: int, width: int, wanted: int) -> int:
        """Return how many crops of one size pass together, `wanted` at most, at least one.

        `limit` goes by crops of another size, and attention takes more than its share of a larger
        one.
        """
        assert self.memory is not None
        if wanted == 1:
            return 1
        key = (id(network), height, width)
        if key not in self._together:
            self._together[key] = memory_together(network, height, width, learns=self._learns)
        waiting = 0 if self._learns else 3 * WINDOW * self.limit(network)
        fits = (self.memory - OVERHEAD - waiting) // self._together[key]
        return max(1, min(wanted, fits))

    def _alone(
        self,
        network: nn.Module,
        pixels: Tensor,
        draw: AugmentationParams | None,
        standard: ChannelStats,
        device: torch.device,
        held: int,
    ) -> Output:
        way = self._way(network, pixels.shape[1], pixels.shape[2], draw is not None, held)
        if way is None:
            output: Output = network(network_input(pixels, draw, standard, device))
            return output
        assert isinstance(network, ResNet)
        if way[0] == "tiled":
            return forward(network, StreamedInput(pixels, draw, standard, device), way)
        return forward(network, network_input(pixels, draw, standard, device), way)

    def _way(
        self, network: nn.Module, height: int, width: int, drawn: bool = False, held: int = 0
    ) -> ExecutionPlan | None:
        """Return the way to run the network, None for at once."""
        if self.memory is None or not isinstance(network, Classifier):
            return None
        if not isinstance(network, ResNet):
            self._require_whole(network, height, width, drawn, held)
            return None
        if self._surely_fits(network, height, width, drawn, held):
            return None
        key = (id(network), height, width, drawn, held)
        if key not in self._ways:
            needs = memory_of_plans if self._learns else memory_of_forward
            needed = needs(network, height, width, drawn=drawn)
            self._note(network, height, width, drawn, next(iter(needed.values())))
            needed = {way: need + held for way, need in needed.items()}
            self._ways[key] = _choose(network, (height, width), needed, self.memory, self._learns)
        return self._ways[key]

    def _require_whole(
        self, network: nn.Module, height: int, width: int, drawn: bool, held: int
    ) -> None:
        """Refuse a crop whose pass as a whole does not fit; these networks know no other."""
        assert self.memory is not None
        if self._surely_fits(network, height, width, drawn, held):
            return
        known = self._needs.get((id(network), drawn), {}).get((height, width))
        if known is None:
            known = memory_of_whole(network, height, width, learns=self._learns, drawn=drawn)
            self._note(network, height, width, drawn, known)
        if (need := known + held) > self.memory:
            raise TrainingError(
                f"a crop of {height} × {width} pixels needs {need / 2**30:.1f} GiB, and --memory "
                f"is {self.memory / 2**30:.1f}; this network cannot work in strips: raise it, or "
                "choose a coarser level"
            )

    def _note(self, network: nn.Module, height: int, width: int, drawn: bool, need: int) -> None:
        """Keep the bytes that a crop needs which passes as a whole."""
        self._needs.setdefault((id(network), drawn), {})[height, width] = need

    def _surely_fits(
        self, network: nn.Module, height: int, width: int, drawn: bool, held: int
    ) -> bool:
        """Return whether a crop at least as high and as wide is known to fit as a whole.

        A smaller one needs no more, and to count what it needs takes longer than a small crop's
        pass.
        """
        assert self.memory is not None
        known = self._needs.get((id(network), drawn), {})
        return any(
            high >= height and wide >= width and need + held <= self.memory
            for (high, wide), need in known.items()
        )


def _together(network: Classifier, inputs: Sequence[Tensor]) -> list[Output]:
    """Run a network on images of one size; each result is as the image alone would give it."""
    # apart again: a loss may want the gradient of one image's logits by that image's features
    own = [one.unsqueeze(0) for one in network.extract(torch.cat(list(inputs))).unbind()]
    return [Output(network.classify(features), features) for features in own]


def _choose(
    network: ResNet,
    size: tuple[int, int],
    needed: Mapping[ExecutionPlan, int],
    memory: int,
    learns: bool,
) -> ExecutionPlan | None:
    # a tiled part computes its strips anew outside autocast, and would not get the same numbers
    tiled = not torch.is_autocast_enabled(next(network.parameters()).device.type)
    for way, need in needed.items():
        if need <= memory and (tiled or "tiled" not in way):
            return None if set(way) == {"plain"} else way
    least = min(need for way, need in needed.items() if tiled or "tiled" not in way)
    hint = ", or choose a coarser --level" if learns else ""  # a trained run has its level
    hint += "" if tiled else ", or --precision fp32, which can work in strips"
    raise TrainingError(
        f"a crop of {size[0]} × {size[1]} pixels needs {least / 2**30:.1f} GiB, and --memory is "
        f"{memory / 2**30:.1f}; raise it{hint}"
    )


def inference_runner(
    device: torch.device, gib: float | None = None, batch_pixels: int | None = None
) -> CropRunner:
    """Return how a network looks at crops to answer, within `gib` GiB or what is free.

    `batch_pixels`: of crops that pass together; None for what is quick on the device.
    """
    pixels = ANSWER_PIXELS[device.type] if batch_pixels is None else batch_pixels
    return CropRunner(int((gib or available_gib(device)) * 2**30), pixels, learns=False)


UNBOUNDED = CropRunner()
"""Every network runs on one whole crop at a time."""
