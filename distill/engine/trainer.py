"""The training loop: groups of crops make updates, an epoch after another."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.optim import Optimizer

from distill.data import (
    AugmentationParams,
    Extent,
    Sample,
    SampleLoader,
    Update,
    crops_in,
    output_size,
    sample_params,
    shard,
)
from distill.distributed import ALONE, DistributedContext
from distill.engine.averaging import WeightAverage
from distill.engine.callbacks import Callback
from distill.engine.compute_settings import DEFAULT_COMPUTE, ComputeSettings
from distill.engine.epochs import run_epochs, seconds_since
from distill.engine.gradients import GradientAccumulator
from distill.engine.optimizers import make_optimizer, make_update
from distill.engine.schedules import lr_factor, lr_record
from distill.engine.settings import TrainingSettings
from distill.engine.task import Metrics, Task
from distill.errors import TrainingError
from distill.networks import precision_of
from distill.runs import TrainingState, Writer, modules

S = TypeVar("S", bound=Sample)
Drawn = Mapping[int, AugmentationParams | None]
VALIDATED = 64
"""Crops among which validation looks for batches; none of its results depends on it."""


class RunningMean:
    """Means of named scalars, summed in float64 on their own device."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._count = 0

    def add(self, figures: Metrics) -> None:
        """Take in the figures of one crop."""
        for name, value in figures.items():
            term = value.detach().to(torch.float64)
            self._sums[name] = self._sums[name] + term if name in self._sums else term
        self._count += 1

    def result(self, processes: DistributedContext = ALONE) -> dict[str, float]:
        """Return the mean of each figure over the crops of all processes, the same in each."""
        own = {name: float(total) for name, total in self._sums.items()}
        parts = processes.gather((own, self._count))
        count = sum(number for _, number in parts)
        names = next(sums for sums, _ in parts if sums)
        return {name: sum(sums.get(name, 0.0) for sums, _ in parts) / count for name in names}


def train_epoch(
    task: Task[S],
    samples: SampleLoader[S],
    optimizer: Optimizer,
    schedule: TrainingSettings,
    epoch: int,
    observer: Callback,
    setting: ComputeSettings = DEFAULT_COMPUTE,
    average: WeightAverage | None = None,
) -> dict[str, float]:
    """Pass once over the training crops; return the mean of each figure.

    With groups G of `accumulate` crops in the epoch's order, each update uses the gradient
    (1 / |G|) Σ_{i ∈ G} ∇ loss_i. The last group is what is left, with |G| its own size. Each
    process computes the gradients of its share of each group. `average` is told of each update.

    Raises:
        TrainingError: if a loss is not finite (before it reaches the weights), or memory is short.
    """
    task.network.train()
    mean, processes = RunningMean(), setting.processes
    order = samples.order(epoch)
    seed, how = schedule.seed, schedule.augmentation
    drawn = {i: task.view(samples.crop(i), sample_params(seed, epoch, i, how)) for i in order}
    groups = _cut(task, samples, drawn, schedule.accumulate, setting)
    shares = [shard(group, processes.rank, processes.world) for group in groups]
    stream = samples.read(crops_in(shares))
    gradients = GradientAccumulator(p for group in optimizer.param_groups for p in group["params"])
    for number, (group, own) in enumerate(zip(groups, shares, strict=True)):
        pending: list[tuple[str, Tensor]] = []
        with processes.together():
            for batch in own:
                taken = [next(stream) for _ in batch]
                draws = [drawn[sample.index] for sample in taken]
                for sample, figures in zip(
                    taken, _learn(task, taken, draws, setting, gradients), strict=True
                ):
                    mean.add(figures)
                    pending.append((sample.crop, figures["loss"].detach()))
                    observer.crop(epoch, "train")
                del taken, sample, figures  # before the next batch is read
            _check(pending, epoch)
        gradients.publish(len(crops_in([group])), processes)
        factor = lr_factor(schedule, len(groups), (epoch - 1) * len(groups) + number)
        make_update(optimizer, factor, schedule.clip_norm)
        if average is not None:
            average.update()
        for _ in range(len(crops_in([group])) - len(pending)):
            observer.crop(epoch, "train")  # another process's
    return mean.result(processes)


@torch.no_grad()
def validate(
    task: Task[S],
    samples: SampleLoader[S],
    epoch: int,
    observer: Callback,
    setting: ComputeSettings = DEFAULT_COMPUTE,
    subset: str = "val",
) -> dict[str, float]:
    """Return the mean of each figure over some crops, without augmentation.

    Raises:
        TrainingError: if a loss is not finite, or memory is short.
    """
    task.network.eval()
    mean, processes = RunningMean(), setting.processes
    seen: list[tuple[str, Tensor]] = []
    with processes.together():
        drawn = {i: task.view(samples.crop(i), None) for i in samples.order(epoch)}
        groups = _cut(task, samples, drawn, VALIDATED, setting)
        shares = [shard(group, processes.rank, processes.world) for group in groups]
        stream = samples.read(crops_in(shares))
        for batch in (batch for own in shares for batch in own):
            taken = [next(stream) for _ in batch]
            draws = [drawn[sample.index] for sample in taken]
            for sample, figures in zip(taken, _figures(task, taken, draws, setting), strict=True):
                mean.add(figures)
                seen.append((sample.crop, figures["loss"]))
                observer.crop(epoch, subset)
            del taken, sample, figures  # before the next batch is read
        _check(seen, epoch)
    for _ in range(len(samples) - len(seen)):
        observer.crop(epoch, subset)  # another process's
    return mean.result(processes)


