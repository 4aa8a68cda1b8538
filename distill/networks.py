"""The networks that can be trained: the authors' thin ResNet-10 with group normalisation."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

GROUPS = 32
PLANES = (32, 64, 128, 256)


class Output(NamedTuple):
    """What a network returns.

    Attributes:
        logits: (B, K) float, one score per class before softmax.
        features: (B, C, h, w) float, the last feature map, after ReLU.
    """

    logits: Tensor
    features: Tensor


def _conv(planes_in: int, planes_out: int, size: int, stride: int) -> nn.Conv2d:
    return nn.Conv2d(planes_in, planes_out, size, stride, padding=size // 2, bias=False)


class Stem(nn.Module):
    """7 × 7 convolution of stride 2, group norm, ReLU, 3 × 3 max-pool of stride 2."""

    def __init__(self, planes: int) -> None:
        super().__init__()
        self.conv = _conv(3, planes, 7, 2)
        self.norm = nn.GroupNorm(GROUPS, planes)
        self.pool = nn.MaxPool2d(3, stride=2, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) to (B, C, ⌈H/4⌉, ⌈W/4⌉)."""
        pooled: Tensor = self.pool(torch.relu(self.norm(self.conv(image))))
        return pooled


class BasicBlock(nn.Module):
    """Two 3 × 3 convolutions and a shortcut, which is projected where the shape changes."""

    def __init__(self, planes_in: int, planes: int, stride: int) -> None:
        super().__init__()
        self.conv1 = _conv(planes_in, planes, 3, stride)
        self.norm1 = nn.GroupNorm(GROUPS, planes)
        self.conv2 = _conv(planes, planes, 3, 1)
        self.norm2 = nn.GroupNorm(GROUPS, planes)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or planes_in != planes:
            self.shortcut = nn.Sequential(
                _conv(planes_in, planes, 1, stride), nn.GroupNorm(GROUPS, planes)
            )

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C', ⌈H/stride⌉, ⌈W/stride⌉)."""
        y = torch.relu(self.norm1(self.conv1(x)))
        y = self.norm2(self.conv2(y))
        return torch.relu(y + self.shortcut(x))


class ResNet(nn.Module):
    """Stem, four stages of basic blocks, global mean, one linear layer.

    The three parts are modules of their own and `forward` is their composition, so that a part can
    be run alone (a stem in tiles, stages under a mask).
    """

    def __init__(self, classes: int, blocks: tuple[int, int, int, int]) -> None:
        super().__init__()
        self.stem = Stem(PLANES[0])
        stages = []
        planes_in = PLANES[0]
        for number, (planes, count) in enumerate(zip(PLANES, blocks, strict=True)):
            stride = 1 if number == 0 else 2
            first = BasicBlock(planes_in, planes, stride)
            rest = [BasicBlock(planes, planes, 1) for _ in range(count - 1)]
            stages.append(nn.Sequential(first, *rest))
            planes_in = planes
        self.stages = nn.Sequential(*stages)
        self.head = nn.Linear(planes_in, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):  # He initialisation, as in the paper
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def extract(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) to the last feature map (B, 256, ⌈H/32⌉, ⌈W/32⌉), after ReLU."""
        features: Tensor = self.stages(self.stem(image))
        return features

    def classify(self, features: Tensor) -> Tensor:
        """(B, 256, h, w) to logits (B, K): the mean over the map, then the linear layer."""
        logits: Tensor = self.head(features.mean((2, 3)))
        return logits

    def forward(self, image: Tensor) -> Output:
        """(B, 3, H, W) standardised float to `Output`.

        Raises:
            ValueError: if the stem's output is 1 × 1 (see `smallest_input`).
        """
        features = self.extract(image)
        return Output(self.classify(features), features)


NETWORKS: dict[str, Callable[[int], nn.Module]] = {
    "resnet10": lambda classes: ResNet(classes, (1, 1, 1, 1)),
}

_SMALLEST = {"resnet10": 5}  # its first 32-plane map after the pool must be larger than 1 × 1


def build(name: str, classes: int, *, seed: int = 0) -> nn.Module:
    """Return a freshly initialised network, on the CPU, in training mode.

    The initial weights are a function of (name, classes, seed); torch's global generator is left
    as it was.

    Args:
        name: a key of `NETWORKS`.
        classes: number of classes K, at least 1.
        seed: 0 to 2⁶³ - 1.

    Raises:
        KeyError: if there is no such network.
    """
    make = NETWORKS[name]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make(classes)


def smallest_input(name: str) -> int:
    """Return the smallest height and width, in pixels, that the network can take.

    A group norm of one channel per group divides by the deviation of a map; a 1 × 1 map has none,
    and torch raises. The stem makes ⌈n/4⌉ cells of n pixels, so n = 5 is the first that works.
    """
    return _SMALLEST[name]
