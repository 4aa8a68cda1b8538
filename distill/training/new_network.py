"""The network to train: with new weights, or with those of --init-from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distill.data import ChannelStats
from distill.errors import UsageError
from distill.files import read_json
from distill.networks import BackboneClassifier, Classifier, build
from distill.runs import CHECKPOINT, sha256, start_from
from distill.training.options import TrainingOptions
from distill.training.pretrained import fill_pretrained, freeze, require_running_figures


@dataclass(frozen=True)
class NewNetwork:
    """A network that is to learn.

    Attributes:
        network: with the weights that it starts from.
        initial: what config.json records of the run that they are of, or None.
        pretrained: what it records of the pretrained weights of its backbone, or None.
        normalization: "network" where its input is normalized by the library's figures, or "train".
        standard: those figures; None where the training crops' are to be taken.
    """

    network: Classifier
    initial: dict[str, Any] | None
    pretrained: dict[str, Any] | None
    normalization: str
    standard: ChannelStats | None

    @property
    def record(self) -> dict[str, Any]:
        """What config.json says of it."""
        return {
            "init_from": self.initial,
            "pretrained": self.pretrained,
            "normalization": self.normalization,
        }


def new_network(
    options: TrainingOptions, classes: list[str], say: Callable[[str], None]
) -> NewNetwork:
    """Return the network, with what it starts from.

    A run that is resumed starts from what it was started from, if it has no checkpoint yet.

    Raises:
        DistillError: if weights cannot be loaded, or are another network's.
    """
    spec, asked = options.network, options.pretrained
    network = build(spec, len(classes), seed=options.schedule.seed)
    stored = read_json(options.out / "config.json") if options.resume else {}
    begun = options.resume and (options.out / CHECKPOINT).exists()
    initial, pretrained = stored.get("init_from"), stored.get("pretrained")
    file = Path(pretrained["file"]) if pretrained and asked.weights is None else asked.weights
    if file is not None and not begun:
        match = fill_pretrained(network, asked, file, spec.name)
        say(match.text(file, spec.name))
        # read once more, a piece at a time: what is mapped cannot be hashed as it comes in
        pretrained = {"file": str(file.resolve()), "sha256": sha256(file), **match.record()}
    source = Path(initial["file"]) if initial else options.init_from
    if source is not None and not begun:
        initial = start_from(source, network, spec, classes)
    if pretrained is None and initial is None:
        require_running_figures(network, spec.name)
    freeze(network, asked.freeze)
    chosen = asked.normalize or ("train" if pretrained is None else "network")
    figures = _figures(network, spec.name) if chosen == "network" else None
    return NewNetwork(network, initial, pretrained, chosen, figures)


def _figures(network: Classifier, name: str) -> ChannelStats:
    if not isinstance(network, BackboneClassifier) or network.backbone.figures is None:
        raise UsageError(f"--normalize network: {name} comes without figures; use train")
    return ChannelStats(*network.backbone.figures)
