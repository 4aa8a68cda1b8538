"""The experiment file: TOML, read strictly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import click

import wsistore
from distill.cli.evaluate import evaluate_command
from distill.cli.experiment.checks import (
    MOST_SEEDS,
    OWN,
    PHASES,
    PLANNED,
    TAKEN,
    TYPES,
    Values,
    check_curve,
    check_known,
    check_options,
    check_type,
    options_of,
    plain,
)
from distill.cli.report import command as report
from distill.cli.teach import command as teach
from distill.cli.train import train
from distill.data import TRAIN
from distill.errors import UsageError
from distill.learning import LABELED, labeled_set

__all__ = ["Experiment", "read"]


@dataclass(frozen=True)
class Experiment:
    """What an experiment file says.

    Attributes:
        store: the store; a relative path counts from the file's folder.
        teacher: the teacher's level.
        students: the students' levels.
        split: name of the split.
        folds: what the folds of a cross-validation were made by, in place of `split`; or empty.
        labeled_patients: numbers of labelled training patients of a learning curve, each of which
            has all runs; `ALL` for train as it is; empty for no learning curve.
        times: set → train crops for each crop of it: its trainings have so many times the epochs,
            to have as many updates; sets that are not there have the epochs as they are. No file
            says it.
        labeled: the set whose labels count, `train` or, of a learning curve, such as L10; no file
            says it.
        subset: what the runs are evaluated on.
        distil_on: sets of crops, as `distill train kd --subset` takes them; each makes a student.
        seeds: one teacher, and all that follows from it, for each.
        views: draws that a teacher's targets hold; 0 for a teacher that looks itself.
        finetune: whether each student's last layer is trained on labels afterwards.
        train: options of every training that has them, and of one phase under its name.
        baseline: options of each baseline beside the plain one, by its name.
        kd: options of each recipe of distillation, by the recipe's name.
        level: options of every training of a network at a level, by the level, such as enlarge.
        teach: options of `distill teach`.
        evaluate: options of `distill evaluate`.
        report: options of `distill report`.
        curve: of a learning curve: `score`, what its picture shows, and `epochs`, of `EPOCHS`.
    """

    store: str
    teacher: str
    students: tuple[str, ...]
    split: str = "main"
    folds: str = ""
    labeled_patients: tuple[int | str, ...] = ()
    labeled: str = TRAIN
    times: Mapping[str, float] = field(default_factory=dict)
    subset: str = "test"
    distil_on: tuple[str, ...] = ("train",)
    seeds: tuple[int, ...] = (0,)
    views: int = 0
    finetune: bool = False
    train: Values = field(default_factory=dict)
    baseline: Mapping[str, Values] = field(default_factory=dict)
    kd: Mapping[str, Values] = field(default_factory=lambda: {"kd": {}})
    level: Mapping[str, Values] = field(default_factory=dict)
    teach: Values = field(default_factory=dict)
    evaluate: Values = field(default_factory=dict)
    report: Values = field(default_factory=dict)
    curve: Values = field(default_factory=dict)

    @property
    def levels(self) -> tuple[str, ...]:
        """All levels of students, each once: the experiment's, then those of single tables."""
        tables = [("baseline", name) for name in self.baseline] + [("kd", name) for name in self.kd]
        own = [level for phase, name in tables for level in self.said(phase, name, "students")]
        return tuple(dict.fromkeys([*self.students, *own]))

    @property
    def sets(self) -> tuple[str, ...]:
        """All sets of crops to distil on, each once: the experiment's, then those of recipes."""
        own = [crops for name in self.kd for crops in self.said("kd", name, "distil_on")]
        return tuple(dict.fromkeys([*self.distil_on, *own]))

    def crops(self, named: str) -> str:
        """Return the set of the split that a name of distil_on stands for."""
        return self.labeled if self.labeled_patients and named == LABELED else named

    def with_labels(self, patients: int | str, seed: int) -> Experiment:
        """Return the experiment of one number of labelled patients, and of one seed's draw."""
        return replace(self, labeled=labeled_set(patients, seed))

    def options(self, phase: str, name: str | None = None, level: str = "") -> dict[str, Any]:
        """Return the options of a phase (teacher, baseline, kd, finetune), spelt as in `--help`.

        Args:
            phase: one of `PHASES`.
            name: of a recipe of kd, or of a further baseline.
            level: of the network; its own options come after those of the phase and before
                those of the recipe or baseline.
        """
        known = options_of(train.commands[phase])
        shared = {k: v for k, v in self.train.items() if plain(k) in known}
        given = self._table(phase, name) if name else {}
        own = {key: value for key, value in given.items() if plain(key) not in OWN[phase]}
        tables = (shared, self.train.get(phase, {}), self.level.get(level, {}), own)
        return {k.replace("_", "-"): v for table in tables for k, v in table.items()}

    def said(self, phase: str, name: str, key: str) -> Any:
        """Return what a recipe or a further baseline says for itself, or the experiment for all.

        Args:
            phase: "kd" or "baseline".
            name: of the recipe, or of the baseline.
            key: students, distil_on or views.
        """
        given = {plain(option): value for option, value in self._table(phase, name).items()}
        value = given.get(key, getattr(self, key))
        return tuple(dict.fromkeys(value)) if isinstance(value, list) else value

    def _table(self, phase: str, name: str) -> Values:
        return self.kd[name] if phase == "kd" else self.baseline[name]


