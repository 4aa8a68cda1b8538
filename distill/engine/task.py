"""Tasks: what a network is trained for. The loop asks for a loss and knows nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from distill.data import AugmentationParams, ChannelStats, LabeledSample, Sample
from distill.errors import UsageError
from distill.networks import UNBOUNDED, Classifier, CropRunner

Metrics = dict[str, Tensor]
S_contra = TypeVar("S_contra", bound=Sample, contravariant=True)


class Task(Protocol[S_contra]):
    """A network and a loss for it; the loop switches the network's mode and nothing else."""

    @property
    def network(self) -> nn.Module:
        """The network that learns."""
        ...

    @property
    def levels(self) -> tuple[str, ...]:
        """Names of the levels that samples must hold."""
        ...

    @property
    def level(self) -> str:
        """Name of the level that the network sees."""
        ...

    def parameters(self) -> Iterable[nn.Parameter]:
        """Return the parameters to optimise."""
        ...

    def head(self) -> Iterable[nn.Parameter]:
        """Return those of them that have a learning rate of their own with --head-lr."""
        ...

    def view(self, crop: str, draw: AugmentationParams | None) -> AugmentationParams | None:
        """Return the draw that the task will take for a crop where `draw` is offered."""
        ...

    def losses(
        self, samples: Sequence[S_contra], draws: Sequence[AugmentationParams | None]
    ) -> list[Metrics]:
        """Return scalar tensors for each sample: "loss", to minimise, and figures worth a mean.

        Each sample's are those that it has alone, whatever is beside it.

        Args:
            samples: the crops of a batch, of any sizes.
            draws: the augmentation of each, from `view`; None for none.
        """
        ...


def head_of(network: nn.Module) -> nn.Module:
    """Return the layer of a network that makes logits.

    Raises:
        UsageError: if the network is none that is known to have one.
    """
    if not isinstance(network, Classifier):
        raise UsageError("--head-lr: the network has no head of its own; leave it out")
    return network.head


class SupervisedTask:
    """Teacher and baseline: cross-entropy with the crop's label, at one level.

    Args:
        network: the network.
        level: its level.
        standard: mean and deviation to standardise with.
        device: where to compute.
        look: how the network is run.
        label_smoothing: see `distill.engine.label_settings.LabelSettings`.
        class_weights: what the loss counts, by class number; None for the same.
    """

    def __init__(
        self,
        network: nn.Module,
        level: str,
        standard: ChannelStats,
        device: torch.device,
        look: CropRunner = UNBOUNDED,
        *,
        label_smoothing: float = 0.0,
        class_weights: Sequence[float] | None = None,
    ) -> None:
        self.network = network.to(device)
        self.level = level
        self.levels = (level,)
        self._standard = standard
        self._device = device
        self._look = look
        self._smoothing = label_smoothing
        weights = None if class_weights is None else torch.tensor(class_weights, device=device)
        self._weights: Tensor | None = weights

    def parameters(self) -> Iterable[nn.Parameter]:
        """Return every parameter of the network."""
        return self.network.parameters()

    def head(self) -> Iterable[nn.Parameter]:
        """Return the weight and bias of the network's last layer."""
        return head_of(self.network).parameters()

    def view(self, crop: str, draw: AugmentationParams | None) -> AugmentationParams | None:
        """Return the draw itself."""
        return draw

    def logits(
        self, samples: Sequence[LabeledSample], draws: Sequence[AugmentationParams | None]
    ) -> Tensor:
        """Return what the network says of each crop under its draw, (B, K)."""
        images = [sample.images[self.level] for sample in samples]
        outputs = self._look(self.network, images, draws, self._standard, self._device)
        return torch.cat([output.logits for output in outputs])

    def losses(
        self, samples: Sequence[LabeledSample], draws: Sequence[AugmentationParams | None]
    ) -> list[Metrics]:
        """Return "loss", the cross-entropy, and "accuracy", 1 if the class is right, else 0.

        With label smoothing s, weights w and K classes, the loss of a crop of class y is torch's:
        (1 - s) w_y (-log p_y) + (s / K) Σ_c w_c (-log p_c). Where no gradient is wanted, as in
        validation, it is -log p_y: validation losses of all recipes can be compared.
        """
        logits = self.logits(samples, draws)
        labels = torch.tensor([sample.label for sample in samples], device=self._device)
        learning = torch.is_grad_enabled()
        losses = F.cross_entropy(
            logits,
            labels,
            weight=self._weights if learning else None,
            label_smoothing=self._smoothing if learning else 0.0,
            reduction="none",
        )
        right = (logits.detach().argmax(1) == labels).to(torch.float32)
        return [
            {"loss": loss, "accuracy": one}
            for loss, one in zip(losses.unbind(), right.unbind(), strict=True)
        ]
