"""The factor of each update is torch's, is used, and is on record."""

import json
import math
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.optim import SGD
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, StepLR

from distill.engine.optimizers import make_optimizer
from distill.engine.progress import epoch_line
from distill.engine.schedules import lr_factor, lr_record, updates_per_epoch
from distill.engine.settings import TrainingSettings
from distill.engine.trainer import train_epoch
from distill.errors import UsageError
from tests.distill.engine.test_trainer import IMAGES, Linear, Quiet, listed

KINDS = ("constant", "cosine", "step")


def by_torch(settings: TrainingSettings, per_epoch: int) -> list[float]:
    """Rates of a learning rate of 1: torch's linear warm-up, then torch's schedule."""
    warmup, total = settings.warmup_epochs * per_epoch, settings.epochs * per_epoch
    found = []

    def run(optimizer: SGD, scheduler: torch.optim.lr_scheduler.LRScheduler, count: int) -> None:
        for _ in range(count):
            found.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            scheduler.step()

    def made() -> SGD:
        return SGD([nn.Parameter(torch.zeros(1))], lr=1.0)

    if warmup:
        optimizer = made()
        linear = LinearLR(optimizer, 1 / warmup, total_iters=max(warmup - 1, 1))
        run(optimizer, linear, warmup)
    optimizer = made()
    scheduler: torch.optim.lr_scheduler.LRScheduler = LinearLR(optimizer, 1.0)
    if settings.lr_schedule == "cosine":
        scheduler = CosineAnnealingLR(optimizer, total - warmup)
    if settings.lr_schedule == "step":
        assert settings.step_epochs is not None
        assert settings.step_factor is not None
        scheduler = StepLR(optimizer, settings.step_epochs * per_epoch, settings.step_factor)
    run(optimizer, scheduler, total - warmup)
    return found


@given(
    kind=st.sampled_from(KINDS),
    epochs=st.integers(1, 9),
    warmup=st.integers(0, 8),
    per_epoch=st.integers(1, 5),
    step=st.integers(1, 4),
)
def test_every_factor_is_torchs(
    kind: str, epochs: int, warmup: int, per_epoch: int, step: int
) -> None:
    more = {"step_epochs": step, "step_factor": 0.3} if kind == "step" else {}
    settings = TrainingSettings(
        epochs=epochs,
        lr_schedule=kind,
        warmup_epochs=min(warmup, epochs - 1),
        **more,  # type: ignore[arg-type]
    )
    found = [lr_factor(settings, per_epoch, t) for t in range(epochs * per_epoch)]
    assert found == pytest.approx(by_torch(settings, per_epoch), rel=1e-9, abs=1e-12)


def test_the_ends_are_those_of_the_equations() -> None:
    assert [lr_factor(TrainingSettings(), 4, t) for t in (0, 9, 399)] == [1.0] * 3
    warm = TrainingSettings(epochs=4, warmup_epochs=2, lr_schedule="cosine")
    found = [lr_factor(warm, 2, t) for t in range(8)]
    assert found[:5] == [0.25, 0.5, 0.75, 1.0, 1.0]
    assert found[-1] == pytest.approx((1 + math.cos(0.75 * math.pi)) / 2)
    step = TrainingSettings(lr_schedule="step")
    assert (step.step_epochs, step.step_factor) == (30, 0.1)
    assert [lr_factor(step, 7, t) for t in (0, 209, 210, 420)] == pytest.approx([1, 1, 0.1, 0.01])
    with pytest.raises(ValueError, match="no schedule is called 'poly'"):
        lr_factor(TrainingSettings(lr_schedule="poly"), 1, 0)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("accumulate", [1, 2, 3, 7])
def test_each_update_has_its_factor_and_the_record_the_last(kind: str, accumulate: int) -> None:
    """Accumulation changes how many updates there are, and nothing else of the schedule."""
    task, seen = Linear(), []
    settings = TrainingSettings(
        epochs=3, accumulate=accumulate, lr=0.5, lr_schedule=kind, warmup_epochs=1
    )
    optimizer = make_optimizer(task, settings)
    optimizer.register_step_pre_hook(lambda *_: seen.append(optimizer.param_groups[0]["lr"]))
    per_epoch = updates_per_epoch(settings, len(IMAGES))
    for epoch in (1, 2, 3):
        train_epoch(task, listed(IMAGES), optimizer, settings, epoch, Quiet())
        assert len(seen) == epoch * per_epoch == epoch * math.ceil(7 / accumulate)
        assert lr_record(settings, len(IMAGES), epoch) == {"lr": seen[-1]}
    assert seen == [0.5 * lr_factor(settings, per_epoch, t) for t in range(3 * per_epoch)]
    assert seen[per_epoch - 1] == 0.5


def test_a_rate_of_each_group_of_parameters_is_kept() -> None:
    task, settings = Linear(), TrainingSettings(lr_schedule="cosine", epochs=2, accumulate=7)
    weight, bias = task.parameters()
    optimizer = SGD([{"params": [weight], "lr": 1.0}, {"params": [bias], "lr": 0.25}])
    for epoch in (1, 2):
        train_epoch(task, listed(IMAGES), optimizer, settings, epoch, Quiet())
        factor = lr_factor(settings, 1, epoch - 1)
        assert [one["lr"] for one in optimizer.param_groups] == [factor, 0.25 * factor]


def test_a_constant_rate_is_not_repeated_in_every_epoch() -> None:
    assert lr_record(TrainingSettings(), 9, 1) == {}
    record = {"epoch": 1, "train": {"loss": 0.5}, "kept": False, "seconds": 1.0}
    assert "lr" not in epoch_line(record, 3)
    assert "lr 0.00025" in epoch_line({**record, "lr": 0.00025}, 3)


def test_the_rate_is_a_column_of_the_metrics(real_store: Path, tmp_path: Path, train) -> None:
    words = ("--level", "2.5x", "--schedule", "cosine", "--lr", "0.01")
    result = train("baseline", real_store, tmp_path / "run", *words)
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    # 5 crops, 2 to an update: 3 updates in each of 2 epochs
    wanted = [0.01 * (1 + math.cos(math.pi * t / 6)) / 2 for t in (2, 5)]
    assert [json.loads(line)["lr"] for line in lines] == pytest.approx(wanted)
    table = (tmp_path / "run" / "metrics.csv").read_text().splitlines()
    assert table[0].startswith("epoch,lr,train.loss")
    assert "lr 0.0075" in result.output


def test_what_has_no_meaning_is_refused() -> None:
    with pytest.raises(UsageError, match="--warmup-epochs 3 leaves none of --epochs 3"):
        TrainingSettings(epochs=3, warmup_epochs=3)
    with pytest.raises(UsageError, match="--step-factor is of --schedule step only"):
        TrainingSettings(step_factor=0.5)
    with pytest.raises(UsageError, match="--ema 1: the decay must lie between 0 and 1"):
        TrainingSettings(ema=1.0)
