"""Passes over folds as the runs of a report: pooled answers, judged like those of one run.

A pass of a method, one repeat of the folds with one seed, answers for every patient once. It stands
in a report where a run stands that was trained on one split: passes of one method are a row, as
seeds are, and a student's pass belongs to the teacher's pass whose runs taught it, fold by fold.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import wsistore
from distill.errors import RunError, UsageError
from distill.evaluation import BootstrapSettings, Predictions, leakage, scoring
from distill.pooling.evaluation import mean_cost
from distill.pooling.gather import FoldRun, Passes, gather, way_of
from distill.report import Collected, Evaluated
from distill.runs import Run, open_run
from distill.training import method
from wsistore import texts

_ORIGINS = ("teacher", "student")
"""Keys of config.json for the run that another was made from."""
_SEEN = tuple(f"{way}_patients" for way in leakage.HOW)


def collect_folds(
    paths: Sequence[Path], store: wsistore.Store, family: str, subset: str
) -> tuple[Collected, list[Passes]]:
    """Read runs of any methods over the folds of one cross-validation.

    Args:
        paths: of the runs, in any order.
        store: of the folds.
        family: the name that the folds were made by.
        subset: that each run was evaluated on, of its own fold.

    Returns:
        Passes as the runs of a report; and the same for each method, with the runs of each fold.

    Raises:
        UsageError: a run is of other folds, or folds of a method are missing.
        RunError: as `distill.pooling.gather`; or methods were evaluated in different ways, or tell
            other classes apart.
    """
    folds = tuple(fold.split for fold in store.folds(family))
    opened = [open_run(path) for path in paths]
    known = {run.weights_sha256(): run for run in opened}
    groups: dict[str, list[Path]] = {}
    for path, run in zip(paths, opened, strict=True):
        if (split := str(run.config.get("split"))) not in folds:
            raise UsageError(
                f"{path} was trained on split {split}, which is no fold of {family}; leave it out, "
                "or name its cross-validation with --folds"
            )
        groups.setdefault(texts.json_text(_recipe(run, known)), []).append(path)
    read = [gather(group, store, subset) for group in groups.values()]
    _require_alike([passes for passes, _ in read], [how for _, how in read])
    how, paper = read[0][1], all(_paper(one) for passes, _ in read for one in passes.runs)
    runs = [_pass(passes, number, how, store, subset, paper)
            for passes, _ in read for number in range(len(passes.keys))]  # fmt: skip
    aggregate = str(read[0][0].runs[0].metrics["aggregate"])
    return Collected(tuple(runs), how, aggregate, paper, folds), [passes for passes, _ in read]


def _recipe(run: Run, known: Mapping[str, Run]) -> dict[str, Any]:
    """Return what runs of one method share, with the recipe of a teacher that is among the runs."""
    recipe = method(run.config)
    for what in _ORIGINS:
        told = run.config.get(what)
        before = known.get(told.get("weights_sha256", "")) if isinstance(told, Mapping) else None
        if before is not None and before is not run:
            recipe[what] = _recipe(before, known)
    return recipe


def _require_alike(methods: Sequence[Passes], ways: Sequence[BootstrapSettings]) -> None:
    first = methods[0].runs[0]
    for passes, how in zip(methods, ways, strict=True):
        other = passes.runs[0]
        if way_of(other.metrics, how) != way_of(first.metrics, ways[0]):
            raise RunError(
                f"{first.path} and {other.path} were evaluated in different ways; evaluate both "
                "with the same options and --overwrite"
            )
        if sorted(other.answers.classes) != sorted(first.answers.classes):
            raise RunError(
                f"{first.path} and {other.path} tell different classes apart; report on them one "
                "by one"
            )


def _pass(
    passes: Passes,
    number: int,
    how: BootstrapSettings,
    store: wsistore.Store,
    subset: str,
    paper: bool,
) -> Evaluated:
    repeat, seed = passes.keys[number]
    runs = [one for one in passes.runs if (one.fold.repeat, one.seed) == (repeat, seed)]
    repeats = len({key[0] for key in passes.keys}) > 1
    first, answers = runs[0].evaluated, passes.answers[number]
    folders = " + ".join(dict.fromkeys(one.path.name for one in runs))
    config = {
        **method(first.run.config),
        "command": first.command,
        "subset": first.run.config.get("subset", "train"),
        "seed": number if repeats else seed,
        **_origins(runs),
    }
    return Evaluated(
        f"repeat-{repeat}/seed-{seed}/{folders}" if repeats else f"seed-{seed}/{folders}",
        Run(first.run.path, config, first.run.weights),
        _together([one.evaluated.sha256 for one in runs]),
        _metrics(passes.family, runs, answers, how, store, subset, paper),
        answers,
        (),
        tuple(
            replace(one.evaluated, name=f"{one.fold.split}/seed-{seed}/{one.path.name}")
            for one in runs
        ),
        "pass" if repeats else "seed",
    )


def _origins(runs: Sequence[FoldRun]) -> dict[str, Any]:
    """Return from which pass a pass was made: the digest of all its runs, fold by fold."""
    found: dict[str, Any] = {}
    for what in _ORIGINS:
        told = [one.evaluated.run.config.get(what) for one in runs]
        known = [one["weights_sha256"] for one in told
                 if isinstance(one, Mapping) and one.get("weights_sha256")]  # fmt: skip
        if len(known) == len(runs):
            found[what] = {**(told[0] or {}), "weights_sha256": _together(known)}
    return found


def _together(digests: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()


def _metrics(
    family: str,
    runs: Sequence[FoldRun],
    answers: Predictions,
    how: BootstrapSettings,
    store: wsistore.Store,
    subset: str,
    paper: bool,
) -> dict[str, Any]:
    """Return what metrics.json of a run with these answers would hold."""
    told = [one.metrics for one in runs]
    aggregate = str(told[0]["aggregate"])
    return {
        "network": told[0]["network"],
        "level": told[0]["level"],
        "mpp": median(one["mpp"] for one in told),
        "store_sha256": store.tables_sha256(),
        "split": family,
        "subset": subset,
        **{name: _sum([one[name] for one in told]) for name in _SEEN},
        "skipped": {crop: why for one in told for crop, why in one["skipped"].items()},
        "aggregate": aggregate,
        "calibration": told[0]["calibration"],
        **scoring.score(answers, how, aggregate, paper=paper),
        "cost": _cost(runs),
    }


def _sum(numbers: Sequence[int | None]) -> int | None:
    known = [number for number in numbers if number is not None]
    return sum(known) if len(known) == len(numbers) else None


def _cost(runs: Sequence[FoldRun]) -> dict[str, Any]:
    """Return the cost of a crop over all folds: each counts by the crops that it predicted."""
    costs = [one.metrics["cost"] for one in runs]
    # medians of folds do not tell that of all crops
    units = {
        unit: {**mean, "median": None, "max": max(one[unit]["max"] for one in costs)}
        for unit, mean in mean_cost(runs).items()
    }
    return {**costs[0], **units}


def _paper(one: FoldRun) -> bool:
    return "paper_accuracy" in one.metrics["macro"]
