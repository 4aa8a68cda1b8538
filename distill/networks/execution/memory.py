"""Memory that a pass takes in each mode of running a network, counted from shapes alone."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from distill.networks import Classifier, ResNet
from distill.networks.execution.live_memory import peak_of_pass
from distill.networks.execution.modes import ExecutionPlan, execution_plans, tiled_prefix
from distill.networks.execution.tiled import STRIP

# Measured (docs/explanation/large-crops.md), so that estimates are rather too high than too low.
SCRATCH_MAPS = 4
"""Largest maps of a block that its backward pass has beside those it keeps: the gradient that comes
in, the one that goes out, and the copies in another order that convolutions make."""
STEM_SCRATCH = 2
"""Likewise of the stem, whose input takes no gradient."""
STRIP_MAPS = 36
"""Maps of a strip that are in work at a time, or left behind in the heap."""
MASKED_FACTOR = 2
"""A masked batch takes less than so many times what a plain pass over as many pixels takes:
autograd keeps 1.4 to 1.5 times as much, and scratch comes on top."""
AUGMENTATION_BYTES = 120
"""Bytes for each pixel of a whole crop while its colours are changed: float copies of all kinds, as
counted on torch's meta device."""
WINDOW = 8
"""Crops of so many times the pixels of a batch wait, as uint8, for others to share a batch with,
where a network only answers."""
OVERHEAD = 1 << 28
"""Bytes that every way takes, in buffers of convolutions and in the heap."""


def memory_of_plans(
    network: ResNet, height: int, width: int, *, drawn: bool = False
) -> dict[ExecutionPlan, int]:
    """Return `memory_needed` of every way, the quickest first; `drawn`: it is augmented."""
    maps, pixels = _maps(network, height, width), height * width
    return {
        way: max(_peak(maps, way, pixels), _preparing(way, pixels, drawn))
        for way in execution_plans(network)
    }


