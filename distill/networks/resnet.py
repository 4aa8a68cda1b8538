"""Residual networks with group normalisation: stem, stages of blocks, global mean, linear layer."""

from typing import TypeVar

from torch import Tensor, nn

from distill.networks.classifier import Classifier
from distill.networks.operations import PLAIN, Operations

GROUPS = 32
T = TypeVar("T")


def _conv(planes_in: int, planes_out: int, size: int, stride: int) -> nn.Conv2d:
    return nn.Conv2d(planes_in, planes_out, size, stride, padding=size // 2, bias=False)


class Part(nn.Module):
    """A part of a network whose forward pass is written in operations."""

    def run(self, x: T, ops: Operations[T]) -> T:
        """Return the part's result on `x`, whatever `ops` takes for a map."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C', ⌈H/stride⌉, ⌈W/stride⌉)."""
        return self.run(x, PLAIN)


class Stem(Part):
    """7 × 7 convolution of stride 2, group norm, ReLU, 3 × 3 max-pool of stride 2."""

    def __init__(self, planes: int) -> None:
        super().__init__()
        self.conv = _conv(3, planes, 7, 2)
        self.norm = nn.GroupNorm(GROUPS, planes)
        self.pool = nn.MaxPool2d(3, stride=2, padding=1)

    def run(self, x: T, ops: Operations[T]) -> T:
        """Stride 4."""
        return ops.pool(self.pool, ops.relu(ops.norm(self.norm, ops.conv(self.conv, x))))


class _Residual(Part):
    """A shortcut, projected where the shape changes, around something of the same shape."""

    def _connect(self, planes_in: int, planes_out: int, stride: int) -> None:
        self.projected = stride != 1 or planes_in != planes_out
        self.shortcut: nn.Module = nn.Identity()
        if self.projected:
            self.shortcut = nn.Sequential(
                _conv(planes_in, planes_out, 1, stride), nn.GroupNorm(GROUPS, planes_out)
            )

    def residual(self, x: T, ops: Operations[T]) -> T:
        """Return what is added to the shortcut, a result of `ops.norm`."""
        raise NotImplementedError

    def run(self, x: T, ops: Operations[T]) -> T:
        """Return relu(residual(x) + shortcut(x))."""
        y = self.residual(x, ops)
        if self.projected:
            conv, norm = self.shortcut.children()
            assert isinstance(conv, nn.Conv2d)
            assert isinstance(norm, nn.GroupNorm)
            x = ops.norm(norm, ops.conv(conv, x))
        return ops.relu(ops.add(y, x))


class BasicBlock(_Residual):
    """Two 3 × 3 convolutions."""

    expansion = 1

    def __init__(self, planes_in: int, planes: int, stride: int) -> None:
        super().__init__()
        self.conv1 = _conv(planes_in, planes, 3, stride)
        self.norm1 = nn.GroupNorm(GROUPS, planes)
        self.conv2 = _conv(planes, planes, 3, 1)
        self.norm2 = nn.GroupNorm(GROUPS, planes)
        self._connect(planes_in, planes, stride)

    def residual(self, x: T, ops: Operations[T]) -> T:
        """Convolve twice."""
        y = ops.relu(ops.norm(self.norm1, ops.conv(self.conv1, x)))
        return ops.norm(self.norm2, ops.conv(self.conv2, y))


class Bottleneck(_Residual):
    """1 × 1, 3 × 3 (which has the stride) and 1 × 1 convolutions; four times `planes` come out."""

    expansion = 4

    def __init__(self, planes_in: int, planes: int, stride: int) -> None:
        super().__init__()
        self.conv1 = _conv(planes_in, planes, 1, 1)
        self.norm1 = nn.GroupNorm(GROUPS, planes)
        self.conv2 = _conv(planes, planes, 3, stride)
        self.norm2 = nn.GroupNorm(GROUPS, planes)
        self.conv3 = _conv(planes, 4 * planes, 1, 1)
        self.norm3 = nn.GroupNorm(GROUPS, 4 * planes)
        self._connect(planes_in, 4 * planes, stride)

    def residual(self, x: T, ops: Operations[T]) -> T:
        """Convolve three times."""
        y = ops.relu(ops.norm(self.norm1, ops.conv(self.conv1, x)))
        y = ops.relu(ops.norm(self.norm2, ops.conv(self.conv2, y)))
        return ops.norm(self.norm3, ops.conv(self.conv3, y))


class ResNet(Classifier):
    """Stem, four stages of blocks, global mean, one linear layer.

    Args:
        classes: number of classes K.
        block: the kind of block.
        blocks: how many in each stage; all but the first stage halve the map.
        planes: of the first stage (and the stem); each later stage has twice as many.
    """

    def __init__(
        self,
        classes: int,
        block: type[BasicBlock] | type[Bottleneck],
        blocks: tuple[int, int, int, int],
        planes: int,
    ) -> None:
        super().__init__()
        self.stem = Stem(planes)
        stages = []
        planes_in = planes
        for number, count in enumerate(blocks):
            wide, stride = planes << number, 1 if number == 0 else 2
            first = block(planes_in, wide, stride)
            planes_in = wide * block.expansion
            rest = [block(planes_in, wide, 1) for _ in range(count - 1)]
            stages.append(nn.Sequential(first, *rest))
        self.stages = nn.Sequential(*stages)
        self.head = nn.Linear(planes_in, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):  # He initialisation, as in the paper
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def parts(self) -> list[Part]:
        """Return the stem and every block, in order; the head is not among them."""
        return [module for module in self.modules() if isinstance(module, Part)]

    def extract(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) to the last feature map (B, C, ⌈H/32⌉, ⌈W/32⌉), after ReLU."""
        features: Tensor = self.stages(self.stem(image))
        return features

    def stage_parameters(self) -> list[list[nn.Parameter]]:
        """Return those of the stem and of the four stages."""
        return [list(part.parameters()) for part in (self.stem, *self.stages)]
