"""Tasks: what a network is trained for. The loop asks for a loss and knows nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from distill.augment import Draw, apply
from distill.networks import Output
from distill.pairs import LabelledSample, Sample
from distill.standardise import Standard, standardise, to_unit

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


def prepare(image: Tensor, draw: Draw | None, standard: Standard, device: torch.device) -> Tensor:
    """Return a network's input: uint8 to the device, 0..1, augmented, standardised.

    Args:
        image: (3, H, W) uint8, RGB, on any device.
        draw: augmentation, or None.
        standard: mean and deviation to standardise with.
        device: where everything after the transfer happens.

    Returns:
        (1, 3, H, W) float32 on `device`, or (1, 3, W, H) after an odd number of quarter turns.
    """
    unit = to_unit(image.to(device))
    if draw is not None:
        unit = apply(draw, unit)
    return standardise(unit, standard.mean, standard.std).unsqueeze(0)


class SupervisedTask:
    """Teacher and baseline: cross-entropy with the crop's label, at one level."""

    def __init__(
        self, network: nn.Module, level: str, standard: Standard, device: torch.device
    ) -> None:
        self.network = network.to(device)
        self.levels = (level,)
        self._level = level
        self._standard = standard
        self._device = device

    def parameters(self) -> Iterable[nn.Parameter]:
        """Return every parameter of the network."""
        return self.network.parameters()

    def loss(self, sample: LabelledSample, draw: Draw | None) -> dict[str, Tensor]:
        """Return "loss", the cross-entropy, and "accuracy", 1 if the class is right, else 0."""
        image = prepare(sample.images[self._level], draw, self._standard, self._device)
        output: Output = self.network(image)
        label = torch.tensor([sample.label], device=self._device)
        right = (output.logits.detach().argmax(1) == label).to(torch.float32).squeeze(0)
        return {"loss": F.cross_entropy(output.logits, label), "accuracy": right}
