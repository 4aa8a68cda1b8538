"""Some rows of a map, and a network's operations on them.

A map too large for memory is worked through in strips, as wide as the map. A strip has rows of its
own, which no other strip has, and a few more above and below, so that the layers behind have what
they look at. Each operation gives the rows that it can give in full: at a cut fewer than it was
given, at the edge of the map all of them, with the zeros that the whole map would be padded with.

A group norm needs the mean and deviation of the whole map. They are handed to it, and the gradient
that they get is handed back (`distill.networks.execution.tiled`). Where they are not known yet, the
norm gathers what
its own rows contribute, and everything behind it is unknown: None.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class Strip:
    """Rows of a map.

    Attributes:
        values: (B, C, h, W), the rows.
        top: number of the first of them in the map.
        height: rows that the map has.
        own: first row of its own, and the first one after them, counted in the map.
    """

    values: Tensor
    top: int
    height: int
    own: tuple[int, int]

    def cut(self, top: int, bottom: int) -> Strip:
        """Return the rows from `top` to before `bottom`, counted in the map."""
        return replace(self, values=self.values[:, :, top - self.top : bottom - self.top], top=top)

    def owned(self) -> Tensor:
        """Return the strip's own rows."""
        return self.cut(*self.own).values


@dataclass
class Moments:
    """Count, mean and sum of squared deviations of each (image, group), merged strip by strip.

    Attributes:
        count: numbers seen, the same for all.
        mean: (B, G) float64.
        squares: (B, G) float64, Σ (x - mean)².
    """

    count: int
    mean: Tensor
    squares: Tensor

    @classmethod
    def of(cls, values: Tensor, groups: int) -> Moments:
        """Measure (B, C, h, W)."""
        flat = values.detach().reshape(values.shape[0], groups, -1)
        variance, mean = torch.var_mean(flat, 2, correction=0)
        count = flat.shape[2]
        return cls(count, mean.double(), variance.double() * count)

    def merged(self, other: Moments) -> Moments:
        """Return the moments of both together (Chan, Golub, LeVeque 1979)."""
        count = self.count + other.count
        apart = other.mean - self.mean
        mean = self.mean + apart * (other.count / count)
        between = apart.square() * (self.count * other.count / count)
        return Moments(count, mean, self.squares + other.squares + between)


@dataclass(frozen=True)
class Statistics:
    """What a group norm knows of its whole map.

    Attributes:
        count: numbers in a group.
        mean: (B, G), in the dtype of the norm.
        rstd: (B, G), 1 / √(variance + ε), likewise.
    """

    count: int
    mean: Tensor
    rstd: Tensor


