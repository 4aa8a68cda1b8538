"""Fine-tuning (section 3.4 of the paper): the fully connected layer learns, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from distill.data import NO_STAINS, AugmentationParams, ChannelStats, LabeledSample, Subset
from distill.engine import LabelSettings, Metrics, SupervisedTask
from distill.errors import RunError, SubsetError
from distill.networks import UNBOUNDED, Classifier, CropRunner, NetworkSettings, smallest_input
from distill.runs import Run, TrainingState
from distill.training.fit_run import fit_run
from distill.training.open_session import Say, open_session
from distill.training.options import TrainingOptions
from distill.training.supervised import _Labeled, _require_other


def fully_connected(network: nn.Module) -> nn.Linear:
    """Return the one linear layer of a network.

    Raises:
        RunError: if it has none, or several.
    """
    if isinstance(network, Classifier):
        return network.head
    layers = [module for module in network.modules() if isinstance(module, nn.Linear)]
    if len(layers) != 1:
        raise RunError(
            f"the student's network has {len(layers)} linear layers, and fine-tuning needs exactly "
            "one; choose another --student"
        )
    return layers[0]


class FinetuneTask(SupervisedTask):
    """Cross-entropy with the crop's label; all but the fully connected layer is as in evaluation.

    Frozen parts stay in evaluation mode whatever the loop sets: a layer that keeps running figures
    of its inputs (batch norm) would change without learning.

    Args:
        network: the trained student.
        level: its level.
        standard: what it was trained with.
        device: where to compute.
        look: how the network is run.
        of_loss: further arguments of `SupervisedTask`.
    """

    def __init__(
        self,
        network: nn.Module,
        level: str,
        standard: ChannelStats,
        device: torch.device,
        look: CropRunner = UNBOUNDED,
        **of_loss: Any,
    ) -> None:
        super().__init__(network, level, standard, device, look, **of_loss)
        self._layer = fully_connected(self.network)
        self.network.requires_grad_(False)
        self._layer.requires_grad_(True)

    def parameters(self) -> Iterable[nn.Parameter]:
        """Return the weight and bias of the fully connected layer."""
        return self._layer.parameters()

    def head(self) -> Iterable[nn.Parameter]:
        """Return them too: nothing else learns."""
        return self._layer.parameters()

    def losses(
        self, samples: Sequence[LabeledSample], draws: Sequence[AugmentationParams | None]
    ) -> list[Metrics]:
        """Return "loss", the cross-entropy, and "accuracy", 1 if the class is right, else 0."""
        self.network.eval()
        return super().losses(samples, draws)


def train_finetune(
    student: Path, options: TrainingOptions, say: Say, learned: LabelSettings | None = None
) -> TrainingState:
    """Train the fully connected layer of a student on labels, at the student's level.

    Network, classes, level, stains and standardisation are the student's.

    Args:
        student: its run.
        options: what was asked for; level and network are ignored.
        say: prints one line.
        learned: how labels are learned from; None for the paper's way.

    Returns:
        How the training ended, and the epoch whose weights were kept.

    Raises:
        DistillError: if an option, the student, the store's content or the loss is in the way.
        wsistore.WsistoreError: if the store or the split cannot be opened.
    """
    _require_other(student, options.out, "student")
    run = Run.open(student)
    about = run.weights
    method = NO_STAINS if about.stains is None else about.stains.method
    options = replace(
        options,
        level=about.level,
        architecture=NetworkSettings.of(about.spec),
        pretrained=replace(options.pretrained, stain_normalization=method),
    )
    with open_session(options, say) as here:
        told = run.class_map
        data = here.data([about.level], smallest_input(about.spec), labeled=True, classes=told)
        for subset in data.subsets:
            _require_classes(subset, about.classes, student)
        standard = ChannelStats(about.mean, about.std)
        learns = learned or LabelSettings()
        crops = _Labeled(options, about.level, about.classes, learns, data, about.stains)
        network = run.load_network(here.device)
        task = FinetuneTask(network, about.level, standard, here.device, here.look, **crops.of_loss)
        weights = here.weights(about.spec, about.classes, about.level, standard, data, about.stains)
        phase = {
            "command": "train finetune",
            "student": run.origin(),
            "normalization": run.config.get("normalization", "train"),
            **({} if about.stains is None else {"stains": about.stains.record()}),
            "class_map": told.to_json(),
            **crops.record,
        }
        return fit_run(here, task, crops, weights, phase, data, trained=True, balance=crops.balance)


def _require_classes(subset: Subset, classes: list[str], student: Path) -> None:
    for crop, label in zip(subset.crops, subset.labels, strict=True):
        if label not in classes:
            raise SubsetError(
                f"{subset.name} crop {crop} is labelled {label}, which is no class of {student}: "
                f"{', '.join(classes)}; choose another --split or --student"
            )
