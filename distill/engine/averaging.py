"""The exponential moving average of weights, which is validated and kept instead of them."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from distill.runs import AVERAGE, Modules


class WeightAverage:
    """e₀ = w₀ and eₜ = d eₜ₋₁ + (1 - d) wₜ, of the weights w after each update t.

    All parameters are averaged, also those of what learns beside the network. Buffers (the running
    figures of batch norm) are not: the average has those of the network. A parameter that does not
    learn stays what it is, bit for bit.

    Args:
        parts: what learns, by name.
        decay: d, 0 to 1; None keeps no average, and all methods do nothing.

    Attributes:
        parts: what goes into the checkpoint: what learns, and the average of each, which has the
            name of what it is an average of behind `distill.runs.AVERAGE`.
    """

    def __init__(self, parts: Modules, decay: float | None) -> None:
        self._decay = decay
        self._pairs = []
        if decay is not None:
            pairs = {name: (part, copy.deepcopy(part)) for name, part in parts.items()}
            self._pairs = list(pairs.values())
            parts = {**parts, **{f"{AVERAGE}{name}": pair[1] for name, pair in pairs.items()}}
        for _, average in self._pairs:
            average.requires_grad_(False)
        self.parts: Modules = parts

    @torch.no_grad()
    def update(self) -> None:
        """Take in the weights after an update."""
        if self._decay is None:
            return
        for average, weight in self._parameters():
            average.lerp_(weight, 1 - self._decay)
        for average, buffer in self._buffers():
            average.copy_(buffer)

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Give what learns the values of its average for as long as the context lasts."""
        self._exchange()
        try:
            yield
        finally:
            self._exchange()

    def _exchange(self) -> None:
        for average, value in (*self._parameters(), *self._buffers()):
            average.data, value.data = value.data, average.data

    def _parameters(self) -> Iterator[tuple[Tensor, Tensor]]:
        for part, average in self._pairs:
            yield from zip(average.parameters(), part.parameters(), strict=True)

    def _buffers(self) -> Iterator[tuple[Tensor, Tensor]]:
        for part, average in self._pairs:
            yield from zip(average.buffers(), part.buffers(), strict=True)
