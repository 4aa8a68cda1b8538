"""Tasks: what a network is trained for. The loop asks for a loss and knows nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from distill.augment import Draw, apply
from distill.losses import pixel_loss, soft_loss, total_loss
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


class KDTask:
    """Distillation: the student, at low resolution, imitates the frozen teacher, at high.

    Both see the same crop under the same draw; each is standardised by its own level's figures.
    No label is read: samples need not carry one.

    Args:
        student: the network that learns.
        student_level: its level.
        student_standard: mean and deviation of the labelled training crops at that level.
        teacher: the trained teacher; it is frozen and put in evaluation mode.
        teacher_level: the level it was trained at.
        teacher_standard: what it was trained with.
        device: where both run.
        temperature: T of equation 2.
        soft_weight: weight of the soft loss.
        pixel_weight: weight of the pixel loss.
    """

    def __init__(
        self,
        student: nn.Module,
        student_level: str,
        student_standard: Standard,
        teacher: nn.Module,
        teacher_level: str,
        teacher_standard: Standard,
        device: torch.device,
        *,
        temperature: float = 1.0,
        soft_weight: float = 1.0,
        pixel_weight: float = 1.0,
    ) -> None:
        self.network = student.to(device)
        self.teacher = teacher.to(device).eval().requires_grad_(False)
        self.levels = (teacher_level, student_level)
        self._standards = (teacher_standard, student_standard)
        self._device = device
        self._temperature = temperature
        self._weights = (soft_weight, pixel_weight)

    def parameters(self) -> Iterable[nn.Parameter]:
        """Return the student's parameters; the teacher has none to give."""
        return self.network.parameters()

    def loss(self, sample: Sample, draw: Draw | None) -> dict[str, Tensor]:
        """Return "loss" (equation 1) and its unweighted parts "soft" (2) and "pixel" (3)."""
        teacher_image, student_image = (
            prepare(sample.images[level], draw, standard, self._device)
            for level, standard in zip(self.levels, self._standards, strict=True)
        )
        with torch.no_grad():
            taught: Output = self.teacher(teacher_image)
        learnt: Output = self.network(student_image)
        soft = soft_loss(learnt.logits, taught.logits, self._temperature)
        pixel = pixel_loss(learnt.features, taught.features)
        loss = total_loss(soft, pixel, *self._weights)
        return {"loss": loss, "soft": soft.detach(), "pixel": pixel.detach()}
