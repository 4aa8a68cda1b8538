"""Fine-tuning (section 3.4 of the paper): the fully connected layer learns, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import nn

from distill.data.augmentation import Draw
from distill.data.dataset import LabelledSample
from distill.data.normalization import Standard
from distill.errors import RunError
from distill.networks.execution.runner import PLAIN, Look
from distill.tasks import Figures, SupervisedTask


def fully_connected(network: nn.Module) -> nn.Linear:
    """Return the one linear layer of a network.

    Raises:
        RunError: if it has none, or several.
    """
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
    """

    def __init__(
        self,
        network: nn.Module,
        level: str,
        standard: Standard,
        device: torch.device,
        look: Look = PLAIN,
    ) -> None:
        super().__init__(network, level, standard, device, look)
        self._layer = fully_connected(self.network)
        self.network.requires_grad_(False)
        self._layer.requires_grad_(True)

    def parameters(self) -> Iterable[nn.Parameter]:
        """Return the weight and bias of the fully connected layer."""
        return self._layer.parameters()

    def losses(
        self, samples: Sequence[LabelledSample], draws: Sequence[Draw | None]
    ) -> list[Figures]:
        """Return "loss", the cross-entropy, and "accuracy", 1 if the class is right, else 0."""
        self.network.eval()
        return super().losses(samples, draws)
