"""Runs of one method over the folds of a cross-validation, held against each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import wsistore
from distill.errors import RunError, UsageError
from distill.evaluation import TRAINING, BootstrapSettings, Predictions
from distill.report import Evaluated, collect
from distill.runs import Ensemble, Run, open_run
from distill.training import method


@dataclass(frozen=True)
class FoldRun:
    """A run, and its answers for the patients that its own fold tests on.

    Attributes:
        evaluated: the run, and its evaluation on those patients.
        fold: what it was trained on.
        seed: of its training.
    """

    evaluated: Evaluated
    fold: wsistore.Fold
    seed: int

    @property
    def path(self) -> Path:
        """Its folder."""
        return self.evaluated.run.path

    @property
    def answers(self) -> Predictions:
        """Its answers for crops."""
        return self.evaluated.answers

    @property
    def metrics(self) -> dict[str, Any]:
        """What metrics.json of the evaluation holds."""
        return self.evaluated.metrics


@dataclass(frozen=True)
class Passes:
    """Answers of one method for every crop of a cross-validation, once in each pass.

    A pass is one repeat of the folds with one seed.

    Attributes:
        family: what the folds were made by.
        runs: by repeat, seed and fold.
        keys: (repeat, seed) of each pass.
        answers: of each pass, for crops; all have the same crops and classes in the same order.
    """

    family: str
    runs: tuple[FoldRun, ...]
    keys: tuple[tuple[int, int], ...]
    answers: tuple[Predictions, ...]


def gather(
    paths: Sequence[Path], store: wsistore.Store, subset: str
) -> tuple[Passes, BootstrapSettings]:
    """Read runs of one method, each with its evaluation on a subset of the fold it was trained on.

    Returns:
        The passes, and how the intervals of the evaluations were made.

    Raises:
        UsageError: a run is named twice, or was trained on no fold; folds are missing, or of
            several families; the runs are of several methods.
        RunError: as `distill.report.collect`; a run knows its test patients, runs tell other
            classes apart, were evaluated in different ways, or a crop is predicted twice in a pass.
    """
    if len({path.resolve() for path in paths}) < len(paths):
        raise UsageError("a run is named twice")
    opened = [open_run(path) for path in paths]
    folds = [_fold(run, store) for run in opened]
    _require_one_family(opened, folds)
    _require_one_method(opened)
    found, hows = [], []
    for run, fold in zip(opened, folds, strict=True):
        collected = collect([run.path], store, fold.split, subset)
        (held,) = collected.runs
        if held.metrics.get(f"{TRAINING}_patients") != 0:
            raise RunError(
                f"{run.path} was trained on patients of {subset} of its fold {fold.split}, or "
                "nobody can tell; train it on the fold as it is"
            )
        found.append(FoldRun(held, fold, _seed(run)))
        hows.append(collected.how)
    for one, how in zip(found, hows, strict=True):
        if way_of(one.metrics, how) != way_of(found[0].metrics, hows[0]):
            raise RunError(
                f"{found[0].path} and {one.path} were evaluated in different ways; evaluate both "
                "with the same options and --overwrite"
            )
    family = store.folds(folds[0].family)
    return passes_of(found, family), hows[0]


def way_of(metrics: Mapping[str, Any], how: BootstrapSettings) -> tuple[object, ...]:
    """Return what evaluations must have in common to be pooled, or to stand in one table.

    Args:
        metrics: what metrics.json of one holds.
        how: its bootstrap.
    """
    calibration = metrics["calibration"]
    return how, metrics["aggregate"], calibration and calibration["subset"]


def passes_of(runs: Sequence[FoldRun], family: Sequence[wsistore.Fold]) -> Passes:
    """Join the answers of runs over the folds.

    Args:
        runs: at least one, of one method.
        family: all folds.

    Raises:
        UsageError: folds are missing.
        RunError: runs tell other classes apart, or a crop or a patient is predicted twice in a
            pass, or passes have other crops.
    """
    ordered = sorted(runs, key=lambda one: (one.fold.repeat, one.seed, one.fold.number))
    keys = tuple(dict.fromkeys((one.fold.repeat, one.seed) for one in ordered))
    classes = ordered[0].answers.classes
    for one in ordered[1:]:
        if sorted(one.answers.classes) != sorted(classes):
            theirs = ", ".join(one.answers.classes)
            raise RunError(
                f"{ordered[0].path} and {one.path} tell different classes apart: "
                f"{', '.join(classes)}; {theirs}"
            )
    answers = []
    for repeat, seed in keys:
        own = [one for one in ordered if (one.fold.repeat, one.seed) == (repeat, seed)]
        _require_each_once(own)
        wanted = [fold.split for fold in family if fold.repeat == repeat]
        there = {one.fold.split for one in own}
        if missing := [split for split in wanted if split not in there]:
            raise UsageError(
                f"no run of seed {seed} was trained on fold {', '.join(missing)} and named; name "
                "one run for each fold"
            )
        answers.append(_joined(own, classes))
    crops = set(answers[0].table["crop"])
    for key, joined in zip(keys, answers, strict=True):
        if odd := sorted(crops ^ set(joined.table["crop"])):
            raise RunError(
                f"crop {odd[0]} is predicted in repeat {keys[0][0]} with seed {keys[0][1]} or in "
                f"repeat {key[0]} with seed {key[1]}, and not in both; evaluate the runs again"
            )
    return Passes(ordered[0].fold.family, tuple(ordered), keys, tuple(answers))


def _fold(run: Run, store: wsistore.Store) -> wsistore.Fold:
    split = str(run.config.get("split", ""))
    fold = store.fold(split) if split else None
    if fold is None:
        raise UsageError(
            f"{run.path} was trained on split {split!r}, which is no fold of {store.url}; make "
            "folds with 'wsistore split --folds' and train on each"
        )
    return fold


def _seed(run: Run) -> int:
    """Return the seed of a run; of an ensemble the lowest of its members' stands for all."""
    seeds: list[int] = []
    for one in run.members:
        seed = one.config.get("seed")
        if not isinstance(seed, int):
            raise RunError(f"{one.path} does not say by which seed it was trained")
        seeds.append(seed)
    return min(seeds)


