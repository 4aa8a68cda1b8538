"""Pretrained weights put into a network, and how much of it learns."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from distill.errors import UsageError
from distill.networks import (
    BackboneClassifier,
    Classifier,
    WeightsMatch,
    fill_backbone,
    read_tensors,
)
from distill.training.pretrained_settings import BACKBONE, NONE, PretrainedSettings


def fill_pretrained(
    network: Classifier, settings: PretrainedSettings, file: Path, name: str
) -> WeightsMatch:
    """Fill a network's backbone with the weights of a file.

    Raises:
        UsageError: if the network is not a library's.
        DistillError: if the file cannot be read, or does not fit.
    """
    if not isinstance(network, BackboneClassifier) or network.backbone.figures is None:
        raise UsageError(
            f"--weights is for timm/NAME and torchvision/NAME; {name} starts from a run, or its "
            "weights, with --init-from"
        )
    tensors = read_tensors(file, settings.weights_key)
    return fill_backbone(network.backbone, tensors, file, name, settings.weights_match)


def require_running_figures(network: Classifier, name: str) -> None:
    """Refuse batch norms that have seen nothing: here they never learn their running figures.

    Raises:
        UsageError: if there is one.
    """
    kinds = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
    if any(isinstance(module, kinds) for module in network.modules()):
        raise UsageError(
            f"network {name} has batch norms, which here use the running figures that come with "
            "--weights: crops pass one by one or a few together, and no result may depend on its "
            "neighbours. Give --weights, or train from nothing with --norm-to group"
        )


def freeze(network: Classifier, what: str) -> None:
    """Let a part of a network not learn.

    Args:
        network: the network.
        what: "none", "backbone" (all but the head), or "stages=N" (the first N of
            `Classifier.stage_parameters`).

    Raises:
        UsageError: if it has fewer stages.
    """
    stages = network.stage_parameters()
    count = {NONE: 0, BACKBONE: len(stages)}.get(what)
    if count is None:
        count = int(what.removeprefix("stages="))
        if count > len(stages):
            raise UsageError(
                f"--freeze {what}: the network has {len(stages)} stages before its head"
            )
    for parameters in stages[:count]:
        for parameter in parameters:
            parameter.requires_grad_(False)
