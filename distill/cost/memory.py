"""Memory that one crop's pass takes: for an answer alone, or to learn from it.

Both are estimates, made on torch's meta device, where nothing is computed. Neither counts what the
process has anyway: Python, torch, the network, its optimiser. `docs/reference/cost.md` has
what was measured beside them.
"""

from __future__ import annotations

from typing import NamedTuple

import torch

from distill.data import to_input
from distill.networks import Classifier, LiveMemory, ResNet, memory_of_plans, memory_of_whole

UNIT = (0.5, 0.5, 0.5)
"""Mean and deviation to standardise with where the values do not matter."""


class Memory(NamedTuple):
    """Bytes at the peak of one crop's pass in float32.

    Attributes:
        inference: forward alone, as `distill evaluate` runs it: the uint8 crop, its float copies,
            and every map as long as it is in use.
        training: forward and backward, every map kept (`distill.networks.execution.modes`,
        "plain").
        training_least: the same in strips, the way that needs least; networks of libraries, and
            ours with another input, have no other way than the whole crop.
    """

    inference: int
    training: int
    training_least: int


def peak_memory(network: Classifier, height: int, width: int) -> Memory:
    """Estimate the peaks for one crop of height × width pixels."""
    if not isinstance(network, ResNet):
        whole = memory_of_whole(network, height, width, learns=True)
        return Memory(inference(network, height, width), whole, whole)
    ways = list(memory_of_plans(network, height, width).values())
    return Memory(inference(network, height, width), ways[0], min(ways))


def inference(network: torch.nn.Module, height: int, width: int) -> int:
    """Bytes that are in use at the peak of an answer to a (3, height, width) uint8 crop."""
    shapes = {name: p.to("meta") for name, p in network.named_parameters()}
    shapes |= {name: b.to("meta") for name, b in network.named_buffers()}
    live = LiveMemory()
    with torch.no_grad(), live:
        image = torch.empty(3, height, width, dtype=torch.uint8, device="meta")
        torch.func.functional_call(network, shapes, (to_input(image, UNIT, UNIT),))
    return live.peak