def read(path: Path) -> Experiment:
    """Read an experiment file.

    Raises:
        UsageError: if it cannot be read, or says something that is not understood.
    """
    try:
        given = wsistore.parse_toml(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read as TOML ({error})") from error
    if isinstance(given.get("seeds"), int) and not isinstance(given["seeds"], bool):
        if not 1 <= given["seeds"] <= MOST_SEEDS:
            raise UsageError(f"{path}: seeds must be from 1 to {MOST_SEEDS}, or a list of seeds")
        given["seeds"] = list(range(given["seeds"]))
    for key, value in given.items():
        if key not in TYPES:
            raise UsageError(f"{path}: {key} is none of {', '.join(TYPES)}")
        check_type(path, key, key, value)
    for key in ("store", "teacher", "students"):
        if not given.get(key):
            raise UsageError(f"{path} has no {key}")
    if "split" in given and "folds" in given:
        raise UsageError(f"{path} has split and folds; folds are splits, so give one of them")
    check_curve(path, given)
    for key in ("students", "distil_on", "seeds", "labeled_patients"):
        if key in given:
            given[key] = tuple(dict.fromkeys(given[key]))
    if "://" not in given["store"]:
        given["store"] = str(path.parent / given["store"])
    experiment = Experiment(**_from_file(given, path.parent))
    _check_options(path, experiment)
    return experiment


def _check_options(path: Path, experiment: Experiment) -> None:
    commands = train.commands
    for phase, tables in (("baseline", experiment.baseline), ("kd", experiment.kd)):
        for name, values in tables.items():
            where = f"{phase}.{name}"
            if not isinstance(values, Mapping):
                raise UsageError(f"{path}: {where} must be a table of options, not {values!r}")
            if name in TAKEN or not name.replace("-", "").replace("_", "").isalnum():
                what = "recipe" if phase == "kd" else "baseline"
                raise UsageError(
                    f"{path}: {where} is no name for a {what}; use letters and digits, and none of "
                    f"{', '.join(TAKEN)}"
                )
            for key, value in values.items():
                if plain(key) in OWN[phase]:
                    check_type(path, f"{where}.{key}", plain(key), value)
            planned = {*PLANNED, "teacher", "targets"}
            check_options(path, where, values, commands[phase], planned, OWN[phase])
    of_any = set().union(*(options_of(commands[phase]) for phase in PHASES))
    of_any -= {*PLANNED, "teacher", "student", "targets"}
    shared = {k: v for k, v in experiment.train.items() if not isinstance(v, Mapping)}
    check_known(path, "train", shared, of_any)
    for name, values in experiment.train.items():
        if not isinstance(values, Mapping):
            continue
        if name not in PHASES:
            raise UsageError(f"{path}: train.{name} is none of {', '.join(PHASES)}")
        check_options(path, f"train.{name}", values, commands[name], PLANNED)
    for level, values in experiment.level.items():
        if level not in (experiment.teacher, *experiment.levels):
            raise UsageError(f"{path}: level.{level} is no level of the teacher or of a student")
        if not isinstance(values, Mapping):
            raise UsageError(f"{path}: level.{level} must be a table of options, not {values!r}")
        for phase in ("teacher", "baseline", "kd"):
            check_options(path, f"level.{level}", values, commands[phase], PLANNED)
    planned = {*PLANNED, "student_level", "views", "resize", "attention"}
    check_options(path, "teach", experiment.teach, teach, planned)
    check_options(path, "evaluate", experiment.evaluate, evaluate_command, {*PLANNED, "as_json"})
    check_options(path, "report", experiment.report, report, {*PLANNED, "folds"})


def _from_file(given: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return tables in which a file that an option names counts from the experiment's folder."""
    files = {
        str(p.name)
        for command in train.commands.values()
        for p in command.params
        if isinstance(p.type, click.Path) and p.name not in PLANNED
    }

    def placed(key: str, value: Any) -> Any:
        if isinstance(value, dict):
            return {k: placed(k, v) for k, v in value.items()}
        return str(folder / value) if plain(key) in files and isinstance(value, str) else value

    return {key: placed("", value) for key, value in given.items()}
