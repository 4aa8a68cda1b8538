"""What a network's last feature map is like, found by running it on shapes alone."""

from typing import NamedTuple

import torch
from torch import nn
from torch.func import functional_call

SIDE = 512


class FeatureMap(NamedTuple):
    """The last feature map of a network.

    Attributes:
        channels: C.
        stride: an image of H × W px gives ⌈H / stride⌉ × ⌈W / stride⌉ cells.
    """

    channels: int
    stride: int

    def cells(self, height: int, width: int) -> tuple[int, int]:
        """Return rows and columns of the map of an image of height × width px."""
        return -(-height // self.stride), -(-width // self.stride)


def feature_map(network: nn.Module) -> FeatureMap:
    """Return channels and stride of a network whose forward gives `distill.networks.Output`.

    Runs on the "meta" device: nothing is computed and the network stays as it is.
    """
    held = {
        name: torch.empty_like(tensor, device="meta")
        for name, tensor in network.state_dict(keep_vars=True).items()
    }
    image = torch.empty(1, 3, SIDE, SIDE, device="meta")
    with torch.no_grad():
        features = functional_call(network, held, (image,)).features
    return FeatureMap(int(features.shape[1]), SIDE // int(features.shape[2]))
