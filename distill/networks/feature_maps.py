"""What a network's last feature map is like, found by running it on shapes alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

import torch
from torch import nn
from torch.func import functional_call

from distill.networks.backbone_classifier import BackboneClassifier

SIDES = (512, 224)
"""Pixels a side of the image that channels and stride are measured on; the second for networks
that take images of one size."""
Cells = Callable[[int, int], tuple[int, int]]


@dataclass(frozen=True)
class FeatureMap:
    """The last feature map of a network.

    Attributes:
        channels: C.
        stride: pixels of a side for each cell.
        measured: height and width of an image to rows and columns of its map; None where they are
            ⌈height / stride⌉ and ⌈width / stride⌉, as in our networks.
    """

    channels: int
    stride: int
    measured: Cells | None = field(default=None, compare=False, repr=False)

    def cells(self, height: int, width: int) -> tuple[int, int]:
        """Return rows and columns of the map of an image of height × width px."""
        if self.measured is not None:
            return self.measured(height, width)
        return -(-height // self.stride), -(-width // self.stride)


def feature_map(network: nn.Module) -> FeatureMap:
    """Return channels and stride of a network whose forward gives `distill.networks.Output`.

    Runs on the "meta" device: nothing is computed and the network stays as it is.

    Raises:
        RuntimeError: or what else the network raises, if it takes no image of `SIDES`.
    """
    try:
        side = SIDES[0]
        channels, rows, _ = map_shape(network, side, side)
    except (RuntimeError, ValueError, AssertionError):
        side = SIDES[1]
        channels, rows, _ = map_shape(network, side, side)
    measured = None
    if isinstance(network, BackboneClassifier):
        held = _on_meta(network)

        @lru_cache(maxsize=4096)
        def measured(height: int, width: int) -> tuple[int, int]:
            _, down, across = _shape(network, held, height, width)
            return down, across

    return FeatureMap(channels, max(1, side // rows), measured)


def map_shape(network: nn.Module, height: int, width: int) -> tuple[int, int, int]:
    """Return channels, rows and columns of the map of an image of height × width px."""
    return _shape(network, _on_meta(network), height, width)


def _on_meta(network: nn.Module) -> dict[str, torch.Tensor]:
    held = dict(network.named_parameters()) | dict(network.named_buffers())
    return {name: torch.empty_like(tensor, device="meta") for name, tensor in held.items()}


def _shape(
    network: nn.Module, held: dict[str, torch.Tensor], height: int, width: int
) -> tuple[int, int, int]:
    image = torch.empty(1, 3, height, width, device="meta")
    with torch.no_grad():
        if isinstance(network, BackboneClassifier):
            # not the head: the map's channels may not be known yet
            backbone = {k.removeprefix("backbone."): v for k, v in held.items() if "backbone." in k}
            features = functional_call(network.backbone, backbone, (network.enlarged(image),))
        else:
            features = functional_call(network, held, (image,)).features
    channels, rows, columns = features.shape[1:]
    return int(channels), int(rows), int(columns)
