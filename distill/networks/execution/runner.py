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
from distill.networks import Classifier, Output, ResNet
from distill.networks.execution import masked
from distill.networks.execution.device import available_gib
from distill.networks.execution.memory import (
    memory_of_forward,
    memory_of_plans,
    memory_of_whole,
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
        self._needs: dict[tuple[int, int, int, bool], int] = {}

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
        return [batch.places for batch in batches]

    @staticmethod
    def padding(network: nn.Module) -> float:
        """Return the fraction of a network's batches that may be padding: none but in ours."""
        return WASTE if isinstance(network, ResNet) else 0.0

    def limit(self, network: nn.Module) -> int:
        """Return the most pixels of a batch for a network; 0 if crops go one by one."""
        if not isinstance(network, Classifier):
            return 0
        if self.memory is None:
            return self.batch_pixels
        if id(network) not in self._limits:
            fits = pixels_that_fit(network, self.memory, learns=self._learns)
            self._limits[id(network)] = fits
        return min(self.batch_pixels, self._limits[id(network)])

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
        key = (id(network), height, width, drawn, held)
        if key not in self._ways:
            needs = memory_of_plans if self._learns else memory_of_forward
            needed = needs(network, height, width, drawn=drawn)
            needed = {way: need + held for way, need in needed.items()}
            self._ways[key] = _choose(network, (height, width), needed, self.memory, self._learns)
        return self._ways[key]

    def _require_whole(
        self, network: nn.Module, height: int, width: int, drawn: bool, held: int
    ) -> None:
        """Refuse a crop whose pass as a whole does not fit; these networks know no other."""
        assert self.memory is not None
        key = (id(network), height, width, drawn)
        if key not in self._needs:
            self._needs[key] = memory_of_whole(
                network, height, width, learns=self._learns, drawn=drawn
            )
        if (need := self._needs[key] + held) > self.memory:
            raise TrainingError(
                f"a crop of {height} × {width} pixels needs {need / 2**30:.1f} GiB, and --memory "
                f"is {self.memory / 2**30:.1f}; this network cannot work in strips: raise it, or "
                "choose a coarser level"
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
    device: torch.device, gib: float | None = None, batch_pixels: int = 0
) -> CropRunner:
    """Return how a network looks at crops to answer, within `gib` GiB or what is free."""
    return CropRunner(int((gib or available_gib(device)) * 2**30), batch_pixels, learns=False)


UNBOUNDED = CropRunner()
"""Every network runs on one whole crop at a time."""
