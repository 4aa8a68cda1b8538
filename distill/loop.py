"""The training loop: one crop at a time, gradients accumulated, an epoch after another."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor
from torch.optim import Adam, Optimizer

from distill.augment import draw
from distill.errors import TrainingError
from distill.pairs import Sample, Samples
from distill.runs import RunWriter
from distill.tasks import Task

S = TypeVar("S", bound=Sample)


@dataclass(frozen=True)
class Schedule:
    """How to train.

    Attributes:
        epochs: number of passes over the training crops.
        seed: of the order and of the augmentation.
        accumulate: crops whose mean gradient makes one update.
        lr: Adam's learning rate, constant.
        weight_decay: Adam's L2 penalty, added to the gradient.
        select: which weights to keep: "best" (lowest validation loss) or "last".
    """

    epochs: int = 100
    seed: int = 0
    accumulate: int = 32
    lr: float = 1e-3
    weight_decay: float = 1e-4
    select: str = "best"


class Observer(Protocol):
    """Whoever watches the training."""

    def crop(self, epoch: int, subset: str) -> None:
        """Take note that one more crop is done."""
        ...

    def epoch(self, record: Mapping[str, Any]) -> None:
        """Take note that an epoch is published."""
        ...


class Mean:
    """Means of named scalars, summed in float64 on their own device."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._count = 0

    def add(self, figures: Mapping[str, Tensor]) -> None:
        """Take in the figures of one crop."""
        for name, value in figures.items():
            term = value.detach().to(torch.float64)
            self._sums[name] = self._sums[name] + term if name in self._sums else term
        self._count += 1

    def result(self) -> dict[str, float]:
        """Return the mean of each figure."""
        return {name: float(total) / self._count for name, total in self._sums.items()}


def optimiser(task: Task[S], schedule: Schedule) -> Optimizer:
    """Return Adam over the task's parameters."""
    return Adam(task.parameters(), lr=schedule.lr, weight_decay=schedule.weight_decay)


def train_epoch(
    task: Task[S],
    samples: Samples[S],
    adam: Optimizer,
    schedule: Schedule,
    epoch: int,
    observer: Observer,
) -> dict[str, float]:
    """Pass once over the training crops; return the mean of each figure.

    With groups G of `accumulate` crops in the epoch's order, each update uses the gradient
    (1 / |G|) Σ_{i ∈ G} ∇ loss_i. The last group is what is left, with |G| its own size.

    Raises:
        TrainingError: if a loss is not finite (before it reaches the weights), or memory is short.
    """
    task.network.train()
    mean = Mean()
    pending: list[tuple[str, Tensor]] = []
    adam.zero_grad(set_to_none=True)
    for number, sample in enumerate(samples.epoch(epoch)):
        start = number - number % schedule.accumulate
        size = min(schedule.accumulate, len(samples) - start)
        figures = _figures(task, sample, schedule, epoch)
        try:
            torch.autograd.backward(figures["loss"] / size)
        except torch.OutOfMemoryError as error:
            raise _short(sample) from error
        mean.add(figures)
        pending.append((sample.crop, figures["loss"].detach()))
        if number + 1 == start + size:
            _check(pending, epoch)
            pending.clear()
            adam.step()
            adam.zero_grad(set_to_none=True)
        observer.crop(epoch, "train")
    return mean.result()


@torch.no_grad()
def validate(
    task: Task[S], samples: Samples[S], epoch: int, observer: Observer
) -> dict[str, float]:
    """Return the mean of each figure over the validation crops, without augmentation.

    Raises:
        TrainingError: if a loss is not finite, or memory is short.
    """
    task.network.eval()
    mean = Mean()
    losses: list[tuple[str, Tensor]] = []
    for sample in samples.epoch(epoch):
        figures = _figures(task, sample, None, epoch)
        mean.add(figures)
        losses.append((sample.crop, figures["loss"]))
        observer.crop(epoch, "val")
    _check(losses, epoch)
    return mean.result()


def fit(
    task: Task[S],
    train: Samples[S],
    val: Samples[S] | None,
    schedule: Schedule,
    writer: RunWriter,
    observer: Observer,
) -> int:
    """Train, and publish every epoch; return the epoch whose weights were kept.

    `select` "best" keeps the weights of the lowest validation loss, the first of equals. "last"
    keeps those of the last epoch, and so does "best" where there is nothing to validate on.

    Raises:
        TrainingError: if a loss is not finite, or memory is short.
    """
    adam = optimiser(task, schedule)
    best, kept = float("inf"), 0
    for epoch in range(1, schedule.epochs + 1):
        began = time.perf_counter()
        record: dict[str, Any] = {"epoch": epoch}
        record["train"] = train_epoch(task, train, adam, schedule, epoch, observer)
        keep = True
        if val is not None:
            record["val"] = validate(task, val, epoch, observer)
            keep = schedule.select == "last" or record["val"]["loss"] < best
            best = min(best, record["val"]["loss"])
        record["kept"] = keep
        record["seconds"] = round(time.perf_counter() - began, 3)
        writer.epoch(record, task.network, adam, number=epoch, keep=keep)
        kept = epoch if keep else kept
        observer.epoch(record)
    return kept


def _figures(task: Task[S], sample: S, schedule: Schedule | None, epoch: int) -> dict[str, Tensor]:
    chosen = draw(schedule.seed, epoch, sample.index) if schedule else None
    try:
        return task.loss(sample, chosen)
    except torch.OutOfMemoryError as error:
        raise _short(sample) from error


def _short(sample: Sample) -> TrainingError:
    sizes = ", ".join(f"{i.shape[1]} × {i.shape[2]} px at {n}" for n, i in sample.images.items())
    return TrainingError(
        f"crop {sample.crop} ({sizes}) does not fit in the device's memory; "
        "choose a coarser --level or --device cpu"
    )


def _check(losses: list[tuple[str, Tensor]], epoch: int) -> None:
    finite = torch.stack([loss for _, loss in losses]).isfinite().tolist()
    for (crop, loss), good in zip(losses, finite, strict=True):
        if not good:
            raise TrainingError(
                f"the loss of crop {crop} in epoch {epoch} is {float(loss)}; try a lower --lr"
            )
