"""The options of distillation, and what they say as one object."""

from __future__ import annotations

from typing import Any

import click

from distill.cli.options import FOLDER, Decorator, option, refuse_without_effect, stack
from distill.errors import UsageError
from distill.kd import (
    DISTANCES,
    PAPER_RESIZE,
    RESIZERS,
    Criterion,
    DistillationSettings,
    resize_of,
    resizers_of,
)


def resize_option(group: str, default: str | None, note: str = "") -> Decorator[Any]:
    """Return `--resize` as an option of a group of a command's help."""
    return option(
        group,
        "--resize",
        callback=lambda _, __, value: None if value is None else resize_of(value),
        default=default,
        metavar="NAME[+NAME…]",
        help="How the teacher's feature map is brought to the student's size; of several, joined "
        f"by +, the pixel loss is the mean: {', '.join(RESIZERS)}.{note}",
    )


distillation_options = stack(
    option(
        "Distillation",
        "--teacher",
        type=FOLDER,
        help="The teacher's run; or give --targets.",
    ),
    option(
        "Distillation",
        "--targets",
        type=FOLDER,
        help="What a teacher said before, from distill teach; only --level is read then.",
    ),
    option(
        "Data",
        "--subset",
        default="train",
        metavar="NAME[+NAME…]",
        help="Subsets to distil on, labelled or not; several joined by +.",
    ),
    option(
        "Distillation",
        "--temperature",
        type=click.FloatRange(min=0, min_open=True),
        default=1.0,
        help="T of the soft loss.",
    ),
    option(
        "Distillation",
        "--soft-weight",
        type=click.FloatRange(min=0),
        default=1.0,
        help="Weight of the soft loss.",
    ),
    option(
        "Distillation",
        "--pixel-weight",
        type=click.FloatRange(min=0),
        default=1.0,
        help="Weight of the pixel loss.",
    ),
    option(
        "Distillation",
        "--attention-weight",
        type=click.FloatRange(min=0),
        default=0.0,
        help="Weight of attention transfer with positive gradients (AT+).",
    ),
    resize_option("Distillation", None, f"  [default: {PAPER_RESIZE}, or as --targets were made]"),
    option(
        "Distillation",
        "--pixel-distance",
        type=click.Choice(sorted(DISTANCES, reverse=True)),
        default="mse",
        help="Of the pixel loss: squared or absolute differences.",
    ),
    option(
        "Distillation",
        "--student-colours",
        type=click.Choice(["shared", "own"]),
        default="shared",
        help="Colours that the student sees a crop in: the teacher's, or others, drawn in every "
        "epoch. Flips and turns are always shared.",
    ),
)


def distillation(given: dict[str, Any]) -> DistillationSettings:
    """Return the values of `distillation_options` as one object.

    Raises:
        UsageError: if neither or both of teacher and targets are given, every weight is 0, or an
            option is given to a part of the loss that has no weight.
    """
    if (given["teacher"] is None) == (given["targets"] is None):
        raise UsageError("give either --teacher RUN or --targets TARGETS")
    criterion = Criterion(
        temperature=given["temperature"],
        soft_weight=given["soft_weight"],
        pixel_weight=given["pixel_weight"],
        attention_weight=given["attention_weight"],
        distance=given["pixel_distance"],
    )
    if not criterion.weights:
        raise UsageError(
            "--soft-weight, --pixel-weight and --attention-weight are all 0: nothing to learn"
        )
    if not criterion.soft_weight:
        refuse_without_effect({"temperature": "with --soft-weight 0"})
    if not criterion.pixel_weight:
        why = "with --pixel-weight 0"
        refuse_without_effect({"resize": why, "pixel_distance": why})
    resizers = resizers_of(given["resize"]) if given["resize"] else None
    return DistillationSettings(
        given["teacher"],
        given["targets"],
        criterion,
        resizers,
        given["subset"],
        given["student_colours"],
    )
