"""The networks that can be trained, by name."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from distill.networks.resnet import BasicBlock, Bottleneck, ResNet


@dataclass(frozen=True)
class Network:
    """What is known of a network without building it.

    Attributes:
        make: number of classes to the network.
        smallest: the smallest height and width it can take, in pixels.
        channels: of the last feature map.
        stride: pixels of the input per cell of the last feature map; ⌈n / stride⌉ cells of n.
    """

    make: Callable[[int], ResNet]
    smallest: int
    channels: int
    stride: int = 32


NETWORKS: dict[str, Network] = {
    # the authors' "thin" network. Its first 32 planes are groups of one: a map of 1 × 1 fails.
    "resnet10": Network(lambda k: ResNet(k, BasicBlock, (1, 1, 1, 1), 32), 5, 256),
    # torchvision's, with GroupNorm(32, planes) for its batch norms
    "resnet18": Network(lambda k: ResNet(k, BasicBlock, (2, 2, 2, 2), 64), 1, 512),
    "resnet34": Network(lambda k: ResNet(k, BasicBlock, (3, 4, 6, 3), 64), 1, 512),
    "resnet50": Network(lambda k: ResNet(k, Bottleneck, (3, 4, 6, 3), 64), 1, 2048),
}


def build(name: str, classes: int, *, seed: int = 0) -> ResNet:
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
    network = NETWORKS[name]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return network.make(classes)


def smallest_input(name: str) -> int:
    """Return the smallest height and width, in pixels, that the network can take.

    A group norm divides by the deviation within a group; a group of one number has none, and torch
    raises. With 32 planes in 32 groups that is a 1 × 1 map: the stem makes ⌈n/4⌉ cells of n pixels,
    so n = 5 is the first that works. With 64 planes any size does.
    """
    return NETWORKS[name].smallest
