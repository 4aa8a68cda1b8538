"""`distill train`: teacher, baseline, kd and finetune."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from distill.cli.exits import interrupted
from distill.cli.kd_options import distillation, distillation_options
from distill.cli.options import FOLDER, Grouped, option, refuse_without_effect
from distill.cli.training_options import (
    OF_IMAGES,
    OF_STEPS,
    class_options,
    finetune_options,
    label_options,
    student_options,
    teacher_options,
    training_options,
    with_effect,
)
from distill.embeddings import LOGISTIC
from distill.engine import LabelSettings
from distill.errors import UsageError
from distill.settings import from_options
from distill.training import EmbeddedSettings, TrainingOptions
from wsistore import terminal


@click.group()
def train() -> None:
    """Train a network; the run folder holds its weights and how they came to be."""


@train.command(cls=Grouped)
@teacher_options
@label_options
@class_options
def teacher(**given: Any) -> None:
    """Train the high-resolution teacher on the labels of STORE.

    With --embeddings, a head learns from what a pretrained network said of the crops' tiles.

    \b
    Examples:
      distill train teacher STORE --split main --level 10x --out runs/teacher
      distill train teacher STORE --embeddings embeddings --head attention --out runs/teacher
      distill train teacher STORE --embeddings embeddings --head attention --bag slide --out runs/a
    """
    embedded = from_options(EmbeddedSettings, given)
    if embedded.embeddings is None:
        why = "without --embeddings"
        refuse_without_effect({"head": why, "bag": why, "logistic_c": why})
        if given["level"] is None:
            raise UsageError("Missing option '--level', or '--embeddings'.")
        _train_supervised("train teacher", given)
        return
    refuse_without_effect(dict.fromkeys(OF_IMAGES, "with --embeddings"))
    if embedded.head == LOGISTIC:
        refuse_without_effect(dict.fromkeys(OF_STEPS, f"with --head {LOGISTIC}, which is solved"))
    else:
        refuse_without_effect({"logistic_c": f"with --head {embedded.head}"})
    options = _options({**given, "level": given["level"] or ""})
    from distill.training import train_on_embeddings

    with _interruptible(given["out"]):
        train_on_embeddings(options, embedded, terminal.echo, _labels(given))


@train.command(cls=Grouped)
@training_options
@label_options
@class_options
def baseline(**given: Any) -> None:
    """Train the same network from scratch at low resolution, for comparison.

    \b
    Example:
      distill train baseline STORE --split main --level 1.25x --out runs/baseline
    """
    _train_supervised("train baseline", given)


@train.command(cls=Grouped)
@student_options
@distillation_options
def kd(**given: Any) -> None:
    """Train a low-resolution student to imitate a teacher on STORE; no label is read.

    The teacher sees each crop at the level it was trained at, the student at --level. With
    --targets, the teacher has seen them before, and only --level is read.

    \b
    Examples:
      distill train kd STORE --split main --teacher runs/teacher --level 1.25x --out runs/kd
      distill train kd STORE --split main --targets targets --level 1.25x --out runs/kd
    """
    options, asked = _options(given), distillation(given)
    from distill.training import train_kd

    with _interruptible(given["out"]):
        train_kd(options, asked, terminal.echo)


@train.command(cls=Grouped)
@finetune_options
@label_options
@option("Data", "--student", required=True, type=FOLDER, help="Run of the student.")
def finetune(student: Path, **given: Any) -> None:
    """Train the fully connected layer of a student on the labels of STORE, and nothing else.

    Network, classes, level, stains and standardisation are those of the student.

    \b
    Example:
      distill train finetune STORE --split main --student runs/kd --out runs/finetuned
    """
    from distill.runs import Run
    from distill.training import train_finetune

    about = Run.open(student).weights
    options = _options({**given, "level": about.level})
    with _interruptible(given["out"]):
        train_finetune(student, options, terminal.echo, _labels(given))


def _train_supervised(command: str, given: dict[str, Any]) -> None:
    options, labels = _options(given), _labels(given)
    from distill.training import train_supervised

    with _interruptible(given["out"]):
        train_supervised(command, options, terminal.echo, labels)


def _options(given: dict[str, Any]) -> TrainingOptions:
    options: TrainingOptions = from_options(TrainingOptions, with_effect(given))
    return options


def _labels(given: dict[str, Any]) -> LabelSettings:
    settings: LabelSettings = from_options(LabelSettings, given)
    return settings


@contextmanager
def _interruptible(out: Path) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt as interruption:
        if (out / "checkpoint.safetensors").exists():
            state = f"{out} is as its last complete epoch left it; --resume continues it"
        else:
            state = "no epoch was complete"
        raise interrupted(interruption, f"Interrupted: {state}.") from None
