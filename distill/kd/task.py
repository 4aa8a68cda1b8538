"""The task of distillation: the student imitates what a teacher says of each crop."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain

import torch
from torch import nn

from distill.data import (
    DEFAULT_AUGMENTATION,
    AugmentationParams,
    AugmentationSettings,
    ChannelStats,
    Sample,
    output_size,
    unchanged,
    with_own_colors,
)
from distill.engine import Metrics, head_of
from distill.kd.criterion import loss_parts
from distill.kd.losses import total_loss
from distill.kd.settings import Criterion
from distill.kd.teacher import Teacher
from distill.networks import UNBOUNDED, CropRunner, feature_map


class KDTask:
    """Distillation: the student, at low resolution, imitates the frozen teacher, at high.

    Both see the same crop under the same draw, or, with `own_colors`, under draws that differ in
    color: the flips and turns are the same, since the pixel loss compares cell by cell. Each is
    standardised by its own level's figures. No label is read: samples need not carry one.

    Where the teacher's feature map has other channels than the student's, a 1 × 1 convolution with
    bias brings the student's map to the teacher's channels before equation 3. It learns with the
    student and is no part of its network.

    Args:
        student: the network that learns.
        level: its level.
        standard: mean and deviation of the labelled training crops at that level.
        teacher: who answers `criterion.question()`.
        criterion: the losses and their weights.
        device: where the student runs, and what the teacher says arrives.
        seed: of the projection's initial weights, He, fan in, and of the student's own colours.
        look: how the student is run.
        own_colors: whether the student's colours are drawn apart from the teacher's in training,
            also where the teacher saw a crop as it is; see
            `distill.data.augmentation.with_own_colors`.
        augmentation: how far those colours go.
    """

    def __init__(
        self,
        student: nn.Module,
        level: str,
        standard: ChannelStats,
        teacher: Teacher,
        criterion: Criterion,
        device: torch.device,
        seed: int = 0,
        look: CropRunner = UNBOUNDED,
        *,
        own_colors: bool = False,
        augmentation: AugmentationSettings = DEFAULT_AUGMENTATION,
    ) -> None:
        self.network = student.to(device)
        self.teacher = teacher
        self.level = level
        self.levels = (*teacher.levels, level)
        self.projection: nn.Module = nn.Identity()
        self._map = feature_map(student)
        if criterion.pixel_weight and teacher.channels not in (None, self._map.channels):
            assert teacher.channels is not None
            made = _projection(self._map.channels, teacher.channels, seed)
            self.projection = made.to(device)
        self._standard = standard
        self._criterion = criterion
        self._device = device
        self._look = look
        self._seed = seed
        self._own_colors = own_colors
        self._augmentation = augmentation

    @property
    def beside(self) -> dict[str, nn.Module]:
        """What learns beside the network, by name: the projection, if there is one."""
        learns = any(True for _ in self.projection.parameters())
        return {"projection": self.projection} if learns else {}

    def parameters(self) -> Iterable[nn.Parameter]:
        """Return the student's parameters and the projection's; the teacher has none to give."""
        return chain(self.network.parameters(), self.projection.parameters())

    def head(self) -> Iterable[nn.Parameter]:
        """Return those of the student's last layer, and the projection's, which is as new."""
        return chain(head_of(self.network).parameters(), self.projection.parameters())

    def view(self, crop: str, draw: AugmentationParams | None) -> AugmentationParams | None:
        """Return the draw that the teacher can speak of; see `distill.kd.teacher.Teacher.view`.

        A teacher that saw a crop as it is speaks of no draw. A student with colours of its own is
        shown such a crop in others all the same: the draw returned says for which epoch.
        """
        seen = self.teacher.view(crop, draw)
        if self._own_colors and seen is None and draw is not None:
            return unchanged(draw.epoch)
        return seen

    def losses(
        self, samples: Sequence[Sample], draws: Sequence[AugmentationParams | None]
    ) -> list[Metrics]:
        """Return "loss" (equation 1) and its unweighted parts "soft" (2), "pixel" (3), "attention".

        A draw is one that `view` returned.
        """
        images = [sample.images[self.level] for sample in samples]
        sizes = [
            self._map.cells(*output_size(chosen, *image.shape[1:]))
            for image, chosen in zip(images, draws, strict=True)
        ]
        # first the teacher, of whom a few cells remain: each pass may take the whole memory
        answer = self.teacher.ask(samples, draws, sizes)
        if self._own_colors:
            draws = [
                chosen and with_own_colors(chosen, self._seed, sample.index, self._augmentation)
                for sample, chosen in zip(samples, draws, strict=True)
            ]
        learning = torch.is_grad_enabled()
        # the attention map is itself made of gradients, so validation needs them too
        with torch.set_grad_enabled(learning or self._criterion.attention_weight > 0):
            held = [sample.beside(self.level) for sample in samples]
            outputs = self._look(self.network, images, draws, self._standard, self._device, held)
            if [tuple(output.features.shape[2:]) for output in outputs] != sizes:
                raise ValueError(f"the student's maps are not of {sizes} cells, as its stride says")
            parts = [
                loss_parts(self._criterion, learnt, taught, self.projection)
                for learnt, taught in zip(outputs, answer(), strict=True)
            ]
        return [self._figures(one, learning) for one in parts]

    @property
    def stride(self) -> int:
        """Pixels of a side of the student's image for each cell of its feature map."""
        return self._map.stride

    def _figures(self, parts: Metrics, learning: bool) -> Metrics:
        loss = total_loss(parts, self._criterion.weights)
        figures = {name: part.detach() for name, part in parts.items()}
        return {"loss": loss if learning else loss.detach(), **figures}


def _projection(student: int, teacher: int, seed: int) -> nn.Conv2d:
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # the CPU's alone
        made = nn.Conv2d(student, teacher, 1)
        nn.init.kaiming_normal_(made.weight, mode="fan_in", nonlinearity="linear")
        assert made.bias is not None
        nn.init.zeros_(made.bias)
    return made