class StripOperations:
    """Operations on `Strip`, or on None for rows that are not known yet.

    Args:
        statistics: of each norm of which they are known.

    Attributes:
        gathered: what the strip's own rows contribute to each norm of which they are not.
        entered: the own rows that entered each norm of which they are, (B, C, h, W).
    """

    def __init__(self, statistics: dict[nn.GroupNorm, Statistics]) -> None:
        self.statistics = statistics
        self.gathered: dict[nn.GroupNorm, Moments] = {}
        self.entered: dict[nn.GroupNorm, Tensor] = {}

    def conv(self, layer: nn.Conv2d, x: Strip | None) -> Strip | None:
        """Convolve."""
        if x is None:
            return None
        kernel, stride, padding = layer.kernel_size[0], layer.stride[0], layer.padding[0]
        assert isinstance(padding, int)
        window, rows = _window(x, kernel, stride, padding)
        values = F.conv2d(window, layer.weight, stride=stride, padding=(0, padding))
        return replace(rows, values=values)

    def norm(self, layer: nn.GroupNorm, x: Strip | None) -> Strip | None:
        """(x - mean) · rstd · weight + bias, with the statistics of the whole map."""
        if x is None:
            return None
        if layer not in self.statistics:
            self.gathered[layer] = Moments.of(x.owned(), layer.num_groups)
            return None
        known = self.statistics[layer]
        self.entered[layer] = x.owned()
        weight = layer.weight.view(layer.num_groups, -1)
        scale = known.rstd.unsqueeze(2) * weight
        shift = layer.bias.view_as(weight) - known.mean.unsqueeze(2) * scale
        scale, shift = (value.flatten(1)[:, :, None, None] for value in (scale, shift))
        return replace(x, values=torch.addcmul(shift, x.values, scale))

    def relu(self, x: Strip | None) -> Strip | None:
        """Return max(x, 0), in place."""
        return None if x is None else replace(x, values=torch.relu_(x.values))

    def pool(self, layer: nn.MaxPool2d, x: Strip | None) -> Strip | None:
        """Take the maximum; padding rows with zeros is right, because nothing is less."""
        if x is None:
            return None
        kernel, stride, padding = layer.kernel_size, layer.stride, layer.padding
        assert isinstance(kernel, int)
        assert isinstance(stride, int)
        assert isinstance(padding, int)
        window, rows = _window(x, kernel, stride, padding)
        return replace(rows, values=F.max_pool2d(window, kernel, stride, (0, padding)))

    def add(self, x: Strip | None, y: Strip | None) -> Strip | None:
        """Return x + y, in place of `x`, in its rows, of which there are fewer."""
        if x is None or y is None:
            return None
        return replace(x, values=x.values.add_(y.cut(x.top, x.top + x.values.shape[2]).values))


def _window(x: Strip, kernel: int, stride: int, padding: int) -> tuple[Tensor, Strip]:
    """Return the rows that a sliding window sees, with its zeros, and what its result will be.

    Output row o sees the rows o · stride - padding … + kernel - 1 of its input.
    """
    end = x.top + x.values.shape[2]
    height = (x.height + 2 * padding - kernel) // stride + 1
    first = 0 if x.top == 0 else -(-(x.top + padding) // stride)
    last = height if end == x.height else (end + padding - kernel) // stride + 1
    top, bottom = first * stride - padding, (last - 1) * stride - padding + kernel
    inside = x.cut(max(top, 0), min(bottom, x.height)).values
    above, below = max(-top, 0), max(bottom - x.height, 0)
    if above or below:
        inside = F.pad(inside, (0, 0, above, below))
    own = (-(-x.own[0] // stride), -(-x.own[1] // stride))
    return inside, Strip(inside, first, height, own)


@dataclass(frozen=True)
class ReceptiveField:
    """How far back a row looks.

    Attributes:
        stride: rows of the input per row.
        margin: rows of the input that it sees above and below those it stands for, at most.
    """

    stride: int = 1
    margin: int = 0


class ReceptiveFieldOperations:
    """Operations on `ReceptiveField`: run a part on `Reach()` to learn its stride and margin."""

    def conv(self, layer: nn.Conv2d, x: ReceptiveField) -> ReceptiveField:
        """Look `padding` rows further, and stride."""
        padding = layer.padding[0]
        assert isinstance(padding, int)
        return ReceptiveField(x.stride * layer.stride[0], x.margin + x.stride * padding)

    def norm(self, layer: nn.GroupNorm, x: ReceptiveField) -> ReceptiveField:
        """Nothing."""
        return x

    def relu(self, x: ReceptiveField) -> ReceptiveField:
        """Nothing."""
        return x

    def pool(self, layer: nn.MaxPool2d, x: ReceptiveField) -> ReceptiveField:
        """Look `padding` rows further, and stride."""
        assert isinstance(layer.padding, int)
        assert isinstance(layer.stride, int)
        return ReceptiveField(x.stride * layer.stride, x.margin + x.stride * layer.padding)

    def add(self, x: ReceptiveField, y: ReceptiveField) -> ReceptiveField:
        """See what both see."""
        return ReceptiveField(x.stride, max(x.margin, y.margin))
