"""What only trainings on labels take: smoothing, and what makes up for classes of unlike size."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from distill.engine.settings import OPTIMIZATION
from distill.errors import UsageError
from distill.settings import setting

NO_WEIGHTS, BALANCED = "none", "balanced"


@dataclass(frozen=True)
class LabelSettings:
    """How labels are learned from; validation knows nothing of it.

    Attributes:
        label_smoothing: s; the target of a crop of class y is (1 - s) of y, and s / K of each of
            the K classes.
        class_weights: "none", "balanced" or "CLASS=W,…"; see `class_weights`.
        sampling: "each" crop once an epoch, or "balanced"; see
            `distill.data.sampling.balanced_order`.

    Raises:
        UsageError: if both weights and sampling are balanced.
    """

    label_smoothing: float = setting(
        0.0,
        group=OPTIMIZATION,
        at_least=0,
        at_most=1,
        help="Share of the target that is spread over all classes, in training.",
        preset=True,
        tracked=True,
        recipe=True,
    )
    class_weights: str = setting(
        NO_WEIGHTS,
        group=OPTIMIZATION,
        metavar="none|balanced|CLASS=W,…",
        help="What the training loss of a crop counts, by its class; balanced: the number of crops "
        "by the number of classes and that of the crops of the class.",
        preset=True,
        recipe=True,
    )
    sampling: str = setting(
        "each",
        group=OPTIMIZATION,
        choices=("each", BALANCED),
        help="Training crops of an epoch: each once, or as many of each class, drawn anew; the "
        "number of crops is the same.",
        preset=True,
        tracked=True,
        recipe=True,
    )

    def __post_init__(self) -> None:
        if self.class_weights == self.sampling == BALANCED:
            raise UsageError(
                "--class-weights balanced and --sampling balanced make up for the same thing "
                "twice; give one"
            )


def class_weights(
    asked: str, labels: Sequence[str | None], classes: Sequence[str]
) -> dict[str, float] | None:
    """Return what the loss of a crop is multiplied by, by its class; None for no weights.

    "balanced" is n / (K n_c) for n crops, n_c of them of class c, and K classes, so that the mean
    over the crops is 1. Weights that are given are taken as they are.

    Args:
        asked: the value of --class-weights.
        labels: of the training crops.
        classes: in the order of the logits.

    Raises:
        UsageError: if a weight is no number above 0, a class has none or is unknown, or "balanced"
            is asked for and a class has no crop.
    """
    if asked == NO_WEIGHTS:
        return None
    if asked == BALANCED:
        counts = Counter(labels)
        if empty := [name for name in classes if not counts[name]]:
            raise UsageError(
                f"--class-weights balanced: no training crop is of class {', '.join(empty)}; "
                "give weights as CLASS=W,…"
            )
        return {name: len(labels) / (len(classes) * counts[name]) for name in classes}
    given = [_weight(item) for item in asked.split(",")]
    names = [name for name, _ in given]
    if sorted(names) != sorted(classes):
        raise UsageError(
            f"--class-weights {asked}: give each class once, which are {', '.join(classes)}"
        )
    found = dict(given)
    return {name: found[name] for name in classes}


def _weight(item: str) -> tuple[str, float]:
    name, equals, number = item.rpartition("=")
    try:
        weight = float(number)
    except ValueError:
        weight = math.nan
    if not equals or not 0 < weight < math.inf:
        raise UsageError(
            f"--class-weights: {item} is not CLASS=W with a number W above 0; or give none or "
            "balanced"
        )
    return name, weight
