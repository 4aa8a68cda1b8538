"""Evaluations of the same runs at home and on cohorts, read and held against each other."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import wsistore
from distill.cohorts.facts import ColorDistances, color_distances
from distill.cohorts.named import HOME, NamedCohort
from distill.errors import RunError
from distill.evaluation import OF_HOME
from distill.report import CohortPlace, Collected, Evaluated, Measured, collect, measure, methods_of

Watch = Callable[[Sequence[Any]], Iterable[Any]]


@dataclass(frozen=True)
class CohortColumn:
    """Runs on one cohort, or at home: a column of a report.

    Attributes:
        name: of the cohort; `HOME` of the store that the runs are at home in.
        store: its store.
        split, subset: what the runs were evaluated on.
        measured: their scores and differences there.
        colors: row → of each of its runs, how far the slides' colours lie from its training's.
    """

    name: str
    store: wsistore.Store
    split: str
    subset: str
    measured: Measured
    colors: Mapping[str, tuple[ColorDistances, ...]]

    @property
    def runs(self) -> tuple[Evaluated, ...]:
        """The runs with their evaluations."""
        return self.measured.collected.runs

    @property
    def rules(self) -> Mapping[str, Any] | None:
        """What the first run's metrics.json says of the cohort; None at home."""
        found: Mapping[str, Any] | None = self.runs[0].metrics.get("cohort")
        return found


def gather_cohorts(
    paths: Sequence[Path],
    home: wsistore.Store,
    split: str,
    subset: str,
    measured: Measured,
    named: Sequence[NamedCohort],
    watch: Watch,
) -> list[CohortColumn]:
    """Return home and each cohort as columns; home comes first. Without a cohort there is none.

    Args:
        paths: the runs' folders.
        home: the store that they are at home in.
        split, subset: what they were evaluated on there.
        measured: their scores and differences there.
        named: the cohorts.
        watch: passes jobs on, to show progress.

    Raises:
        RunError: a run was not evaluated on a cohort, or runs in different ways, or in another way
            than at home, or with the temperature of an earlier evaluation there.
        wsistore.WsistoreError: there is no such store or split.
    """
    if not named:
        return []
    found = [_column(HOME, home, home, split, subset, measured)]
    for one in named:
        store = wsistore.open(one.store)
        place = CohortPlace(one.name, home, split, subset)
        there = collect(paths, store, one.split, one.subset, place)
        _require_alike(one.name, there, measured.collected)
        scored = measure(there, methods_of(there.runs, store.level_names), watch)
        found.append(_column(one.name, home, store, one.split, one.subset, scored))
    return found


def _column(
    name: str,
    home: wsistore.Store,
    store: wsistore.Store,
    split: str,
    subset: str,
    measured: Measured,
) -> CohortColumn:
    colors = {
        row.name: tuple(
            color_distances(one.run, home, store, one.answers.table["crop"].tolist())
            for one in row.runs
        )
        for row in measured.rows
    }
    return CohortColumn(name, store, split, subset, measured, colors)


def _require_alike(name: str, there: Collected, home: Collected) -> None:
    """Refuse a cohort whose column could not stand beside that of home.

    Raises:
        RunError: it is such a one.
    """
    again = f"evaluate cohort {name} again, with --overwrite"
    if (there.how, there.aggregate) != (home.how, home.aggregate):
        raise RunError(
            f"{there.runs[0].run.path} was evaluated on cohort {name} with another bootstrap or "
            f"--aggregate than at home; {again} and the same options"
        )
    rules = [_rules(one) for one in there.runs]
    for one, found in zip(there.runs, rules, strict=True):
        if found != rules[0]:
            raise RunError(
                f"{there.runs[0].run.path} and {one.run.path} were evaluated on cohort {name} by "
                f"different rules; {again}"
            )
    for one, at_home in zip(there.runs, home.runs, strict=True):
        fitted, known = one.metrics["calibration"], at_home.metrics["calibration"]
        if (fitted is None and known is not None) or (
            fitted is not None
            and fitted.get("of") == OF_HOME
            and (known is None or not math.isclose(fitted["temperature"], known["temperature"]))
        ):
            raise RunError(
                f"{one.run.path} has another temperature at home than it had when it was evaluated "
                f"on cohort {name}; {again}"
            )


def _rules(one: Evaluated) -> tuple[object, ...]:
    about = one.metrics["cohort"]
    unknown, absent = about["unknown_classes"], about["absent_classes"]
    return unknown["rule"], absent["rule"], sorted(absent["classes"]), about["patient_ids"]
