"""The network to train: with new weights, or with those of --init-from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import nn

from distill.files import read_json
from distill.networks import build
from distill.runs import CHECKPOINT, start_from
from distill.training.options import TrainingOptions


def new_network(
    options: TrainingOptions, classes: list[str]
) -> tuple[nn.Module, dict[str, Any] | None]:
    """Return the network, and what config.json records of the weights it starts from.

    A run that is resumed starts from what it was started from, if it has no checkpoint yet.

    Raises:
        DistillError: if the weights of --init-from cannot be loaded, or are another network's.
    """
    name = options.network
    network = build(name, len(classes), seed=options.schedule.seed)
    source = options.init_from
    if options.resume:
        stored: dict[str, Any] | None = read_json(options.out / "config.json").get("init_from")
        if stored is None or (options.out / CHECKPOINT).exists():
            return network, stored
        source = Path(stored["file"])
    return network, start_from(source, network, name, classes) if source else None
