"""Run folders and their evaluations, read and held against each other before anything is said."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import wsistore
from distill.data import labels_of
from distill.errors import RunError, UsageError
from distill.evaluation import (
    COHORT_FORMAT,
    COHORTS,
    FORMAT,
    OPERATING_POINTS,
    BootstrapSettings,
    Predictions,
    leakage,
    read_report,
)
from distill.report.consistency import bootstrap, scores_match_predictions
from distill.report.formatting import folder_names
from distill.runs import Ensemble, Run, disagreement, open_run

_REQUESTS = {
    "calibration": ("subset", "of"),
    OPERATING_POINTS: ("rule", "subset", "positive", "of"),
}


@dataclass(frozen=True)
class Evaluated:
    """A run and its evaluation.

    Attributes:
        name: its folder, told apart from the other runs'.
        run: the run.
        sha256: of its weights.
        metrics: what metrics.json holds.
        answers: what predictions.csv holds.
        epochs: the lines of metrics.jsonl.
        folds: where it is a pass over the folds of a cross-validation, the runs of the folds, in
            their order; see `distill.pooling`. What it is itself is then made of theirs.
        differs_in: what tells it apart from other runs of its recipe: its "seed", or its "pass".
    """

    name: str
    run: Run
    sha256: str
    metrics: dict[str, Any]
    answers: Predictions
    epochs: tuple[dict[str, Any], ...]
    folds: tuple[Evaluated, ...] = ()
    differs_in: str = "seed"

    @property
    def trained(self) -> tuple[Evaluated, ...]:
        """The runs that were trained: itself, or those of its folds."""
        return self.folds or (self,)

    @property
    def command(self) -> str:
        """The command it was trained by, e.g. "train kd"; "" where config.json has none."""
        return str(self.run.config.get("command", ""))


@dataclass(frozen=True)
class Collected:
    """Runs evaluated alike, on the same subset of the same store.

    Attributes:
        runs: in the order given.
        how: the bootstrap of all of them.
        aggregate: how crops add up to slides and patients.
        paper: whether all hold the accuracy as the paper prints it.
        folds: names of the splits of a cross-validation, whose passes the runs are; else empty.
    """

    runs: tuple[Evaluated, ...]
    how: BootstrapSettings
    aggregate: str
    paper: bool
    folds: tuple[str, ...] = ()

    @property
    def trained(self) -> tuple[Evaluated, ...]:
        """All runs that were trained, those of folds one by one."""
        return tuple(one for run in self.runs for one in run.trained)


@dataclass(frozen=True)
class CohortPlace:
    """An external cohort, whose evaluations are apart from those at home.

    Attributes:
        name: its name.
        home, split, subset: the store that the runs are at home in, and what they were evaluated
            on there.
    """

    name: str
    home: wsistore.Store
    split: str
    subset: str


def collect(
    paths: Sequence[Path],
    store: wsistore.Store,
    split: str,
    subset: str,
    cohort: CohortPlace | None = None,
) -> Collected:
    """Read runs and their evaluations on a subset of a split.

    Args:
        paths: the runs' folders.
        store, split, subset: what they were evaluated on.
        cohort: what the store is, if the runs are not at home in it.

    Raises:
        UsageError: a run is named twice.
        RunError: a run has no such evaluation, or a damaged one, or one of other weights, of
            another store or split; or the runs were evaluated in different ways.
    """
    if len({path.resolve() for path in paths}) < len(paths):
        raise UsageError("a run is named twice")
    runs = [open_run(path) for path in paths]
    for run in runs:
        run.require_crops()
    again = _Again(store, split, subset, cohort)
    folders = [again.folder(run) for run in runs]
    _require(runs, folders, again)
    hashes, digest = store.tables_sha256(), store.split_sha256(split)
    found = []
    for name, run, folder in zip(folder_names(paths), runs, folders, strict=True):
        one = _read(name, run, folder, again)
        wanted = {
            "weights_sha256": (one.sha256, "the run's present weights"),
            "store_sha256": (hashes, f"the tables of {store.path}"),
            "split_sha256": (digest, f"split {split} of {store.path}"),
        }
        for key, (now, what) in wanted.items():
            if one.metrics.get(key) != now:
                raise RunError(f"{folder / 'metrics.json'} is not of {what}; {again(run)}")
        found.append(one)
    return _alike(found, again)


@dataclass(frozen=True)
class _Again:
    """Says how to evaluate runs (again)."""

    store: wsistore.Store
    split: str
    subset: str
    cohort: CohortPlace | None = None

    def folder(self, run: Run) -> Path:
        """Return where the evaluation of a run is."""
        place = run.path / (f"{COHORTS}/{self.cohort.name}" if self.cohort else "evaluation")
        return place / f"{self.split}-{self.subset}"

    @property
    def format(self) -> str:
        """The format of its metrics.json."""
        return COHORT_FORMAT if self.cohort else FORMAT

    def __call__(self, *runs: Run, more: str = " --overwrite") -> str:
        home = self.cohort or self
        store = self.store if self.cohort is None else self.cohort.home
        words = [*(str(run.path) for run in runs), str(store.path)]
        words += ["--split", home.split, "--subset", home.subset]
        if self.cohort is not None:
            name = self.cohort.name
            words += ["--cohort", f"{name}={self.store.path}"]
            words += ["--cohort-split", f"{name}={self.split}"]
            words += ["--cohort-subset", f"{name}={self.subset}"]
        return f"run: distill evaluate {' '.join(map(shlex.quote, words))}{more}"


def _require(runs: Sequence[Run], folders: Sequence[Path], again: _Again) -> None:
    again.store.split(again.split)  # says so in its own words where there is none
    lacking = [
        run
        for run, folder in zip(runs, folders, strict=True)
        if not (folder / "metrics.json").exists()
    ]
    if lacking:
        named = ", ".join(str(run.path) for run in lacking)
        where = f"{again.subset} of split {again.split}"
        where += f" of cohort {again.cohort.name}" if again.cohort else ""
        raise RunError(f"{named}: not evaluated on {where}; {again(*lacking, more='')}")


def _read(name: str, run: Run, folder: Path, again: _Again) -> Evaluated:
    try:
        metrics = read_report(folder / "metrics.json")
    except RunError as error:
        raise RunError(f"{error}; {again(run)}") from error
    if metrics.get("format") != again.format:
        raise RunError(f"{folder / 'metrics.json'} is not of {again.format}; {again(run)}")
    if (metrics.get("split"), metrics.get("subset")) != (again.split, again.subset):
        raise RunError(
            f"{folder / 'metrics.json'} is not of {again.subset} of split {again.split}; "
            f"{again(run)}"
        )
    answers = Predictions.read(folder / "predictions.csv")
    try:
        whole = scores_match_predictions(metrics, answers)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise RunError(f"{folder / 'metrics.json'} is damaged ({error!r}); {again(run)}") from error
    if not whole:
        raise RunError(
            f"{folder / 'metrics.json'} and predictions.csv do not belong together; {again(run)}"
        )
    lacking = [way for way in (leakage.EPOCH, leakage.TEMPERATURE)
               if f"{way}_patients" not in metrics]  # fmt: skip
    if lacking:  # of an evaluation from before they were recorded
        seen = leakage.count(run, again.store, answers.table)
        metrics |= {f"{way}_patients": seen[way] for way in lacking}
    weights = run.weights_sha256()
    # an ensemble was never trained: its members were, elsewhere
    epochs = () if isinstance(run, Ensemble) else _epochs(run.path / "metrics.jsonl")
    return Evaluated(name, run, weights, metrics, answers, epochs)


def _epochs(file: Path) -> tuple[dict[str, Any], ...]:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
        records = tuple(wsistore.parse_json(line) for line in lines)
        for record in records:
            int(record["epoch"])
            bool(record["kept"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{file} cannot be read ({error})") from error
    return records


def _alike(runs: Sequence[Evaluated], again: _Again) -> Collected:
    """Check that the runs' intervals can stand in one table."""
    first = runs[0].metrics
    for one in runs[1:]:
        for what in ("bootstrap", "aggregate", "calibration", OPERATING_POINTS):
            if _way(one.metrics, what) != _way(first, what):
                words = what.replace("_", " ")
                raise RunError(
                    f"{runs[0].run.path} and {one.run.path} were evaluated with different {words}; "
                    f"{again(*(run.run for run in runs))}"
                )
        if sorted(one.answers.classes) != sorted(runs[0].answers.classes):
            raise RunError(
                f"{runs[0].run.path} and {one.run.path} tell different classes apart; "
                "report on them one by one"
            )
    labels = labels_of(again.store, again.split, again.subset)
    if said := disagreement([one.run for one in runs], labels):
        raise RunError(f"{said}; report on them one by one")
    return Collected(
        tuple(runs),
        bootstrap(first),
        str(first["aggregate"]),
        all("paper_accuracy" in one.metrics["macro"] for one in runs),
    )


def _way(metrics: dict[str, Any], what: str) -> Any:
    """Return how a run was evaluated; of what was fitted the request counts, not the result."""
    value = metrics.get(what)
    if what not in _REQUESTS or value is None:
        return value
    return tuple(value.get(key) for key in _REQUESTS[what])
