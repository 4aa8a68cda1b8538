"""Optimizers: what makes an update of the mean gradient of a group of crops."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

from torch.nn.utils import clip_grad_norm_
from torch.optim import SGD, Adam, AdamW, Optimizer

from distill.data import Sample
from distill.engine.settings import TrainingSettings
from distill.engine.task import Task

S = TypeVar("S", bound=Sample)


def make_optimizer(task: Task[S], schedule: TrainingSettings) -> Optimizer:
    """Return the optimizer asked for, over the task's parameters.

    With the gradient g of a weight w, learning rate η and weight decay λ, torch's:

    - "adam": Adam (β 0.9, 0.999; ε 1e-8) of g + λw, so that λ is an L2 penalty whose pull is
      divided by the size of the gradient like the gradient itself.
    - "adamw": w ← w − ηλw, then Adam of g alone: the decay is decoupled from the gradient.
    - "sgd": m ← μm + (g + λw), w ← w − ηm, with momentum μ and m = g + λw in the first update.

    Without --head-lr there is one group of parameters. With it there are two, each with its own η:
    what learns before the head, and the head's; the first is left out where nothing of it learns.
    """
    parameters, lr, decay = _groups(task, schedule), schedule.lr, schedule.weight_decay
    if schedule.optimizer == "sgd":
        assert schedule.momentum is not None
        return SGD(parameters, lr=lr, weight_decay=decay, momentum=schedule.momentum)
    if schedule.optimizer == "adamw":
        return AdamW(parameters, lr=lr, weight_decay=decay)
    if schedule.optimizer == "adam":
        return Adam(parameters, lr=lr, weight_decay=decay)
    raise ValueError(f"no optimizer is called {schedule.optimizer!r}")


def _groups(task: Task[S], schedule: TrainingSettings) -> Iterable[Any]:
    if schedule.head_lr is None:
        return task.parameters()
    of_head = {id(parameter) for parameter in task.head()}
    learns = [parameter for parameter in task.parameters() if parameter.requires_grad]
    head = {"params": [p for p in learns if id(p) in of_head], "lr": schedule.head_lr}
    body = {"params": [p for p in learns if id(p) not in of_head]}
    return [body, head] if body["params"] else [head]


def make_update(optimizer: Optimizer, factor: float, clip_norm: float | None) -> None:
    """Move the weights by the gradients that are in `grad`, and clear those.

    Args:
        optimizer: who moves them.
        factor: what the learning rate that it was made with is multiplied by.
        clip_norm: largest norm c of the gradient g, over all parameters: where ‖g‖₂ > c, it becomes
            c g / (‖g‖₂ + 1e-6), as torch's `clip_grad_norm_` has it. None leaves g as it is.
    """
    if clip_norm is not None:
        clip_grad_norm_([p for one in optimizer.param_groups for p in one["params"]], clip_norm)
    for group in optimizer.param_groups:
        group["lr"] = group.setdefault("initial_lr", group["lr"]) * factor
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
