"""Pretrained weights, and how much of a network learns."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from distill.errors import UsageError
from distill.networks import (
    MATCHES,
    NETWORK,
    BackboneClassifier,
    Classifier,
    WeightsMatch,
    fill_backbone,
    read_tensors,
)
from distill.settings import setting

NONE, BACKBONE = "none", "backbone"


def _freezes(text: str) -> str:
    if text not in (NONE, BACKBONE) and not re.fullmatch(r"stages=[1-9]\d*", text):
        raise UsageError(f"--freeze {text} is none of {NONE}, {BACKBONE}, stages=N")
    return text


@dataclass(frozen=True, kw_only=True)
class PretrainedSettings:
    """What a network starts from and what of it learns; the fields' help says what each is."""

    weights: Path | None = setting(
        None,
        group=NETWORK,
        metavar="FILE",
        files=True,
        help="Pretrained weights of the network before its head: .safetensors, or a .pt, .pth, "
        ".bin, .ckpt that holds tensors alone. The head is new.",
        record=None,  # what was loaded is
    )
    weights_key: str | None = setting(
        None,
        group=NETWORK,
        metavar="KEY",
        help="Which network of the file, such as teacher, where it holds several.",
        unset="the only one",
        record=None,
    )
    weights_match: str = setting(
        "name",
        group=NETWORK,
        choices=MATCHES,
        help="order: the file's tensors by their order and shapes, where its names are others.",
        record=None,
    )
    normalize: str | None = setting(
        None,
        group=NETWORK,
        choices=("train", "network"),
        help="Mean and deviation to normalize the input with: the training crops', or those that "
        "the library gives for the network's weights.",
        unset="network with --weights, else train",
        record=None,  # which it came to be is
    )
    freeze: str = setting(
        NONE,
        group=NETWORK,
        metavar="none|backbone|stages=N",
        parse=_freezes,
        help="What does not learn: nothing, all but the head, or the first N stages.",
        tracked=True,
        recipe=True,
    )


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
