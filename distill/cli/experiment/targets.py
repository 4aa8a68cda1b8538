"""Which stored targets the recipes of an experiment learn from, and who can share them. Pure."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from distill.cli.experiment.checks import Values, plain
from distill.cli.experiment.config import Experiment
from distill.cli.experiment.job import Job, words_of
from distill.cli.teach import command as teach
from distill.data import AugmentationSettings
from distill.kd import LEVEL, PAPER_RESIZE, resize_of
from distill.networks import NetworkSettings
from distill.settings import settings_of
from distill.training import PRESETS


def targets_folder(experiment: Experiment, out: Path, seed: int, level: str, recipe: str) -> Path:
    """Return the folder of a recipe's targets.

    Args:
        experiment: the experiment.
        out: its folder.
        seed: of the teacher.
        level: of the student.
        recipe: name of the recipe.
    """
    return _folder(out, seed, level, _kind(experiment, recipe, level))


def _folder(out: Path, seed: int, level: str, kind: str) -> Path:
    """Return the folder of targets of a kind; `LEVEL` may stand for the level."""
    return out / f"seed-{seed}" / f"targets-{level}{kind}"


def taught(
    experiment: Experiment, out: Path, seed: int, teacher: str, recipe: str, level: str
) -> Job:
    """Return the job that makes the targets of a recipe at a level, with all that share them."""
    kind = _kind(experiment, recipe, level)
    sharing = [
        (one, at)
        for one in experiment.kd
        if experiment.said("kd", one, "views")
        for at in experiment.said("kd", one, "students")
        if _kind(experiment, one, at) == kind
    ]
    levels = [at for at in experiment.levels if any(at == of for _, of in sharing)]
    wanted = {crops for one, _ in sharing for crops in experiment.said("kd", one, "distil_on")}
    named = [experiment.crops(one) for one in experiment.sets if one in wanted]
    sets = dict.fromkeys("+".join(named).split("+"))
    kd = experiment.options("kd", recipe, level)
    resize, val = _resize(kd), value_of(kd, "val-subset")
    words = [
        *("teach", str(out / teacher), experiment.store, "--split", experiment.split),
        *("--subset", "+".join(sets)),
        *(word for at in levels for word in ("--student-level", at)),
        *("--views", str(experiment.said("kd", recipe, "views")), "--seed", str(seed)),
        *("--out", str(_folder(out, seed, LEVEL, kind))),
        *(("--resize", str(resize)) if resize else ()),
        *(("--plain-subset", str(val)) if val else ()),
        *(("--attention",) if _attends(kd) else ()),
        *words_of(_of_student(experiment, kd)),
        *words_of(experiment.teach),
    ]
    made, *more = (_folder(out, seed, at, kind) for at in levels)
    return Job(f"seed-{seed}/targets{kind}", tuple(words), (teacher,), made, more=tuple(more))


def _kind(experiment: Experiment, recipe: str, level: str) -> str:
    """Return what tells a recipe's targets from others, as the end of their name."""
    options = experiment.options("kd", recipe, level)
    views = experiment.said("kd", recipe, "views")
    resize, val = _resize(options), value_of(options, "val-subset")
    own = [word.removeprefix("--") for word in words_of(_of_student(experiment, options))]
    parts = [
        f"-{resize}" if resize else "",
        "-attention" if _attends(options) else "",
        f"-views{views}" if views != experiment.views else "",
        f"-{val}" if val else "",
        *(f"-{re.sub('[^A-Za-z0-9._=+-]+', '-', word)}" for word in own),
    ]
    return "".join(parts)


def _of_student(experiment: Experiment, options: Values) -> dict[str, Any]:
    """Return the student's own options that its targets need: its network and its draws.

    What [teach] says itself is left out.
    """
    of_teach = {option.name for option in teach.params}
    needed = {
        one.parameter
        for cls in (NetworkSettings, AugmentationSettings)
        for one in settings_of(cls)
        if one.parameter in of_teach
    }
    needed -= {plain(key) for key in experiment.teach}
    return {key: value for key, value in options.items() if plain(key) in needed}


def _attends(options: Values) -> bool:
    return float(value_of(options, "attention-weight") or 0) > 0


def _resize(options: Values) -> str | None:
    """Return how targets are resized, None where it is as `distill teach` does it unasked."""
    resize = value_of(options, "resize")
    wanted = None if resize is None else resize_of(str(resize))
    return None if wanted == PAPER_RESIZE else wanted


def value_of(options: Values, name: str) -> Any:
    """Return an option's value: what is said, or what the preset says, or None."""
    preset = PRESETS.get(options.get("preset", ""))
    usual = preset.options().get(name.replace("-", "_")) if preset else None
    return options.get(name, usual)
