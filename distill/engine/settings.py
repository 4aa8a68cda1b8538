"""How a training goes: hyperparameters, and what the machine is to do with them. Plain data."""

from __future__ import annotations

from dataclasses import dataclass

from distill.data import BatchingPolicy, one_by_one
from distill.engine.distributed import ALONE, DistributedContext


@dataclass(frozen=True)
class TrainingSettings:
    """How to train.

    Attributes:
        epochs: number of passes over the training crops.
        seed: of the order and of the augmentation.
        accumulate: crops whose mean gradient makes one update.
        lr: Adam's learning rate, constant.
        weight_decay: Adam's L2 penalty, added to the gradient.
        select: which weights to keep: "best" (lowest validation loss) or "last".
        patience: epochs without a lower validation loss after which to stop; None never stops.
    """

    epochs: int = 100
    seed: int = 0
    accumulate: int = 32
    lr: float = 1e-3
    weight_decay: float = 1e-4
    select: str = "best"
    patience: int | None = None


@dataclass(frozen=True)
class ComputeSettings:
    """Who does the work, and in what pieces: nothing here changes the result but by rounding.

    Attributes:
        processes: this process and those beside it.
        cut: how an update's crops are cut into batches.
        precision: "fp32", or "bf16" for autocast; weights, gradients and losses stay float32.
    """

    processes: DistributedContext = ALONE
    cut: BatchingPolicy = one_by_one
    precision: str = "fp32"


DEFAULT_COMPUTE = ComputeSettings()
