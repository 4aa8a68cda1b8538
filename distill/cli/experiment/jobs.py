"""From an experiment to its jobs: command lines that depend on each other. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from distill.cli.experiment.config import Experiment
from distill.cli.experiment.epochs import with_updates
from distill.cli.experiment.job import Job, words_of
from distill.cli.experiment.targets import targets_folder, taught
from distill.data import TRAIN
from distill.errors import UsageError
from distill.learning import TEACHER, CurveRun, folder_name

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
        for job in _parts(experiment, out, seed, folds):
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


def curve_runs(experiment: Experiment, out: Path) -> list[CurveRun]:
    """Return the runs of an experiment over numbers of labelled patients, done or not."""
    found = []
    for seed in experiment.seeds:
        for patients in experiment.labeled_patients:
            own = experiment.with_labels(patients, seed)
            for job in _of_seed(own, out / folder_name(patients), seed):
                if job.begun is not None:
                    run = job.made.parent
                    method, level = _method(experiment, run.name)
                    found.append(CurveRun(run, patients, seed, method, level))
    return found


def _method(experiment: Experiment, name: str) -> tuple[str, str]:
    """Return method and level of a run, by the name of its folder."""
    if name == TEACHER:
        return name, experiment.teacher
    level = next(at for at in experiment.levels if f"-{at}-" in f"{name}-")
    return f"{name}-".replace(f"-{level}-", "-", 1).removesuffix("-"), level


def _parts(experiment: Experiment, out: Path, seed: int, folds: Sequence[str]) -> Iterator[Job]:
    """Yield the jobs of a seed: of every fold, of every number of labelled patients, or once."""
    parts = {split: replace(experiment, split=split) for split in folds} | {
        folder_name(patients): experiment.with_labels(patients, seed)
        for patients in experiment.labeled_patients
    }
    if not parts:
        yield from _of_seed(experiment, out, seed)
    for folder, part in parts.items():
        for job in _of_seed(part, out / folder, seed):
            needs = tuple(f"{folder}/{name}" for name in job.needs)
            yield replace(job, name=f"{folder}/{job.name}", needs=needs)


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
        subset = experiment.crops(crops)
        yield from _trained(experiment, out, seed, name, "kd", level, recipe, source, needs, subset)
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
    subset: str = "",
) -> Iterator[Job]:
    """Yield a training and its evaluation; without a subset, a training on labels."""
    run = out / name
    options = experiment.options(phase, recipe, level)
    trained_on = subset or (experiment.labeled if experiment.labeled != TRAIN else "")
    options = with_updates(options, experiment.times.get(trained_on, 1))
    words = [
        *("train", phase, experiment.store, "--split", experiment.split, "--out", str(run)),
        *(("--level", level) if level else ()),
        *("--seed", str(seed), *more),
        *(("--subset", trained_on) if trained_on else ()),
        *words_of(options),
    ]
    yield Job(name, tuple(words), needs, run / "outcome.json", run / "config.json")
    scored = ("--split", experiment.split, "--subset", experiment.subset)
    words = ["evaluate", str(run), experiment.store, *scored, *words_of(experiment.evaluate)]
    folder = run / "evaluation" / f"{experiment.split}-{experiment.subset}"
    yield Job(f"{name}/evaluation", tuple(words), (name,), folder / "metrics.json")