def _require_one_family(runs: Sequence[Run], folds: Sequence[wsistore.Fold]) -> None:
    for run, fold in zip(runs, folds, strict=True):
        if fold.family != folds[0].family:
            raise UsageError(
                f"{runs[0].path} was trained on a fold of {folds[0].family}, and {run.path} on one "
                f"of {fold.family}; pool them one by one"
            )


def _require_one_method(runs: Sequence[Run]) -> None:
    first = _method(runs[0])
    for run in runs[1:]:
        other = _method(run)
        for key in sorted(first.keys() | other.keys()):
            if first.get(key) != other.get(key):
                raise UsageError(
                    f"{runs[0].path} and {run.path} are of different methods: {key} is "
                    f"{first.get(key)!r} and {other.get(key)!r}; pool them one by one"
                )


def _method(run: Run) -> dict[str, Any]:
    """Return what runs of one method share; ensembles also the number and networks of members."""
    found = method(run.config)
    if isinstance(run, Ensemble):
        found |= {"network": run.weights.network, "mean": run.mean, "views": run.views}
    return found


def _require_each_once(runs: Sequence[FoldRun]) -> None:
    """Refuse two runs of one pass that answer for the same crop, or for one patient."""
    for what in ("crop", "patient"):
        owner: dict[str, FoldRun] = {}
        for one in runs:
            for name in one.answers.table[what].unique():
                if (other := owner.setdefault(str(name), one)) is not one:
                    raise RunError(
                        f"{what} {name} is predicted twice with seed {one.seed} in one repeat of "
                        f"the folds: by {other.path} and by {one.path}"
                    )


def _joined(runs: Sequence[FoldRun], classes: tuple[str, ...]) -> Predictions:
    """Return the answers of the runs of a pass, one below the other."""
    tables, chances, predicted = [], [], []
    for one in runs:
        given = one.answers
        order = np.array([given.classes.index(name) for name in classes], dtype=np.intp)
        tables.append(given.table)
        chances.append(given.probabilities[:, order])
        predicted.append(np.argsort(order)[given.predicted])
    table = pd.concat(tables, ignore_index=True)
    table["label"] = table["label"].astype(object).where(table["label"].notna(), None)
    return Predictions(
        "crop", classes, table, np.concatenate(chances), np.concatenate(predicted).astype(np.intp)
    )
