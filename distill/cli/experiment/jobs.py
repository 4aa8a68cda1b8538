"""From an experiment to its jobs: command lines that depend on each other. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import wsistore
from distill.cli.experiment.config import Experiment, Values
from distill.errors import UsageError
from distill.kd import LEVEL, PAPER_RESIZE, resize_of
from distill.training import PRESETS


@dataclass(frozen=True)
class Job:
    """One command.

    Attributes:
        name: where it lies below the experiment's folder; evaluations end in /evaluation, and
            targets of several levels have none in it.
        words: the command line behind `distill`; what only concerns the machine is not in it.
        needs: names of the jobs that must be done before.
        made: exists when the job is done, and not before.
        begun: exists when the job was begun and can be resumed with --resume; None if it needs
            no option to go on.
        more: what exists beside `made` when the job is done.
    """

    name: str
    words: tuple[str, ...]
    needs: tuple[str, ...]
    made: Path
    begun: Path | None = None
    more: tuple[Path, ...] = ()

    @property
    def done(self) -> bool:
        """Whether what it makes is there."""
        return all(path.exists() for path in (self.made, *self.more))

    @property
    def in_use(self) -> bool:
        """Whether another process makes or replaces one of the folders that it writes."""
        files = self.words[:1] != ("teach",)
        made = (self.made, *self.more)
        return any(wsistore.in_use(path.parent if files else path) for path in made)


def jobs(experiment: Experiment, out: Path) -> list[Job]:
    """Return the jobs of an experiment, each behind those that it needs.

    Raises:
        UsageError: if two runs would have one folder.
    """
    found: dict[str, Job] = {}
    for seed in experiment.seeds:
        for job in _of_seed(experiment, out, seed):
            if found.setdefault(job.name, job) != job:
                raise UsageError(
                    f"two tables of the experiment make {job.name}; give one of them another name"
                )
    return list(found.values())


def runs(experiment: Experiment, out: Path) -> list[Path]:
    """Return the folders of all runs of an experiment, done or not."""
    return [job.made.parent for job in jobs(experiment, out) if job.begun is not None]


def report(experiment: Experiment, out: Path) -> tuple[str, ...]:
    """Return the command line of the report on all runs."""
    made = runs(experiment, out)
    subset = ("--split", experiment.split, "--subset", experiment.subset)
    place = ("--out", str(out / "report"), "--overwrite")
    return (
        "report",
        *map(str, made),
        experiment.store,
        *subset,
        *place,
        *_words(experiment.report),
    )


def _of_seed(experiment: Experiment, out: Path, seed: int) -> Iterator[Job]:
    top = f"seed-{seed}"
    teacher = f"{top}/teacher"
    yield from _trained(experiment, out, seed, teacher, "teacher", experiment.teacher)
    for level in experiment.levels:
        if level in experiment.students:
            baseline = f"{top}/baseline-{level}"
            yield from _trained(experiment, out, seed, baseline, "baseline", level)
        for name in experiment.baseline:
            if level in experiment.said("baseline", name, "students"):
                further = f"{top}/{name}-{level}"
                yield from _trained(experiment, out, seed, further, "baseline", level, name)
        for recipe in experiment.kd:
            if level in experiment.said("kd", recipe, "students"):
                yield from _distilled(experiment, out, seed, level, recipe)


def _distilled(
    experiment: Experiment, out: Path, seed: int, level: str, recipe: str
) -> Iterator[Job]:
    """Yield the students of a recipe at a level, behind the targets that they share."""
    top = f"seed-{seed}"
    teacher = f"{top}/teacher"
    source, needs = ("--teacher", str(out / teacher)), (teacher,)
    if experiment.said("kd", recipe, "views"):
        targets = _taught(experiment, out, seed, teacher, recipe)
        yield targets
        source = ("--targets", str(_targets(experiment, out, seed, level, recipe)))
        needs = (targets.name,)
    for crops in experiment.said("kd", recipe, "distil_on"):
        name = f"{top}/{recipe}-{level}-{crops}"
        more = (*source, "--subset", crops)
        yield from _trained(experiment, out, seed, name, "kd", level, recipe, more, needs)
        if experiment.finetune:
            tuned, student = f"{name}-finetuned", ("--student", str(out / name))
            yield from _trained(
                experiment, out, seed, tuned, "finetune", "", None, student, (name,)
            )


def _trained(
    experiment: Experiment,
    out: Path,
    seed: int,
    name: str,
    phase: str,
    level: str,
    recipe: str | None = None,
    more: tuple[str, ...] = (),
    needs: tuple[str, ...] = (),
) -> Iterator[Job]:
    """Yield a training and its evaluation."""
    run = out / name
    options = experiment.options(phase, recipe)
    words = [
        *("train", phase, experiment.store, "--split", experiment.split, "--out", str(run)),
        *(("--level", level) if level else ()),
        *("--seed", str(seed), *more, *_words(options)),
    ]
    yield Job(name, tuple(words), needs, run / "outcome.json", run / "config.json")
    subset = ("--split", experiment.split, "--subset", experiment.subset)
    words = ["evaluate", str(run), experiment.store, *subset, *_words(experiment.evaluate)]
    folder = run / "evaluation" / f"{experiment.split}-{experiment.subset}"
    yield Job(f"{name}/evaluation", tuple(words), (name,), folder / "metrics.json")


def _kind(experiment: Experiment, recipe: str) -> str:
    """Return what tells a recipe's targets from others, as the end of their name."""
    options = experiment.options("kd", recipe)
    views = experiment.said("kd", recipe, "views")
    resize = _resize(options)
    parts = [
        f"-{resize}" if resize else "",
        "-attention" if _attends(options) else "",
        f"-views{views}" if views != experiment.views else "",
        f"-{val}" if (val := _value(options, "val-subset")) else "",
    ]
    return "".join(parts)


