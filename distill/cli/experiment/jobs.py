"""From an experiment to its jobs: command lines that depend on each other. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from distill.cli.experiment.config import Experiment
from distill.cli.experiment.job import Job, words_of
from distill.cli.experiment.targets import targets_folder, taught
from distill.errors import UsageError

POOLED = "pooled"
"""Folder of the evaluations that are pooled over folds."""


def jobs(experiment: Experiment, out: Path, folds: Sequence[str] = ()) -> list[Job]:
    """Return the jobs of an experiment, each behind those that it needs.

    Args:
        experiment: the experiment.
        out: its folder.
        folds: names of the splits of a cross-validation, each of which has jobs of its own, in a
            folder of its name; none for the experiment's one split.

    Raises:
        UsageError: if two runs would have one folder.
    """
    found: dict[str, Job] = {}
    for seed in experiment.seeds:
        made = _of_folds(experiment, out, seed, folds) if folds else _of_seed(experiment, out, seed)
        for job in made:
            if found.setdefault(job.name, job) != job:
                raise UsageError(
                    f"two tables of the experiment make {job.name}; give one of them another name"
                )
    return list(found.values())


def runs(experiment: Experiment, out: Path, folds: Sequence[str] = ()) -> list[Path]:
    """Return the folders of all runs of an experiment, done or not."""
    return [job.made.parent for job in jobs(experiment, out, folds) if job.begun is not None]


def pools(experiment: Experiment, out: Path, folds: Sequence[str]) -> list[tuple[str, ...]]:
    """Return the command lines that pool each method over the folds, baselines first.

    Every other method but the teacher is compared with the plain baseline of its level.
    """
    methods: dict[str, list[Path]] = {}
    for run in runs(experiment, out, folds):
        methods.setdefault(run.name, []).append(run)
    plain = {level: f"baseline-{level}" for level in experiment.students}
    found = []
    for name in sorted(methods, key=lambda each: each not in plain.values()):
        level = next((at for at in experiment.levels if f"-{at}-" in f"{name}-"), "")
        against = plain.get(level, name)
        minus = () if against == name else ("--minus", str(out / POOLED / against))
        place = ("--subset", experiment.subset, "--out", str(out / POOLED / name), "--overwrite")
        found.append(("pool", *map(str, methods[name]), experiment.store, *place, *minus))
    return found


def report(experiment: Experiment, out: Path, folds: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the command line of the report on all runs."""
    made = runs(experiment, out, folds)
    split = ("--folds", experiment.folds) if folds else ("--split", experiment.split)
    subset = (*split, "--subset", experiment.subset)
    place = ("--out", str(out / "report"), "--overwrite")
    return (
        "report",
        *map(str, made),
        experiment.store,
        *subset,
        *place,
        *words_of(experiment.report),
    )


def _of_folds(experiment: Experiment, out: Path, seed: int, folds: Sequence[str]) -> Iterator[Job]:
    for split in folds:
        for job in _of_seed(replace(experiment, split=split), out / split, seed):
            needs = tuple(f"{split}/{name}" for name in job.needs)
            yield replace(job, name=f"{split}/{job.name}", needs=needs)


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
