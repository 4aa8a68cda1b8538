"""Teachers: what a teacher says of a crop under a draw. The student's losses need nothing else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Tensor, nn

from distill.data import AugmentationParams, ChannelStats, Sample
from distill.errors import UsageError
from distill.kd.losses import attention_map, hint, resized, resized_attention
from distill.kd.targets.target import TargetSpec, TeacherOutput
from distill.networks import UNBOUNDED, CropRunner, feature_map

PendingTargets = Callable[[], list[TeacherOutput]]
"""Returns what is said of each crop; to be called once, when the student has looked."""


class Teacher(Protocol):
    """Answers a student's questions: by looking (a network), or from memory (stored targets)."""

    @property
    def levels(self) -> tuple[str, ...]:
        """Names of the levels that it reads of a sample."""
        ...

    @property
    def channels(self) -> int | None:
        """Channels of its feature map; None if it has none to give."""
        ...

    def view(self, crop: str, draw: AugmentationParams | None) -> AugmentationParams | None:
        """Return the draw that it will speak of when asked about `draw`; the student sees it too.

        A network can look at any draw. Stored targets hold some.
        """
        ...

    def ask(
        self,
        samples: Sequence[Sample],
        draws: Sequence[AugmentationParams | None],
        sizes: Sequence[tuple[int, int]],
    ) -> PendingTargets:
        """Ask about crops, before the student looks at them.

        A network looks at once: its maps must be gone before the student's are made, since each
        pass may take the whole --memory. Stored targets are read while the student looks.

        Args:
            samples: the crops.
            draws: one for each, that `view` returned.
            sizes: rows and columns of the student's feature map of each.

        Returns:
            What gives the answers.
        """
        ...


class NetworkTeacher:
    """A trained network that looks at each crop: frozen, in evaluation mode, without gradients.

    Args:
        network: forward gives `distill.networks.Output`; its logits may be None.
        level: the level it takes.
        standard: what its input is standardised with.
        device: where it runs.
        question: what it will be asked.
        look: how the network is run.

    Raises:
        UsageError: if attention is asked of a network whose `classify(features)` cannot be run.
        ValueError: in an answer, if logits are asked of a network that has none.
    """

    def __init__(
        self,
        network: nn.Module,
        level: str,
        standard: ChannelStats,
        device: torch.device,
        question: TargetSpec,
        look: CropRunner = UNBOUNDED,
    ) -> None:
        if question.attention and not hasattr(network, "classify"):
            raise UsageError(
                f"the teacher's network {type(network).__name__} cannot classify a feature map, "
                "which attention transfer needs; leave --attention-weight at 0"
            )
        self.network = network.to(device).eval().requires_grad_(False)
        self.levels = (level,)
        self.channels: int | None = feature_map(network).channels
        self._standard = standard
        self._device = device
        self._question = question
        self._look = look

    def view(self, crop: str, draw: AugmentationParams | None) -> AugmentationParams | None:
        """Return the draw itself: a network can look at any."""
        return draw

    def ask(
        self,
        samples: Sequence[Sample],
        draws: Sequence[AugmentationParams | None],
        sizes: Sequence[tuple[int, int]],
    ) -> PendingTargets:
        """Look at the crops, and keep what is said at the student's size; see `Teacher.ask`."""
        said = [one for (one,) in self.answers(samples, draws, [[size] for size in sizes])]
        return lambda: said

    @torch.no_grad()
    def answers(
        self,
        samples: Sequence[Sample],
        draws: Sequence[AugmentationParams | None],
        sizes: Sequence[Sequence[tuple[int, int]]],
    ) -> list[list[TeacherOutput]]:
        """Look at each crop once, and say it for students of several sizes.

        Args:
            samples: the crops.
            draws: one for each.
            sizes: for each crop, rows and columns of the feature maps of its students.

        Returns:
            For each crop an answer for each of its sizes.
        """
        images = [sample.images[self.levels[0]] for sample in samples]
        found: dict[int, list[TeacherOutput]] = {}
        # a batch after another, so that no more than one batch's maps are there at a time
        for places in self._look.batches(self.network, images, draws):
            pixels, chosen = [images[i] for i in places], [draws[i] for i in places]
            held = [samples[i].beside(self.levels[0]) for i in places]
            seen = self._look(self.network, pixels, chosen, self._standard, self._device, held)
            for place, one in zip(places, seen, strict=True):
                classify = getattr(self.network, "classify", None)
                found[place] = answer(classify, self._question, *one, sizes[place])
        return [found[place] for place in range(len(images))]


def answer(
    classify: Callable[[Tensor], Tensor] | None,
    question: TargetSpec,
    logits: Tensor | None,
    features: Tensor,
    sizes: Sequence[tuple[int, int]],
) -> list[TeacherOutput]:
    """Return what is asked of a teacher's logits and last map, for students of several sizes.

    Args:
        classify: map to logits, for attention.
        question: what is asked.
        logits: (1, K), or None.
        features: (1, C, h, w).
        sizes: rows and columns of each student's map.

    Raises:
        ValueError: if logits are asked for and there are none.
    """
    if logits is None and question.logits:
        raise ValueError("the teacher's network gives no logits; use --soft-weight 0")
    attention = None
    if question.attention:
        assert logits is not None
        assert classify is not None
        attention = _attention(classify, logits, features)
    return [_at(question, logits, features, attention, size) for size in sizes]


def _at(
    question: TargetSpec,
    logits: Tensor | None,
    features: Tensor,
    attention: Tensor | None,
    size: tuple[int, int],
) -> TeacherOutput:
    maps: tuple[Tensor, ...] = ()
    constant = None
    if question.pixel:
        maps = tuple(resized(features, size, question.resizers))
        if question.distance == "mse":
            mean, constant = hint(maps)
            maps = (mean,)
    if attention is not None:
        attention = resized_attention(attention, size)
    return TeacherOutput(logits, maps, constant, attention)


@torch.enable_grad()
def _attention(classify: Callable[[Tensor], Tensor], logits: Tensor, features: Tensor) -> Tensor:
    leaf = features.detach().requires_grad_()
    top = classify(leaf)[0, int(logits.argmax())]
    (gradient,) = torch.autograd.grad(top, leaf)
    return attention_map(features, gradient).detach()
