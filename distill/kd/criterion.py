"""What of the teacher the student imitates, and how much each part counts."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from distill.errors import UsageError
from distill.kd.losses import (
    DISTANCES,
    PAPER,
    RESIZERS,
    Hint,
    attention_loss,
    attention_map,
    hint_loss,
    maps_loss,
    soft_loss,
)
from distill.kd.targets.target import TargetSpec, TeacherOutput
from distill.networks import Output
from distill.settings import setting

DISTILLATION = "Distillation"
"""Group of `--help` for what only distillation has."""


@dataclass(frozen=True)
class Criterion:
    """How far a student is from its teacher; a part whose weight is 0 is not computed.

    Attributes:
        temperature: T of equation 2.
        soft_weight: of equation 2.
        pixel_weight: of equation 3.
        attention_weight: of the AT+ term, see `distill.kd.losses.attention_map`; 0 in the paper.
        resizers: keys of `distill.kd.losses.RESIZERS`, g₁ … g_n of equation 3.
        distance: "mse" (the paper's) or "l1", of equation 3.
    """

    temperature: float = setting(
        1.0,
        group=DISTILLATION,
        above=0,
        help="T of the soft loss.",
        preset=True,
        tracked=True,
        recipe=True,
    )
    soft_weight: float = setting(
        1.0,
        group=DISTILLATION,
        at_least=0,
        help="Weight of the soft loss.",
        preset=True,
        tracked=True,
        recipe=True,
    )
    pixel_weight: float = setting(
        1.0,
        group=DISTILLATION,
        at_least=0,
        help="Weight of the pixel loss.",
        preset=True,
        tracked=True,
        recipe=True,
    )
    attention_weight: float = setting(
        0.0,
        group=DISTILLATION,
        at_least=0,
        help="Weight of attention transfer with positive gradients (AT+).",
        preset=True,
        recipe=True,
    )
    # --resize is DistillationSettings.resize: without it, stored targets decide on the resizers
    resizers: tuple[str, ...] = setting(PAPER, preset=True, recipe=True)
    distance: str = setting(
        "mse",
        group=DISTILLATION,
        flag="--pixel-distance",
        rank=1,
        choices=tuple(sorted(DISTANCES, reverse=True)),
        help="Of the pixel loss: squared or absolute differences.",
        preset=True,
        recipe=True,
    )

    @property
    def weights(self) -> dict[str, float]:
        """The weights by the name of their part, without those that are 0."""
        given = {
            "soft": self.soft_weight,
            "pixel": self.pixel_weight,
            "attention": self.attention_weight,
        }
        return {name: weight for name, weight in given.items() if weight}

    def question(self) -> TargetSpec:
        """Return what the teacher must answer."""
        wanted = self.weights
        return TargetSpec(
            # attention is that of the teacher's first choice, so it needs logits
            logits="soft" in wanted or "attention" in wanted,
            pixel="pixel" in wanted,
            resizers=self.resizers,
            distance=self.distance,
            attention="attention" in wanted,
        )

    def parts(
        self, learnt: Output, taught: TeacherOutput, projection: nn.Module
    ) -> dict[str, Tensor]:
        """Return the unweighted parts, scalars by name.

        Args:
            learnt: the student's logits (1, K) and features (1, C, h, w), with their graph.
            taught: the teacher's answer to `question`.
            projection: (1, C, h, w) → the teacher's channels (1, C', h, w).
        """
        parts = {}
        if self.soft_weight:
            parts["soft"] = soft_loss(learnt.logits, _given(taught.logits), self.temperature)
        if self.pixel_weight:
            projected = projection(learnt.features)
            if self.distance == "mse":
                taught_hint = Hint(taught.maps[0], _given(taught.constant))
                parts["pixel"] = hint_loss(projected, taught_hint)
            else:
                parts["pixel"] = maps_loss(projected, taught.maps, self.distance)
        if self.attention_weight:
            # the teacher's first choice stands for the class: no label is read
            top = learnt.logits[0, int(_given(taught.logits).argmax())]
            (gradient,) = torch.autograd.grad(top, learnt.features, create_graph=True)
            seen = attention_map(learnt.features, gradient)
            parts["attention"] = attention_loss(seen, _given(taught.attention))
        return parts


def _given(answer: Tensor | None) -> Tensor:
    if answer is None:
        raise ValueError("the teacher has not answered what it was asked")
    return answer


def resizers_of(joined: str) -> tuple[str, ...]:
    """Return the names in a value of `--resize`, in the order of `distill.kd.losses.RESIZERS`.

    Raises:
        UsageError: if a name is unknown, or there twice.
    """
    names = joined.split("+")
    if len(set(names)) < len(names) or not set(names) <= RESIZERS.keys():
        raise UsageError(
            f"--resize {joined}: give one or several of {', '.join(RESIZERS)}, each once, "
            "joined by +"
        )
    return tuple(name for name in RESIZERS if name in names)


def resize_of(joined: str) -> str:
    """Return a value of `--resize` with its names in their one order; errors as `resizers_of`."""
    return "+".join(resizers_of(joined))


PAPER_RESIZE = "+".join(PAPER)
"""The value of `--resize` that is the paper's."""
