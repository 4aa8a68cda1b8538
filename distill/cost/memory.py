"""Memory that one crop's pass takes: for an answer alone, or to learn from it.

Both are estimates, made on torch's meta device, where nothing is computed. Neither counts what the
process has anyway: Python, torch, the network, its optimiser. `docs/reference/cost.md` has
what was measured beside them.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from distill.data import to_input
from distill.networks import ResNet, memory_of_plans

UNIT = (0.5, 0.5, 0.5)
"""Mean and deviation to standardise with where the values do not matter."""


class Memory(NamedTuple):
    """Bytes at the peak of one crop's pass in float32.

    Attributes:
        inference: forward alone, as `distill evaluate` runs it: the uint8 crop, its float copies,
            and every map as long as it is in use.
        training: forward and backward, every map kept (`distill.networks.execution.modes`,
        "plain").
        training_least: the same in strips, the way that needs least.
    """

    inference: int
    training: int
    training_least: int


def peak_memory(network: ResNet, height: int, width: int) -> Memory:
    """Estimate the peaks for one crop of height × width pixels."""
    ways = list(memory_of_plans(network, height, width).values())
    return Memory(inference(network, height, width), ways[0], min(ways))


def inference(network: torch.nn.Module, height: int, width: int) -> int:
    """Bytes that are in use at the peak of an answer to a (3, height, width) uint8 crop."""
    shapes = {name: p.to("meta") for name, p in network.state_dict().items()}
    live = _Live()
    with torch.no_grad(), live:
        image = torch.empty(3, height, width, dtype=torch.uint8, device="meta")
        torch.func.functional_call(network, shapes, (to_input(image, UNIT, UNIT),))
    return live.peak


class _Live(TorchDispatchMode):
    """Adds up, after each operation, the bytes of what operations made and somebody still holds."""

    def __init__(self) -> None:
        super().__init__()
        self.peak = 0
        self._made: dict[StorageWeakRef, int] = {}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        made = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(made):
            if isinstance(tensor, torch.Tensor):
                storage = tensor.untyped_storage()
                self._made[StorageWeakRef(storage)] = storage.nbytes()
        self._made = {held: size for held, size in self._made.items() if not held.expired()}
        self.peak = max(self.peak, sum(self._made.values()))
        return made
