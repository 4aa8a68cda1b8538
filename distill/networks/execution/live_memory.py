"""Bytes that are in use while a network runs, counted operation by operation on shapes alone."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class LiveMemory(TorchDispatchMode):
    """Adds up, after each operation, the bytes of what operations made and somebody still holds.

    Attributes:
        peak: the most that was in use.
    """

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


def peak_of_pass(network: nn.Module, height: int, width: int, *, learns: bool) -> int:
    """Return the bytes in use at the peak of a pass over (1, 3, height, width) float32.

    Forward alone, or with the backward pass of the logits' sum. Parameters and buffers are not
    counted, but gradients of those that learn are.
    """
    held = dict(network.named_parameters()) | dict(network.named_buffers())
    shapes = {name: torch.empty_like(value, device="meta") for name, value in held.items()}
    for name, value in held.items():
        shapes[name].requires_grad_(learns and value.requires_grad)
    live = LiveMemory()
    with torch.inference_mode(False), torch.set_grad_enabled(learns), live:
        image = torch.empty(1, 3, height, width, device="meta")
        total = torch.func.functional_call(network, shapes, (image,)).logits.sum()
        if learns:
            total.backward()
    return live.peak