def _attends(options: Values) -> bool:
    return float(_value(options, "attention-weight") or 0) > 0


def _resize(options: Values) -> str | None:
    """Return how targets are resized, None where it is as `distill teach` does it unasked."""
    resize = _value(options, "resize")
    wanted = None if resize is None else resize_of(str(resize))
    return None if wanted == PAPER_RESIZE else wanted


def _value(options: Values, name: str) -> Any:
    """Return an option's value: what is said, or what the preset says, or None."""
    preset = PRESETS.get(options.get("preset", ""))
    usual = preset.options().get(name.replace("-", "_")) if preset else None
    return options.get(name, usual)


def _targets(experiment: Experiment, out: Path, seed: int, level: str, recipe: str) -> Path:
    return out / f"seed-{seed}" / f"targets-{level}{_kind(experiment, recipe)}"


def _taught(experiment: Experiment, out: Path, seed: int, teacher: str, recipe: str) -> Job:
    """Return the job that makes a recipe's targets, with all that share them, at every level."""
    kind = _kind(experiment, recipe)
    views = experiment.said("kd", recipe, "views")
    sharing = [
        one
        for one in experiment.kd
        if experiment.said("kd", one, "views") and _kind(experiment, one) == kind
    ]

    def used(what: str, order: Sequence[str]) -> list[str]:
        wanted = {value for one in sharing for value in experiment.said("kd", one, what)}
        return [value for value in order if value in wanted]

    levels = used("students", experiment.levels)
    sets = dict.fromkeys("+".join(used("distil_on", experiment.sets)).split("+"))
    kd = experiment.options("kd", recipe)
    resize = _resize(kd)
    words = [
        *("teach", str(out / teacher), experiment.store, "--split", experiment.split),
        *("--subset", "+".join(sets)),
        *(word for level in levels for word in ("--student-level", level)),
        *("--views", str(views), "--seed", str(seed)),
        *("--out", str(_targets(experiment, out, seed, LEVEL, recipe))),
        *(("--resize", str(resize)) if resize else ()),
        *(("--plain-subset", str(val)) if (val := _value(kd, "val-subset")) else ()),
        *(("--attention",) if _attends(kd) else ()),
        *_words(experiment.teach),
    ]
    made, *more = (_targets(experiment, out, seed, level, recipe) for level in levels)
    return Job(f"seed-{seed}/targets{kind}", tuple(words), (teacher,), made, more=tuple(more))


def _words(options: Values) -> list[str]:
    """Return options as words; true is a flag, false nothing, a list the option repeated."""
    words: list[str] = []
    for key, value in options.items():
        flag = f"--{key.replace('_', '-')}"
        values: list[Any] = value if isinstance(value, list) else [value]
        for one in values:
            if one is not False:
                words += [flag] if one is True else [flag, str(one)]
    return words
