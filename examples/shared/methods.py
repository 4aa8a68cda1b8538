"""Methods: what a table has a row for. A network at a level, with one run for each seed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import wsistore
from distill.cli.experiment.config import Experiment
from distill.cli.experiment.jobs import runs
from distill.evaluation.predictions import Predictions
from distill.evaluation.scoring import BootstrapSettings
from distill.report.evaluations import collect
from distill.report.methods import OTHER, MethodRow, methods_of, recipe_name

REFERENCE = "reference"


@dataclass(frozen=True, eq=False)
class Method:
    """What is scored. Each is itself alone, so that it can be a key.

    Attributes:
        name: as tables show it, e.g. "KD (ADv1) · soft".
        kind: "teacher", "baseline", "student", or "reference" for what is no network.
        recipe: name of its recipe, from the names of its run folders.
        crops: what a student was distilled on: "train", "ADv1", …; "" of others.
        level: its level.
        answers: one for each seed, on the same crops.
        seeds: of the runs, ascending.
        gmac: mean 10⁹ multiply-adds of a crop; None of what is no network.
        parameters: how many numbers it has learnt.
    """

    name: str
    kind: str
    recipe: str
    crops: str
    level: str
    answers: tuple[Predictions, ...]
    seeds: tuple[int, ...]
    gmac: float | None
    parameters: int


@dataclass(frozen=True)
class Results:
    """The methods of an experiment, and the bootstrap that its evaluations were made with."""

    methods: tuple[Method, ...]
    how: BootstrapSettings

    def of(self, *kinds: str) -> list[Method]:
        """Return the methods of some kinds, in order."""
        return [one for one in self.methods if one.kind in kinds]


def gather(plan: Experiment, out: Path) -> Results:
    """Read the runs of an experiment that was carried out, as `distill report` does.

    Args:
        plan: the experiment.
        out: its folder.

    Raises:
        DistillError: a run is missing, or not evaluated, or was evaluated on something else.
    """
    store = wsistore.open(plan.store)
    collected = collect(runs(plan, out), store, plan.split, plan.subset)
    found = methods_of(collected.runs, store.level_names)
    return Results(tuple(_method(row) for row in found if row.kind != OTHER), collected.how)


def order(names: Sequence[str]) -> list[str]:
    """Return sets of crops, train first, then by name: train, ADv1, ADv2."""
    return sorted(dict.fromkeys(names), key=lambda name: (name != "train", name))


def _method(row: MethodRow) -> Method:
    named = re.match(r"KD \((.+?)\)", row.method)
    tuned = ", fine-tuned" if row.method.endswith(", fine-tuned") else ""
    student = row.method.startswith("KD")
    return Method(
        name=row.label,
        kind=row.kind,
        recipe=recipe_name(row.runs) + tuned,
        crops=(named[1] if named else "train") if student else "",
        level=row.level,
        answers=tuple(one.answers for one in row.runs),
        seeds=tuple(int(one.run.config["seed"]) for one in row.runs),
        gmac=row.gmac,
        parameters=int(row.runs[0].metrics["cost"]["parameters"]),
    )