def fit(
    task: Task[S],
    train: SampleLoader[S],
    val: SampleLoader[S] | None,
    schedule: TrainingSettings,
    writer: Writer,
    observer: Callback,
    setting: ComputeSettings = DEFAULT_COMPUTE,
    *,
    trained: bool = False,
) -> TrainingState:
    """Train from where the writer's run stands, publish every epoch, and return how it ended.

    `select` "best" keeps the weights of the lowest validation loss, the first of equals. "last"
    keeps those of the last epoch, and so does "best" where there is nothing to validate on. With
    `ema` it is the average of weights that is validated and kept.

    Weights that were `trained` before are validated before the first update, as epoch 0: an epoch
    is kept for being better than the start, not only than other epochs, and patience counts from
    there. A run that was begun without it goes on without it.

    Raises:
        TrainingError: if a loss is not finite, or memory is short.
    """
    optimizer = make_optimizer(task, schedule)
    average = WeightAverage(modules(task), schedule.ema)
    parts = average.parts
    progress = writer.restore(parts, optimizer)
    if trained and val is not None and progress.epoch == 0 and progress.first != 0:
        began = time.perf_counter()
        with average.shown():
            figures = validate(task, val, 0, observer, setting)
        progress = TrainingState(best=figures["loss"], first=0)
        record: dict[str, Any] = {"epoch": 0, "val": figures, "kept": True}
        record["seconds"] = seconds_since(began)
        writer.epoch(record, parts, optimizer, progress)
        observer.epoch(record)

    def learn(epoch: int) -> dict[str, Any]:
        record: dict[str, Any] = dict(lr_record(schedule, len(train), epoch))
        record["train"] = train_epoch(
            task, train, optimizer, schedule, epoch, observer, setting, average
        )
        if val is not None:
            with average.shown():
                record["val"] = validate(task, val, epoch, observer, setting)
        return record

    return run_epochs(learn, progress, schedule, writer, observer, parts, optimizer)


def _cut(
    task: Task[S], samples: SampleLoader[S], drawn: Drawn, accumulate: int, setting: ComputeSettings
) -> list[Update]:
    def extent(index: int) -> Extent:
        size = output_size(drawn[index], *samples.size(index, task.level))
        return Extent(size, samples.held(index))

    return setting.cut(list(drawn), accumulate, extent)


def _learn(
    task: Task[S],
    samples: Sequence[S],
    draws: Sequence[AugmentationParams | None],
    setting: ComputeSettings,
    gradients: GradientAccumulator,
) -> Sequence[Metrics]:
    found = _figures(task, samples, draws, setting)
    try:
        torch.autograd.backward([figures["loss"] for figures in found])
    except torch.OutOfMemoryError as error:
        raise _short(samples) from error
    gradients.add()
    return found


def _figures(
    task: Task[S],
    samples: Sequence[S],
    draws: Sequence[AugmentationParams | None],
    setting: ComputeSettings,
) -> Sequence[Metrics]:
    device = next(task.network.parameters()).device.type
    try:
        with precision_of(device, setting.precision):
            return task.losses(samples, draws)
    except torch.OutOfMemoryError as error:
        raise _short(samples) from error


def _short(samples: Sequence[Sample]) -> TrainingError:
    sample = max(samples, key=lambda s: sum(image.numel() for image in s.images.values()))
    sizes = ", ".join(f"{i.shape[1]} × {i.shape[2]} px at {n}" for n, i in sample.images.items())
    if len(samples) > 1:
        return TrainingError(
            f"a batch of {len(samples)} crops, the largest {sample.crop} ({sizes}), does not fit "
            "in the device's memory; choose a smaller --batch-pixels or --memory"
        )
    return TrainingError(
        f"crop {sample.crop} ({sizes}) does not fit in the device's memory; "
        "choose a coarser --level, a smaller --memory or --device cpu"
    )


def _check(losses: list[tuple[str, Tensor]], epoch: int) -> None:
    if not losses:
        return
    finite = torch.stack([loss for _, loss in losses]).isfinite().tolist()
    for (crop, loss), good in zip(losses, finite, strict=True):
        if not good:
            if epoch == 0:
                raise TrainingError(
                    f"the loss of crop {crop} is {float(loss)} before any update; start from other "
                    "weights"
                )
            raise TrainingError(
                f"the loss of crop {crop} in epoch {epoch} is {float(loss)}; try a lower --lr"
            )
