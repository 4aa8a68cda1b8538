"""How a training goes: hyperparameters, and what the machine is to do with them. Plain data."""

from __future__ import annotations

from dataclasses import dataclass

from distill.data import BatchingPolicy, one_by_one
from distill.engine.distributed import ALONE, DistributedContext
from distill.errors import UsageError
from distill.settings import setting

OPTIMIZATION = "Optimization"
"""Group of `--help` for what decides the weights."""
MOMENTUM = 0.9
"""Of --optimizer sgd, unless another is given."""


@dataclass(frozen=True)
class TrainingSettings:
    """How to train.

    Attributes:
        epochs: number of passes over the training crops.
        seed: of the order and of the augmentation.
        accumulate: crops whose mean gradient makes one update.
        optimizer: what makes an update of a gradient; see `distill.engine.optimizers`.
        momentum: of "sgd", 0.9 unless given; None for the others, which have none to choose.
        lr: the learning rate.
        weight_decay: λ; what it does depends on the optimizer.
        select: which weights to keep: "best" (lowest validation loss) or "last".
        patience: epochs without a lower validation loss after which to stop; None never stops.

    Raises:
        UsageError: if one of them has no meaning beside the others.
    """

    epochs: int = setting(
        100,
        group=OPTIMIZATION,
        at_least=1,
        help="Passes over the training crops.",
        preset=True,
        tracked=True,
        recipe=True,
    )
    seed: int = setting(
        0,
        group=OPTIMIZATION,
        rank=1,
        at_least=0,
        at_most=2**63 - 1,
        help="Decides initial weights, order and augmentation.",
        tracked=True,
        recipe=True,
    )
    accumulate: int = setting(
        32,
        group=OPTIMIZATION,
        at_least=1,
        help="Crops whose mean gradient makes one update.",
        preset=True,
        tracked=True,
        recipe=True,
    )
    optimizer: str = setting(
        "adam",
        group=OPTIMIZATION,
        choices=("adam", "adamw", "sgd"),
        help="What makes an update of a gradient.",
        preset=True,
        tracked=True,
        recipe=True,
    )
    momentum: float | None = setting(
        None,
        group=OPTIMIZATION,
        at_least=0,
        at_most=1,
        help="Momentum of --optimizer sgd.",
        unset=f"{MOMENTUM} with sgd",
        preset=True,
        tracked=True,
        recipe=True,
    )
    lr: float = setting(
        1e-3,
        group=OPTIMIZATION,
        above=0,
        help="Learning rate.",
        preset=True,
        tracked=True,
        recipe=True,
    )
    weight_decay: float = setting(
        1e-4,
        group=OPTIMIZATION,
        at_least=0,
        help="Times a weight: with adam and sgd, added to its gradient (L2 penalty); with adamw, "
        "taken off the weight itself, times the learning rate.",
        preset=True,
        tracked=True,
        recipe=True,
    )
    select: str = setting(
        "best",
        group=OPTIMIZATION,
        choices=("best", "last"),
        help="Weights to keep: of the lowest validation loss, or of the last epoch.",
        tracked=True,
        recipe=True,
    )
    patience: int | None = setting(
        None,
        group=OPTIMIZATION,
        at_least=1,
        help="Stop after so many epochs without a lower validation loss.",
        unset="never",
        tracked=True,
        recipe=True,
    )

    def __post_init__(self) -> None:
        if self.optimizer != "sgd" and self.momentum is not None:
            raise UsageError(f"--momentum is of --optimizer sgd; {self.optimizer} has none")
        if self.optimizer == "sgd" and self.momentum is None:
            object.__setattr__(self, "momentum", MOMENTUM)


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
