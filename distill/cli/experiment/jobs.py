"""From an experiment to its jobs: command lines that depend on each other. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from distill.cli.experiment.config import Experiment
from distill.cli.experiment.job import Job, words_of
from distill.cli.experiment.targets import targets_folder, taught
from distill.errors import UsageError


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
        *words_of(experiment.report),
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
        targets = taught(experiment, out, seed, teacher, recipe, level)
        yield targets
        source = ("--targets", str(targets_folder(experiment, out, seed, level, recipe)))
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
    options = experiment.options(phase, recipe, level)
    words = [
        *("train", phase, experiment.store, "--split", experiment.split, "--out", str(run)),
        *(("--level", level) if level else ()),
        *("--seed", str(seed), *more, *words_of(options)),
    ]
    yield Job(name, tuple(words), needs, run / "outcome.json", run / "config.json")
    subset = ("--split", experiment.split, "--subset", experiment.subset)
    words = ["evaluate", str(run), experiment.store, *subset, *words_of(experiment.evaluate)]
    folder = run / "evaluation" / f"{experiment.split}-{experiment.subset}"
    yield Job(f"{name}/evaluation", tuple(words), (name,), folder / "metrics.json")
