"""Peak memory of a pass on a device, against what the product expects of it."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import torch

from bench.gpu.setup import Setup
from distill.data import ChannelStats
from distill.networks import Classifier, CropRunner, ResNet, available_gib, build, build_resnet
from distill.networks.execution.memory import (
    OVERHEAD,
    memory_of_forward,
    memory_of_plans,
    memory_of_whole,
    pixels_that_fit,
)
from distill.networks.execution.modes import ExecutionPlan, forward, plan_name
from distill.networks.execution.streamed_input import StreamedInput

STANDARD = ChannelStats((0.7, 0.6, 0.7), (0.2, 0.2, 0.2))
LIBRARY = "torchvision/efficientnet_b0"
BATCH_BYTES = 2**31
"""Memory that a batch of small crops is cut for."""


class Peak(NamedTuple):
    """Bytes that a pass took beside what was there before; None where nobody knows.

    torch counts on CUDA alone, and a pass that is not expected to fit is not made.

    Attributes:
        allocated: in tensors and workspaces, at the peak.
        reserved: taken from the driver meanwhile.
    """

    allocated: int | None
    reserved: int | None


class Measurement(NamedTuple):
    """What a pass was expected to take, and took.

    Attributes:
        what: network and kind of pass.
        crop: its pixels.
        way: how the network ran.
        estimate: bytes.
        allocated: see `Peak`.
        reserved: see `Peak`.
    """

    what: str
    crop: str
    way: str
    estimate: int
    allocated: int | None
    reserved: int | None


def peak(device: torch.device, work: Callable[[], object]) -> Peak:
    """Do something and return what memory it took at its peak.

    `reserved` is counted from an empty cache, so that nothing earlier helps.
    """
    if device.type != "cuda":
        work()
        return Peak(None, None)
    gc.collect()
    torch.cuda.synchronize(device)
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device), torch.cuda.memory_reserved(device)
    work()
    torch.cuda.synchronize(device)
    allocated = torch.cuda.max_memory_allocated(device) - before[0]
    return Peak(allocated, torch.cuda.max_memory_reserved(device) - before[1])


def crop(height: int, width: int) -> torch.Tensor:
    """(3, height, width) uint8 of noise."""
    made = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (3, height, width), dtype=torch.uint8, generator=made)


def memory(here: Setup) -> Iterator[Measurement]:
    """Measure passes over square crops in every way, a library's network, and a batch."""
    device = here.device
    network = build_resnet("resnet10", 3).to(device)
    library = build(LIBRARY, 3).to(device)
    _pass(network, device, 64, None)  # whatever libraries take once
    _pass(library, device, 64, None)
    for side in here.scale.squares:
        size = f"{side}²"
        plans = memory_of_plans(network, side, side)
        for way, need in _distinct(plans):
            found = _peak(here, need, partial(_pass, network, device, side, way))
            yield Measurement("resnet10, learns", size, plan_name(way), need, *found)
        for way, need in _distinct(memory_of_forward(network, side, side)):
            found = _peak(here, need, partial(_look, network, device, side, way))
            yield Measurement("resnet10, answers", size, plan_name(way), need, *found)
        for learns in (True, False):
            need = memory_of_whole(library, side, side, learns=learns)
            work = _pass if learns else _look
            found = _peak(here, need, partial(work, library, device, side, None))
            name = f"{LIBRARY.partition('/')[2]}, {'learns' if learns else 'answers'}"
            yield Measurement(name, size, "plain", need, *found)
    yield _batch(network, here)


def _peak(here: Setup, need: int, work: Callable[[], None]) -> Peak:
    """Measure what is expected to fit."""
    if need > available_gib(here.device) * 2**30:
        return Peak(None, None)
    return peak(here.device, work)


def _distinct(plans: dict[ExecutionPlan, int]) -> list[tuple[ExecutionPlan, int]]:
    """Return the ways that matter: plain, checkpointed, some in strips, all in strips."""
    return [(way, need) for way, need in plans.items() if way.count("tiled") in (0, 2, len(way))]


def _pass(network: Classifier, device: torch.device, side: int, way: ExecutionPlan | None) -> None:
    """Forward and backward; the gradients are gone afterwards."""
    source = StreamedInput(crop(side, side), None, STANDARD, device)
    if way is None:
        logits = network(source.rows(0, side)).logits
    else:
        assert isinstance(network, ResNet)
        logits = forward(network, source, way).logits
    torch.autograd.backward(logits.square().sum())
    network.zero_grad(set_to_none=True)


@torch.inference_mode()
def _look(network: Classifier, device: torch.device, side: int, way: ExecutionPlan | None) -> None:
    source = StreamedInput(crop(side, side), None, STANDARD, device)
    if way is None:
        network(source.rows(0, side))
    else:
        assert isinstance(network, ResNet)
        forward(network, source, way)


def _batch(network: ResNet, here: Setup) -> Measurement:
    """Fill a batch of two sizes, so that it is masked, up to what is said to fit."""
    most = BATCH_BYTES if here.device.type == "cuda" else OVERHEAD + 2**24
    side = min(here.scale.squares) // 4
    count = max(2, pixels_that_fit(network, most) // side**2)
    images = [crop(side - number % 2, side) for number in range(count)]
    look = CropRunner(None, count * side**2)

    def work() -> None:
        outputs = look(network, images, [None] * count, STANDARD, here.device)
        torch.autograd.backward(torch.stack([one.logits.square().sum() for one in outputs]).sum())
        network.zero_grad(set_to_none=True)

    return Measurement("resnet10, learns", f"{count} of {side}²", "masked batch", most,
                       *_peak(here, most, work))  # fmt: skip
