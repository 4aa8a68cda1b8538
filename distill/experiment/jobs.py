"""From an experiment to its jobs: command lines that depend on each other. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distill.experiment.file import Experiment, Values


@dataclass(frozen=True)
class Job:
    """One command.

    Attributes:
        name: where it lies below the experiment's folder; evaluations end in /evaluation.
        words: the command line behind `distill`; what only concerns the machine is not in it.
        needs: names of the jobs that must be done before.
        made: exists when the job is done, and not before.
        begun: exists when the job was begun and can be resumed with --resume; None if it needs
            no option to go on.
    """

    name: str
    words: tuple[str, ...]
    needs: tuple[str, ...]
    made: Path
    begun: Path | None = None

    @property
    def done(self) -> bool:
        """Whether what it makes is there."""
        return self.made.exists()


def jobs(experiment: Experiment, out: Path) -> list[Job]:
    """Return the jobs of an experiment, each behind those that it needs."""
    found: dict[str, Job] = {}
    for seed in experiment.seeds:
        for job in _of_seed(experiment, out, seed):
            found.setdefault(job.name, job)
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
    for level in experiment.students:
        baseline = f"{top}/baseline-{level}"
        yield from _trained(experiment, out, seed, baseline, "baseline", level)
        for recipe in experiment.kd:
            options = experiment.options("kd", recipe)
            source = ("--teacher", str(out / teacher))
            needs = [teacher]
            if experiment.views:
                targets = _taught(experiment, out, seed, teacher, level, options)
                yield targets
                source, needs = ("--targets", str(targets.made)), [targets.name]
            for crops in experiment.distil_on:
                name = f"{top}/{recipe}-{level}-{crops}"
                more = (*source, "--subset", crops)
                yield from _trained(
                    experiment, out, seed, name, "kd", level, recipe, more, tuple(needs)
                )
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


def _taught(
    experiment: Experiment, out: Path, seed: int, teacher: str, level: str, options: Values
) -> Job:
    """Return the job that makes the targets of a recipe; recipes that can share them do."""
    resize, attention = options.get("resize"), float(options.get("attention-weight", 0)) > 0
    kind = "".join([f"-{resize}" if resize else "", "-attention" if attention else ""])
    name = f"seed-{seed}/targets-{level}{kind}"
    words = [
        *("teach", str(out / teacher), experiment.store, "--split", experiment.split),
        *("--subset", "+".join(experiment.distil_on), "--student-level", level),
        *("--views", str(experiment.views), "--seed", str(seed), "--out", str(out / name)),
        *(("--resize", str(resize)) if resize else ()),
        *(("--attention",) if attention else ()),
        *_words(experiment.teach),
    ]
    return Job(name, tuple(words), (teacher,), out / name)


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
