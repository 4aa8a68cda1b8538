"""Tasks: what a network is trained for. The loop asks for a loss and knows nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from distill.augment import Draw
from distill.look import PLAIN, Look
from distill.pairs import LabelledSample, Sample
from distill.standardise import Standard

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

    def parameters(self) -> Iterable[nn.Parameter]:
        """Return the parameters to optimise."""
        ...

    def loss(self, sample: S_contra, draw: Draw | None) -> dict[str, Tensor]:
        """Return scalar tensors for one sample: "loss", to minimise, and figures worth a mean.

        Args:
            sample: the crop.
            draw: its augmentation; None for none.
        """
        ...


class SupervisedTask:
    """Teacher and baseline: cross-entropy with the crop's label, at one level."""

    def __init__(
        self,
        network: nn.Module,
        level: str,
        standard: Standard,
        device: torch.device,
        look: Look = PLAIN,
    ) -> None:
        self.network = network.to(device)
        self.levels = (level,)
        self._level = level
        self._standard = standard
        self._device = device
        self._look = look

    def parameters(self) -> Iterable[nn.Parameter]:
        """Return every parameter of the network."""
        return self.network.parameters()

    def loss(self, sample: LabelledSample, draw: Draw | None) -> dict[str, Tensor]:
        """Return "loss", the cross-entropy, and "accuracy", 1 if the class is right, else 0."""
        pixels = sample.images[self._level]
        output = self._look(self.network, pixels, draw, self._standard, self._device)
        label = torch.tensor([sample.label], device=self._device)
        right = (output.logits.detach().argmax(1) == label).to(torch.float32).squeeze(0)
        return {"loss": F.cross_entropy(output.logits, label), "accuracy": right}
