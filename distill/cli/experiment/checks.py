"""What an experiment file may say, word by word."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from distill.errors import UsageError
from distill.evaluation import ScoreTable, score_columns
from distill.learning import ALL, SCORE

Values = Mapping[str, Any]
PLANNED = {
    "level",
    "out",
    "seed",
    "split",
    "subset",
    "store",
    "overwrite",
    "resume",
    "threads",
    "no_lock",
}
"""Options that the experiment itself gives."""


TYPES: dict[str, tuple[type, str]] = {
    "store": (str, "a path"),
    "teacher": (str, "a level, as 10x"),
    "students": (list, "a list of levels"),
    "split": (str, "a name"),
    "folds": (str, "a name"),
    "labeled_patients": (list, f'a list of numbers of patients, or "{ALL}"'),
    "subset": (str, "a name"),
    "distil_on": (list, "a list of sets"),
    "seeds": (list, "a number, or a list of seeds"),
    "views": (int, "a number"),
    "finetune": (bool, "true or false"),
    "train": (dict, "a table of options"),
    "baseline": (dict, "a table of baselines, each a table of options"),
    "kd": (dict, "a table of recipes, each a table of options"),
    "level": (dict, "a table of levels, each a table of options"),
    "teach": (dict, "a table of options"),
    "evaluate": (dict, "a table of options"),
    "report": (dict, "a table of options"),
    "curve": (dict, "a table of options"),
}
EPOCHS = ("scaled", "same")
"""With few labels: as many updates as with all, by more epochs, or as many epochs."""
MOST_SEEDS = 1000
"""A number of seeds beyond it is a slip; each is a training of every network."""
PHASES = ("teacher", "baseline", "kd", "finetune")
OWN: Mapping[str, tuple[str, ...]] = {
    "baseline": ("students",),
    "kd": ("students", "distil_on", "views"),
}
"""What a table of a phase may say otherwise than the experiment."""
TAKEN = ("teacher", "baseline", "targets")
"""What the experiment itself calls its folders."""


def check_curve(path: Path, given: Values) -> None:
    """Refuse what no learning curve can be made of."""
    numbers = given.get("labeled_patients")
    if numbers is None:
        if "curve" in given:
            raise UsageError(f"{path}: curve has no effect without labeled_patients; leave it out")
        return
    if given.get("report"):
        raise UsageError(f"{path}: report has no effect with labeled_patients; leave it out")
    if "folds" in given:
        raise UsageError(
            f"{path} has folds and labeled_patients; a learning curve is of one split, so give "
            "split in place of folds"
        )
    check_known(path, "curve", given.get("curve", {}), {"score", "epochs"})
    epochs = given.get("curve", {}).get("epochs", EPOCHS[0])
    if epochs not in EPOCHS:
        raise UsageError(f"{path}: curve.epochs is {epochs!r}, none of {', '.join(EPOCHS)}")
    scores = score_columns(ScoreTable.VERDICT)
    if (score := given.get("curve", {}).get("score", SCORE)) not in scores:
        raise UsageError(f"{path}: curve.score is {score!r}, none of {', '.join(scores)}")


def check_type(path: Path, where: str, key: str, value: object) -> None:
    """Refuse a value of another type than `TYPES` has for a key; `where` names it."""
    kind, words = TYPES[key]
    fits = isinstance(value, kind) and not (kind is int and isinstance(value, bool))
    if key in ("students", "distil_on") and isinstance(value, list):
        fits = bool(value) and all(isinstance(one, str) for one in value)
    if key == "labeled_patients" and isinstance(value, list):
        fits = bool(value) and all(_is_number(one) or one == ALL for one in value)
    if key == "views" and isinstance(value, int):
        fits = fits and value >= 0
    if not fits:
        raise UsageError(f"{path}: {where} must be {words}, not {value!r}")


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def plain(key: str) -> str:
    """Return an option's name as a parameter: with underscores."""
    return key.replace("-", "_")


def check_options(
    path: Path,
    where: str,
    values: Values,
    command: click.Command,
    planned: set[str],
    own: Sequence[str] = (),
) -> None:
    """Refuse a table that has another option than its command, or one that the experiment gives.

    Args:
        path: the file.
        where: what it calls the table.
        values: the table.
        command: whose options it holds.
        planned: options that the experiment gives.
        own: what the table may say beside options.
    """
    check_known(path, where, values, options_of(command) - planned | set(own))


def options_of(command: click.Command) -> set[str]:
    """Return the options of a command, as names of parameters."""
    return {str(p.name) for p in command.params if isinstance(p, click.Option)}


def check_known(path: Path, where: str, values: Values, known: set[str]) -> None:
    """Refuse a table that has another option than those known."""
    for key in values:
        if plain(key) not in known:
            there = ", ".join(sorted(name.replace("_", "-") for name in known))
            raise UsageError(f"{path}: {where} has no option {key}; it can have {there}")
