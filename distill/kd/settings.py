"""What of the teacher a student imitates, and from where: options, as plain data.

`--help` reads them, so nothing here may import torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from distill.errors import UsageError
from distill.kd.maps import DISTANCES, PAPER, RESIZERS
from distill.kd.targets.target import TargetSpec
from distill.settings import part, setting

DISTILLATION = "Distillation"
"""Group of `--help` for what only distillation has."""
LEVEL = "{level}"
"""In `--out` of `distill teach`, stands for the level of the students."""


@dataclass(frozen=True)
class Criterion:
    """How far a student is from its teacher; a part whose weight is 0 is not computed.

    Attributes:
        temperature: T of equation 2.
        soft_weight: of equation 2.
        pixel_weight: of equation 3.
        attention_weight: of the AT+ term, see `distill.kd.losses.attention_map`; 0 in the paper.
        resizers: keys of `distill.kd.maps.RESIZERS`, g₁ … g_n of equation 3.
        distance: "mse" (the paper's) or "l1", of equation 3.
    """

    temperature: float = setting(
        1.0,
        group=DISTILLATION,
        above=0,
        help="T of the soft loss.",
        preset=True,
        tracked=True,
        recipe=True,
    )
    soft_weight: float = setting(
        1.0,
        group=DISTILLATION,
        at_least=0,
        help="Weight of the soft loss.",
        preset=True,
        tracked=True,
        recipe=True,
    )
    pixel_weight: float = setting(
        1.0,
        group=DISTILLATION,
        at_least=0,
        help="Weight of the pixel loss.",
        preset=True,
        tracked=True,
        recipe=True,
    )
    attention_weight: float = setting(
        0.0,
        group=DISTILLATION,
        at_least=0,
        help="Weight of attention transfer with positive gradients (AT+).",
        preset=True,
        recipe=True,
    )
    # --resize is DistillationSettings.resize: without it, stored targets decide on the resizers
    resizers: tuple[str, ...] = setting(PAPER, preset=True, recipe=True)
    distance: str = setting(
        "mse",
        group=DISTILLATION,
        flag="--pixel-distance",
        rank=1,
        choices=tuple(sorted(DISTANCES, reverse=True)),
        help="Of the pixel loss: squared or absolute differences.",
        preset=True,
        recipe=True,
    )

    @property
    def weights(self) -> dict[str, float]:
        """The weights by the name of their part, without those that are 0."""
        given = {
            "soft": self.soft_weight,
            "pixel": self.pixel_weight,
            "attention": self.attention_weight,
        }
        return {name: weight for name, weight in given.items() if weight}

    def question(self) -> TargetSpec:
        """Return what the teacher must answer."""
        wanted = self.weights
        return TargetSpec(
            # attention is that of the teacher's first choice, so it needs logits
            logits="soft" in wanted or "attention" in wanted,
            pixel="pixel" in wanted,
            resizers=self.resizers,
            distance=self.distance,
            attention="attention" in wanted,
        )


def resizers_of(joined: str) -> tuple[str, ...]:
    """Return the names in a value of `--resize`, in the order of `distill.kd.maps.RESIZERS`.

    Raises:
        UsageError: if a name is unknown, or there twice.
    """
    names = joined.split("+")
    if len(set(names)) < len(names) or not set(names) <= RESIZERS.keys():
        raise UsageError(
            f"--resize {joined}: give one or several of {', '.join(RESIZERS)}, each once, "
            "joined by +"
        )
    return tuple(name for name in RESIZERS if name in names)


def resize_of(joined: str) -> str:
    """Return a value of `--resize` with its names in their one order; errors as `resizers_of`."""
    return "+".join(resizers_of(joined))


PAPER_RESIZE = "+".join(PAPER)
"""The value of `--resize` that is the paper's."""


@dataclass(frozen=True)
class DistillationSettings:
    """What only `distill train kd` takes; exactly one of `teacher` and `targets` is given.

    Attributes:
        teacher: folder of the teacher's run.
        targets: folder of stored targets.
        criterion: the losses and their weights; `open_source` decides on its resizers.
        resize: keys of `distill.kd.maps.RESIZERS`; None for the paper's, or the targets'.
        student_colors: "shared" with the teacher, or "own"; see `distill.kd.task.KDTask`.
    """

    teacher: Path | None = setting(
        None, group=DISTILLATION, help="The teacher's run; or give --targets.", record=None
    )
    targets: Path | None = setting(
        None,
        group=DISTILLATION,
        help="What a teacher said before, from distill teach; only --level is read then.",
        record=None,
    )
    criterion: Criterion = part(Criterion)
    resize: tuple[str, ...] | None = setting(
        None,
        group=DISTILLATION,
        metavar="NAME[+NAME…]",
        parse=resizers_of,
        help="How the teacher's feature map is brought to the student's size; of several, joined "
        f"by +, the pixel loss is the mean: {', '.join(RESIZERS)}.",
        unset=f"{PAPER_RESIZE}, or as --targets were made",
        record=None,  # the criterion's resizers are
        preset=True,
    )
    student_colors: str = setting(
        "shared",
        group=DISTILLATION,
        key="student_colours",  # what config.json has said from the first run on
        rank=1,
        choices=("shared", "own"),
        help="Colours that the student sees a crop in: the teacher's, or others, drawn in every "
        "epoch. Flips and turns are always shared.",
        preset=True,
    )