def pixels_that_fit(network: Classifier, memory: int, *, learns: bool = True) -> int:
    """Return how many pixels, padding included, a batch may have in `memory` bytes.

    Where the network only answers, crops that wait for the next batches (`WINDOW`) are counted.
    """
    waiting = 0 if learns else 3 * WINDOW
    if not isinstance(network, ResNet):
        side = 224
        one = memory_together(network, side, side, learns=learns) + waiting * side**2
        return max(0, (memory - OVERHEAD) * side**2 // one)
    side = 1024
    plain = _peak(_maps(network, side, side), execution_plans(network)[0], side**2) - OVERHEAD
    one = MASKED_FACTOR * plain + waiting * side**2
    return max(0, (memory - OVERHEAD) * side**2 // one)


def memory_of_forward(
    network: ResNet, height: int, width: int, *, drawn: bool = False
) -> dict[ExecutionPlan, int]:
    """Estimate the peak bytes of every way, the quickest first, where no backward pass follows.

    Under `torch.no_grad` or `torch.inference_mode` a part leaves its result and nothing else, so
    there is nothing to checkpoint: the ways are the first 0, 1, 2, … parts tiled, the rest plain.
    `drawn`: the crop is augmented.
    """
    maps, pixels = _maps(network, height, width), height * width
    ways = [tiled_prefix(tiled, len(maps), "plain") for tiled in range(len(maps) + 1)]
    return {
        way: max(_peak_forward(maps, way, pixels), _preparing(way, pixels, drawn)) for way in ways
    }


def memory_needed(network: ResNet, height: int, width: int, way: ExecutionPlan) -> int:
    """Estimate the peak bytes of a forward and backward pass on one crop in float32.

    The maps that autograd keeps are counted, not computed, on torch's meta device. On top come the
    uint8 crop, its float copy unless the stem is tiled, and scratch of a few maps. What the
    process has anyway (Python, torch, the network, its optimiser) is not counted.
    """
    return _peak(_maps(network, height, width), way, height * width)


def memory_of_whole(
    network: nn.Module, height: int, width: int, *, learns: bool, drawn: bool = False
) -> int:
    """Estimate the peak bytes of one whole crop's pass through any network, in float32.

    Forward, and backward if it `learns`, are run on torch's meta device, where nothing is computed;
    on top come what `OVERHEAD` counts, and the colour changes of a crop that is `drawn`.
    """
    pixels = height * width
    peak = 3 * pixels + peak_of_pass(network, height, width, learns=learns) + OVERHEAD
    return max(peak, (3 + AUGMENTATION_BYTES) * pixels + OVERHEAD if drawn else 0)


def memory_together(network: nn.Module, height: int, width: int, *, learns: bool) -> int:
    """Estimate the bytes that each crop of a batch takes, all of one size, beside `OVERHEAD`.

    They are those of the crop alone, and the float copy that the batch is put together from.
    """
    one = memory_of_whole(network, height, width, learns=learns) - OVERHEAD
    return one + 4 * 3 * height * width


class _Maps(NamedTuple):
    """Bytes of a part's maps."""

    taken: int
    made: int
    saved: int
    largest: int


def _peak(maps: Sequence[_Maps], way: ExecutionPlan, pixels: int) -> int:
    """Return the largest sum of what is kept for earlier parts and what one part works with."""
    kept = 3 * pixels
    peaks = []
    for number, (part, mode) in enumerate(zip(maps, way, strict=True)):
        stem = number == 0
        scratch = (STEM_SCRATCH if stem else SCRATCH_MAPS) * part.largest
        if mode == "tiled":
            work = part.made + (0 if stem else part.taken) + STRIP_MAPS * STRIP * 4
            work += part.made  # the gradient that comes in, and one that is being summed
            kept += 0 if stem else part.taken
        elif mode == "checkpointed":
            work = part.saved + scratch
            kept += part.taken
        else:
            work = scratch
            kept += part.taken + part.saved
        peaks.append(kept + work)
    return max(peaks) + OVERHEAD


def _peak_forward(maps: Sequence[_Maps], way: ExecutionPlan, pixels: int) -> int:
    """Return the most that one part works with, beside the uint8 crop."""
    peaks = []
    for number, (part, mode) in enumerate(zip(maps, way, strict=True)):
        stem = number == 0
        if mode == "tiled":
            peaks.append((0 if stem else part.taken) + part.made + STRIP_MAPS * STRIP * 4)
        else:
            peaks.append(part.taken + (STEM_SCRATCH if stem else SCRATCH_MAPS) * part.largest)
    return 3 * pixels + max(peaks) + OVERHEAD


def _preparing(way: ExecutionPlan, pixels: int, drawn: bool) -> int:
    """Return what a crop takes before the network sees it; a tiled stem has its rows prepared."""
    return (3 + AUGMENTATION_BYTES) * pixels + OVERHEAD if drawn and way[0] != "tiled" else 0


@torch.inference_mode(False)  # under which autograd keeps nothing, and there is nothing to count
def _maps(network: ResNet, height: int, width: int) -> list[_Maps]:
    found = []
    x = torch.empty(1, 3, height, width, device="meta")
    for part in network.parts():
        made, saved, largest = _recorded(copy.deepcopy(part).to("meta"), x)
        found.append(_Maps(x.nbytes, made.nbytes, saved, largest))
        x = made
    return found


def _recorded(part: nn.Module, x: Tensor) -> tuple[Tensor, int, int]:
    """Run on meta; return the result, the bytes that autograd saves beside `x`, the largest map."""
    ours = {_storage(t) for t in (x, *part.parameters())}
    saved: dict[int, Tensor] = {}

    def pack(tensor: Tensor) -> Tensor:
        if _storage(tensor) not in ours:
            saved[_storage(tensor)] = tensor
        return tensor

    with torch.enable_grad(), saved_tensors_hooks(pack, lambda tensor: tensor):
        made = part(x.detach().requires_grad_())
    sizes = [tensor.untyped_storage().nbytes() for tensor in saved.values()]
    # the last map is the next part's input, and counted there
    own = sum(sizes) - (made.nbytes if _storage(made) in saved else 0)
    return made.detach(), own, max([made.nbytes, x.nbytes, *sizes])


def _storage(tensor: Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)
