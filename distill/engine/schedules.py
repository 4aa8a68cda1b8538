"""Learning-rate schedules: a factor of the learning rate for each update, from its number alone."""

from __future__ import annotations

import math

from distill.engine.settings import TrainingSettings


def updates_per_epoch(schedule: TrainingSettings, crops: int) -> int:
    """Return how many updates an epoch of so many crops has: ⌈crops / accumulate⌉."""
    return -(-crops // schedule.accumulate)


def lr_factor(schedule: TrainingSettings, per_epoch: int, update: int) -> float:
    """Return what the learning rate of an update is multiplied by.

    With E epochs of U updates, update t = 0 … EU - 1, and the first W epochs a warm-up:

        t < WU:    f(t) = (t + 1) / WU
        constant:  f(t) = 1
        cosine:    f(t) = ½ (1 + cos(π (t - WU) / (EU - WU)))
        step:      f(t) = γ^⌊(t - WU) / SU⌋, with S of --step-epochs and γ of --step-factor

    A warm-up of one update is that update at the full rate. Cosine reaches 0 where the update after
    the last would be. The steps of "step" are counted from the end of the warm-up.

    Args:
        schedule: how to train.
        per_epoch: U.
        update: t.
    """
    warmup = schedule.warmup_epochs * per_epoch
    if update < warmup:
        return (update + 1) / warmup
    since = update - warmup
    if schedule.lr_schedule == "constant":
        return 1.0
    if schedule.lr_schedule == "cosine":
        return (1 + math.cos(math.pi * since / (schedule.epochs * per_epoch - warmup))) / 2
    if schedule.lr_schedule == "step":
        assert schedule.step_epochs is not None
        assert schedule.step_factor is not None
        return float(schedule.step_factor ** (since // (schedule.step_epochs * per_epoch)))
    raise ValueError(f"no schedule is called {schedule.lr_schedule!r}")


def lr_record(schedule: TrainingSettings, crops: int, epoch: int) -> dict[str, float]:
    """Return "lr", the rate of an epoch's last update; nothing where it is the same throughout.

    Args:
        schedule: how to train.
        crops: training crops of an epoch.
        epoch: its number, from 1.
    """
    if schedule.lr_schedule == "constant" and not schedule.warmup_epochs:
        return {}
    per_epoch = updates_per_epoch(schedule, crops)
    return {"lr": schedule.lr * lr_factor(schedule, per_epoch, epoch * per_epoch - 1)}
