"""The networks that can be trained: thin ResNet-10 and ResNet-18, 34, 50 with group norms."""

from distill.networks.registry import NETWORKS, Network, build, smallest_input
from distill.networks.resnet import BasicBlock, Bottleneck, Output, ResNet, Stem

__all__ = [
    "NETWORKS",
    "BasicBlock",
    "Bottleneck",
    "Network",
    "Output",
    "ResNet",
    "Stem",
    "build",
    "smallest_input",
]
