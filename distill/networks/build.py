"""Networks made of their names: of the paper's family, or around a library's backbone."""

from __future__ import annotations

import json
from bisect import bisect_left
from functools import lru_cache

import torch

from distill.errors import UsageError
from distill.networks import backbones
from distill.networks.backbone_classifier import BackboneClassifier
from distill.networks.classifier import Classifier
from distill.networks.feature_maps import feature_map, map_shape
from distill.networks.registry import NETWORKS, Network
from distill.networks.resnet import BasicBlock, Bottleneck, ResNet
from distill.networks.spec import NetworkSpec

LARGEST = 1024
"""Sides, in pixels, up to which the smallest input of a library's network is looked for."""


def build(network: NetworkSpec | str, classes: int, *, seed: int = 0) -> Classifier:
    """Return a freshly initialised network, on the CPU, in training mode.

    The initial weights are a function of (network, classes, seed); torch's global generator is left
    as it was.

    Args:
        network: what to make, or its name alone.
        classes: number of classes K, at least 1.
        seed: 0 to 2⁶³ - 1.

    Raises:
        UsageError: if there is no such network, or a setting does not fit it.
    """
    spec = NetworkSpec(network) if isinstance(network, str) else network
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # the CPU's alone
        return _made(spec, classes)


def build_resnet(name: str, classes: int, *, seed: int = 0) -> ResNet:
    """Return one of our networks as it stands in `NETWORKS`; see `build`."""
    made = build(name, classes, seed=seed)
    assert isinstance(made, ResNet)
    return made


def resnet_of(about: Network, classes: int) -> ResNet:
    """Return one of our networks with initial weights drawn by torch's generator."""
    block = BasicBlock if about.block == "basic" else Bottleneck
    return ResNet(classes, block, about.blocks, about.planes)


def smallest_input(network: NetworkSpec | str) -> int:
    """Return the smallest height and width, in pixels, that the network can take.

    A group norm divides by the deviation within a group; a group of one number has none, and torch
    raises. With 32 planes in 32 groups that is a 1 × 1 map: the stem makes ⌈n/4⌉ cells of n pixels,
    so n = 5 is the first that works. With 64 planes any size does. Networks of libraries, and ours
    with another input, are tried on shapes alone.

    Raises:
        UsageError: if the network takes no image of 1, 2, 4, … `LARGEST` pixels a side.
    """
    spec = NetworkSpec(network) if isinstance(network, str) else network
    if spec.plain:
        return NETWORKS[spec.name].smallest
    return _smallest(spec.name, json.dumps(spec.settings()))


def _made(spec: NetworkSpec, classes: int) -> Classifier:
    if spec.library is None:
        own = resnet_of(NETWORKS[spec.name], classes)
        if spec.plain:
            return own
        backbone: backbones.Backbone = backbones.OwnBackbone(own)
    else:
        backbone = backbones.make(spec.library, spec.name.partition("/")[2], spec.options)
    if spec.norm_to == "group":
        backbones.group_norms(backbone)
    if spec.stem_stride is not None:
        backbones.set_stem_stride(backbone, spec.stem_stride)
    made = BackboneClassifier(backbone, 1, classes, spec.enlarge)
    try:
        channels = feature_map(made).channels
    except (RuntimeError, ValueError, AssertionError) as error:
        raise UsageError(f"network {spec.text} has no feature map: {error}") from error
    made.head = torch.nn.Linear(channels, classes)
    return made


@lru_cache(maxsize=32)
def _smallest(name: str, settings: str) -> int:
    spec = NetworkSpec.from_settings(name, json.loads(settings))
    network = build(spec, 1)

    def takes(side: int) -> bool:
        try:
            return min(map_shape(network, side, side)) > 0
        except (RuntimeError, ValueError, AssertionError):
            return False

    largest = 1
    while not takes(largest):
        largest *= 2
        if largest > LARGEST:
            raise UsageError(
                f"network {spec.text} does not take images of any size, as crops have; see its "
                "--network-option, or choose another --network"
            )
    return bisect_left(range(largest + 1), True, lo=largest // 2 + 1, hi=largest, key=takes)
