"""Options of training, and those of them that other commands share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from distill.cli.options import Decorator, refuse_without_effect, stack
from distill.cli.settings_options import option_of, options_of
from distill.data import AUGMENTATION
from distill.engine import OPTIMIZATION, LabelSettings, TrainingSettings
from distill.networks import ANSWER_PIXELS, NETWORK, NetworkSettings
from distill.settings import settings_of
from distill.training import (
    DATA,
    MACHINE,
    PRESETS,
    RUN,
    EmbeddedSettings,
    PretrainedSettings,
    TrainingOptions,
)

CLASSES = ("exclude_class", "merge")
"""Settings of the commands that read labels and choose the classes themselves."""


def _apply_preset(context: click.Context, _: click.Parameter, name: str | None) -> str | None:
    if name is not None:
        context.default_map = {**(context.default_map or {}), **PRESETS[name].options()}
    return name


_PRESET: dict[str, Any] = {
    "type": click.Choice(sorted(PRESETS)),
    "is_eager": True,  # before the options whose defaults it sets
    "callback": _apply_preset,
}

store_argument = click.argument("store")  # a text, not a path: a store can be a URL

no_lock_option = option_of(TrainingOptions, "no_lock")
device_option = option_of(TrainingOptions, "device")
threads_option = option_of(TrainingOptions, "threads")
memory_option = option_of(TrainingOptions, "memory_gib")
batch_option = option_of(TrainingOptions, "batch_pixels")
answer_batch_option = option_of(
    TrainingOptions,
    "batch_pixels",
    unset=f"{ANSWER_PIXELS['cpu']:,} on the CPU, {ANSWER_PIXELS['cuda']:,} on CUDA",
)
network_options = options_of(NetworkSettings, (NETWORK,))
machine_options = stack(device_option, option_of(TrainingOptions, "workers"), threads_option)


def _options(*without: str, special: dict[str, Any] | None = None) -> Decorator[Any]:
    groups = (DATA, RUN, NETWORK, OPTIMIZATION, AUGMENTATION, MACHINE)
    special = {"preset": _PRESET, **(special or {})}
    options = options_of(TrainingOptions, groups, without=without, special=special)
    return stack(store_argument, options)


training_options = _options(*CLASSES)
_UNLABELED = {"help": "Sets to distil on, labelled or not; several joined by +."}
student_options = _options(*CLASSES, special={"subset": _UNLABELED})
label_options = options_of(LabelSettings, (OPTIMIZATION,))
class_options = stack(*(option_of(TrainingOptions, name) for name in CLASSES))
_UNLESS_EMBEDDED = {
    "required": False,
    "default": None,
    "help": "Level of the input, e.g. 10x; not needed with --embeddings.",
}
teacher_options = stack(
    _options(*CLASSES, special={"level": _UNLESS_EMBEDDED}),
    *(option_of(EmbeddedSettings, name) for name in ("embeddings", "head", "bag", "logistic_c")),
)
_OF_A_NETWORK = [one.name for c in (NetworkSettings, PretrainedSettings) for one in settings_of(c)]
finetune_options = _options(*CLASSES, "level", "init_from", *_OF_A_NETWORK)
OF_IMAGES = (*_OF_A_NETWORK, "workers", "read_ahead", "precision", "memory", "batch_pixels")
"""Parameters of options that do nothing where vectors are learnt from."""
OF_STEPS = (
    *(one.name for one in settings_of(TrainingSettings) if one.name not in ("select", "seed")),
    *("preset", "label_smoothing", "sampling"),
)
"""Parameters of options that do nothing where a head is solved, and not trained in steps."""


def with_effect(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return a command's parameters without those that do nothing beside the others.

    A preset may say such a one, and another option, given beside it, take its effect.

    Raises:
        UsageError: if one of them was given.
    """
    needs = {}
    if given["optimizer"] != "sgd":
        needs["momentum"] = f"with --optimizer {given['optimizer']}"
    if given["schedule"] != "step":
        why = f"with --schedule {given['schedule']}"
        needs |= {"step_epochs": why, "step_factor": why}
    refuse_without_effect(needs)
    return {name: value for name, value in given.items() if name not in needs}
