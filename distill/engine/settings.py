"""How a training goes: hyperparameters, as plain data; `--help` reads them, and needs no torch."""

from __future__ import annotations

from dataclasses import dataclass

from distill.data import AugmentationSettings
from distill.errors import UsageError
from distill.settings import part, setting

OPTIMIZATION = "Optimization"
"""Group of `--help` for what decides the weights."""
MOMENTUM = 0.9
"""Of --optimizer sgd, unless another is given."""
STEP_EPOCHS, STEP_FACTOR = 30, 0.1
"""Of --schedule step, unless others are given."""


@dataclass(frozen=True)
class TrainingSettings:
    """How to train.

    Attributes:
        augmentation: how far crops are changed.
        epochs: number of passes over the training crops.
        seed: of the order and of the augmentation.
        accumulate: crops whose mean gradient makes one update.
        optimizer: what makes an update of a gradient; see `distill.engine.optimizers`.
        momentum: of "sgd", 0.9 unless given; None for the others, which have none to choose.
        lr: the learning rate, which a schedule multiplies by a factor.
        head_lr: that of the head, by the same factors; None for `lr`. See `Task.head`.
        lr_schedule: "constant", "cosine" or "step"; see `distill.engine.schedules.lr_factor`.
        warmup_epochs: epochs in which the rate rises to `lr`, before the schedule begins.
        step_epochs: of "step", epochs from one step to the next; None for the others.
        step_factor: of "step", what the rate is multiplied by at each; None for the others.
        weight_decay: λ; what it does depends on the optimizer.
        clip_norm: largest Euclidean norm of an update's gradient, all parameters together; one that
            is larger is scaled down to it. None for no limit.
        ema: decay of the moving average of weights that is validated and kept; None for none. See
            `distill.engine.averaging.WeightAverage`.
        select: which weights to keep: "best" (lowest validation loss) or "last".
        patience: epochs without a lower validation loss after which to stop; None never stops.

    Raises:
        UsageError: if one of them has no meaning beside the others.
    """

    augmentation: AugmentationSettings = part(AugmentationSettings)
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
    head_lr: float | None = setting(
        None,
        group=OPTIMIZATION,
        above=0,
        help="Learning rate of the head: the classifier's last layer, and a student's projection "
        "to its teacher's map. It follows the same schedule.",
        unset="as --lr",
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
    lr_schedule: str = setting(
        "constant",
        group=OPTIMIZATION,
        flag="--schedule",
        choices=("constant", "cosine", "step"),
        help="Learning rate after the warm-up: cosine falls to 0 at the last epoch, step falls by "
        "--step-factor every --step-epochs.",
        preset=True,
        tracked=True,
        recipe=True,
    )
    warmup_epochs: int = setting(
        0,
        group=OPTIMIZATION,
        at_least=0,
        help="First epochs, in which the learning rate rises, update by update, to --lr.",
        preset=True,
        tracked=True,
        recipe=True,
    )
    step_epochs: int | None = setting(
        None,
        group=OPTIMIZATION,
        at_least=1,
        help="Epochs from one step of --schedule step to the next.",
        unset=f"{STEP_EPOCHS} with step",
        preset=True,
        tracked=True,
        recipe=True,
    )
    step_factor: float | None = setting(
        None,
        group=OPTIMIZATION,
        above=0,
        at_most=1,
        help="What each step of --schedule step multiplies the learning rate by.",
        unset=f"{STEP_FACTOR} with step",
        preset=True,
        tracked=True,
        recipe=True,
    )
    clip_norm: float | None = setting(
        None,
        group=OPTIMIZATION,
        above=0,
        help="Scale the gradient of an update down to this Euclidean norm, if it is larger.",
        unset="no limit",
        preset=True,
        tracked=True,
        recipe=True,
    )
    ema: float | None = setting(
        None,
        group=OPTIMIZATION,
        metavar="DECAY",
        above=0,
        at_most=1,
        help="Validate and keep a moving average of the weights instead of them: DECAY times the "
        "average plus 1 - DECAY times the weights, after each update; below 1.",
        unset="no average",
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
        sgd, step = self.optimizer == "sgd", self.lr_schedule == "step"
        self._only("momentum", sgd, MOMENTUM, "--optimizer sgd")
        self._only("step_epochs", step, STEP_EPOCHS, "--schedule step")
        self._only("step_factor", step, STEP_FACTOR, "--schedule step")
        if self.warmup_epochs and self.warmup_epochs >= self.epochs:
            raise UsageError(
                f"--warmup-epochs {self.warmup_epochs} leaves none of --epochs {self.epochs} at "
                "the full learning rate"
            )
        if self.ema is not None and not 0 < self.ema < 1:
            raise UsageError(f"--ema {self.ema:g}: the decay must lie between 0 and 1")

    def _only(self, name: str, has: bool, default: float, owner: str) -> None:
        """Give a setting that only its owner has its default, or refuse it to all others."""
        if has and getattr(self, name) is None:
            object.__setattr__(self, name, default)
        if not has and getattr(self, name) is not None:
            raise UsageError(f"--{name.replace('_', '-')} is of {owner} only; leave it out")
