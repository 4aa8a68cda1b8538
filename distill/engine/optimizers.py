"""Optimizers: what makes an update of the mean gradient of a group of crops."""

from __future__ import annotations

from typing import TypeVar

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
    """
    parameters, lr, decay = task.parameters(), schedule.lr, schedule.weight_decay
    if schedule.optimizer == "sgd":
        assert schedule.momentum is not None
        return SGD(parameters, lr=lr, weight_decay=decay, momentum=schedule.momentum)
    if schedule.optimizer == "adamw":
        return AdamW(parameters, lr=lr, weight_decay=decay)
    if schedule.optimizer == "adam":
        return Adam(parameters, lr=lr, weight_decay=decay)
    raise ValueError(f"no optimizer is called {schedule.optimizer!r}")
