"""The experiment file: TOML, read strictly."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from distill.errors import UsageError
from distill.evaluate_command import evaluate
from distill.report.command import command as report
from distill.teach_command import command as teach
from distill.train_command import train

Values = Mapping[str, Any]
PLANNED = {"level", "out", "seed", "split", "subset", "store", "overwrite", "resume", "threads"}
"""Options that the experiment itself gives."""


@dataclass(frozen=True)
class Experiment:
    """What an experiment file says.

    Attributes:
        store: the store; a relative path counts from the file's folder.
        teacher: the teacher's level.
        students: the students' levels.
        split: name of the split.
        subset: what the runs are evaluated on.
        distil_on: sets of crops, as `distill train kd --subset` takes them; each makes a student.
        seeds: one teacher, and all that follows from it, for each.
        views: draws that a teacher's targets hold; 0 for a teacher that looks itself.
        finetune: whether each student's last layer is trained on labels afterwards.
        train: options of every training, and of one phase under its name.
        kd: options of each recipe of distillation, by the recipe's name.
        teach: options of `distill teach`.
        evaluate: options of `distill evaluate`.
        report: options of `distill report`.
    """

    store: str
    teacher: str
    students: tuple[str, ...]
    split: str = "main"
    subset: str = "test"
    distil_on: tuple[str, ...] = ("train",)
    seeds: tuple[int, ...] = (0,)
    views: int = 0
    finetune: bool = False
    train: Values = field(default_factory=dict)
    kd: Mapping[str, Values] = field(default_factory=lambda: {"kd": {}})
    teach: Values = field(default_factory=dict)
    evaluate: Values = field(default_factory=dict)
    report: Values = field(default_factory=dict)

    def options(self, phase: str, recipe: str | None = None) -> dict[str, Any]:
        """Return the options of a phase (teacher, baseline, kd, finetune), of a recipe of kd."""
        shared = {k: v for k, v in self.train.items() if not isinstance(v, Mapping)}
        return {**shared, **self.train.get(phase, {}), **(self.kd[recipe] if recipe else {})}


TYPES: dict[str, tuple[type, str]] = {
    "store": (str, "a path"),
    "teacher": (str, "a level, as 10x"),
    "students": (list, "a list of levels"),
    "split": (str, "a name"),
    "subset": (str, "a name"),
    "distil_on": (list, "a list of sets"),
    "seeds": (list, "a number, or a list of seeds"),
    "views": (int, "a number"),
    "finetune": (bool, "true or false"),
    "train": (dict, "a table of options"),
    "kd": (dict, "a table of recipes, each a table of options"),
    "teach": (dict, "a table of options"),
    "evaluate": (dict, "a table of options"),
    "report": (dict, "a table of options"),
}
PHASES = ("teacher", "baseline", "kd", "finetune")


def read(path: Path) -> Experiment:
    """Read an experiment file.

    Raises:
        UsageError: if it cannot be read, or says something that is not understood.
    """
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path} cannot be read as TOML ({error})") from error
    if isinstance(given.get("seeds"), int) and not isinstance(given["seeds"], bool):
        given["seeds"] = list(range(given["seeds"]))
    for key, value in given.items():
        if key not in TYPES:
            raise UsageError(f"{path}: {key} is none of {', '.join(TYPES)}")
        kind, words = TYPES[key]
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise UsageError(f"{path}: {key} must be {words}, not {value!r}")
    for key in ("store", "teacher", "students"):
        if not given.get(key):
            raise UsageError(f"{path} has no {key}")
    for key in ("students", "distil_on", "seeds"):
        if key in given:
            given[key] = tuple(dict.fromkeys(given[key]))
    if "://" not in given["store"]:
        given["store"] = str(path.parent / given["store"])
    experiment = Experiment(**given)
    _check_options(path, experiment)
    return experiment


def _check_options(path: Path, experiment: Experiment) -> None:
    commands = train.commands
    for recipe, values in experiment.kd.items():
        if not isinstance(values, Mapping):
            raise UsageError(f"{path}: kd.{recipe} must be a table of options, not {values!r}")
        if recipe in PHASES[:2] or not recipe.replace("-", "").replace("_", "").isalnum():
            raise UsageError(f"{path}: kd.{recipe} is no name for a recipe; use letters and digits")
        _check(path, f"kd.{recipe}", values, commands["kd"], {*PLANNED, "teacher", "targets"})
    for phase in PHASES:
        _check(path, f"train.{phase}", experiment.options(phase), commands[phase], PLANNED)
    for name in experiment.train:
        if isinstance(experiment.train[name], Mapping) and name not in PHASES:
            raise UsageError(f"{path}: train.{name} is none of {', '.join(PHASES)}")
    planned = {*PLANNED, "student_level", "views", "resize", "attention"}
    _check(path, "teach", experiment.teach, teach, planned)
    _check(path, "evaluate", experiment.evaluate, evaluate, {*PLANNED, "as_json"})
    _check(path, "report", experiment.report, report, PLANNED)


def _check(
    path: Path, where: str, values: Values, command: click.Command, planned: set[str]
) -> None:
    known = {p.name for p in command.params if isinstance(p, click.Option)} - planned
    for key in values:
        if key.replace("-", "_") not in known:
            there = ", ".join(sorted(str(name).replace("_", "-") for name in known))
            raise UsageError(f"{path}: {where} has no option {key}; it can have {there}")
