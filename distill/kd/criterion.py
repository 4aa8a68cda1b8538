"""How far a student is from its teacher, part by part."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from distill.kd.losses import Hint, attention_loss, attention_map, hint_loss, maps_loss, soft_loss
from distill.kd.settings import Criterion
from distill.kd.targets.target import TeacherOutput
from distill.networks import Output


def loss_parts(
    criterion: Criterion, learnt: Output, taught: TeacherOutput, projection: nn.Module
) -> dict[str, Tensor]:
    """Return the unweighted parts, scalars by name.

    Args:
        criterion: which parts there are, and how they are computed.
        learnt: the student's logits (1, K) and features (1, C, h, w), with their graph.
        taught: the teacher's answer to `criterion.question()`.
        projection: (1, C, h, w) → the teacher's channels (1, C', h, w).
    """
    parts = {}
    if criterion.soft_weight:
        parts["soft"] = soft_loss(learnt.logits, _given(taught.logits), criterion.temperature)
    if criterion.pixel_weight:
        projected = projection(learnt.features)
        if criterion.distance == "mse":
            taught_hint = Hint(taught.maps[0], _given(taught.constant))
            parts["pixel"] = hint_loss(projected, taught_hint)
        else:
            parts["pixel"] = maps_loss(projected, taught.maps, criterion.distance)
    if criterion.attention_weight:
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
