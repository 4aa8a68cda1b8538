"""The layers a network is made of, as operations, so that one definition runs in several ways.

A block says `ops.norm(self.norm1, ops.conv(self.conv1, x))`. With `PlainOperations` that is the
layers themselves. `distill.networks.execution.masked` gives the group norm another meaning,
`distill.networks.execution.strips` lets every operation work on a few rows of a map. What is
computed is written once, in `networks.resnet`.
"""

from typing import Protocol, TypeVar

import torch
from torch import Tensor, nn

T = TypeVar("T")


class Operations(Protocol[T]):
    """What `T` stands for is up to the implementation: a map, some rows of one, its reach."""

    def conv(self, layer: nn.Conv2d, x: T) -> T:
        """Convolve."""
        ...

    def norm(self, layer: nn.GroupNorm, x: T) -> T:
        """Normalise by group; the result may be overwritten."""
        ...

    def relu(self, x: T) -> T:
        """Return max(x, 0), in place of a result of `norm` or `add`."""
        ...

    def pool(self, layer: nn.MaxPool2d, x: T) -> T:
        """Take the maximum; `x` is a result of `relu`."""
        ...

    def add(self, x: T, y: T) -> T:
        """Return x + y, in place of `x`, which is a result of `norm`."""
        ...


class PlainOperations:
    """Whole maps, (B, C, H, W)."""

    def conv(self, layer: nn.Conv2d, x: Tensor) -> Tensor:
        """Call the layer."""
        result: Tensor = layer(x)
        return result

    def norm(self, layer: nn.GroupNorm, x: Tensor) -> Tensor:
        """Call the layer."""
        result: Tensor = layer(x)
        return result

    def relu(self, x: Tensor) -> Tensor:
        """Return max(x, 0) in place: one map less at the peak."""
        return torch.relu_(x)

    def pool(self, layer: nn.MaxPool2d, x: Tensor) -> Tensor:
        """Call the layer."""
        result: Tensor = layer(x)
        return result

    def add(self, x: Tensor, y: Tensor) -> Tensor:
        """Return x + y, in place of `x`."""
        return x.add_(y)


PLAIN = PlainOperations()
