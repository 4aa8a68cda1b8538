"""Epoch after epoch: what each has learned is published, and says whether another follows."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from torch.optim import Optimizer

from distill.engine.callbacks import Callback
from distill.engine.settings import TrainingSettings
from distill.runs import Modules, TrainingState, Writer


def run_epochs(
    learn: Callable[[int], Mapping[str, Any]],
    progress: TrainingState,
    schedule: TrainingSettings,
    writer: Writer,
    observer: Callback,
    parts: Modules,
    optimizer: Optimizer,
) -> TrainingState:
    """Learn until the schedule ends, publish every epoch, and return how it ended.

    Args:
        learn: does an epoch, by its number, and returns what its record says: "train", "val" where
            there is anything to validate on, and what else there is.
        progress: where the run stands.
        schedule: how many epochs, which of them is kept, and patience.
        writer: of the run.
        observer: is told of each epoch.
        parts: what learns, for the checkpoint.
        optimizer: for the checkpoint.
    """
    while progress.ended is None:
        began = time.perf_counter()
        epoch = progress.epoch + 1
        record: dict[str, Any] = {"epoch": epoch, **learn(epoch)}
        progress = _advance(progress, schedule, record.get("val"))
        record["kept"] = progress.kept == epoch
        record["seconds"] = seconds_since(began)
        writer.epoch(record, parts, optimizer, progress)
        observer.epoch(record)
    writer.end(progress)
    return progress


def seconds_since(began: float) -> float:
    """Return the seconds since a reading of `time.perf_counter`, to the millisecond."""
    return round(time.perf_counter() - began, 3)


def _advance(
    progress: TrainingState, schedule: TrainingSettings, val: Mapping[str, float] | None
) -> TrainingState:
    epoch = progress.epoch + 1
    best, best_epoch, kept = progress.best, progress.best_epoch, epoch
    if val is not None:
        if val["loss"] < best:
            best, best_epoch = val["loss"], epoch
        kept = epoch if schedule.select == "last" else best_epoch
    ended = None
    if epoch >= schedule.epochs:
        ended = f"all {schedule.epochs} epochs done"
    elif val is not None and schedule.patience and epoch - best_epoch >= schedule.patience:
        ended = f"no lower validation loss in {schedule.patience} epochs"
    return TrainingState(epoch, best, best_epoch, kept, ended, progress.first)
