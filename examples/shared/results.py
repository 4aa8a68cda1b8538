"""An experiment from its file to its tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.progress import track

import wsistore
from distill.errors import UsageError
from distill.experiment.file import Experiment, read
from distill.report.names import markdown
from distill.report.table import Table
from distill.tensors import publish
from examples.shared import ridge
from examples.shared.methods import Results, gather
from examples.shared.shell import call
from examples.shared.tables import Pair, Scored, comparisons, difference_table, score_table, scored


@dataclass(frozen=True)
class Work:
    """An experiment on one store.

    Attributes:
        name: of the store; begins the names of its tables.
        design: the experiment file.
        store: the store, whatever the file says.
        out: folder of the runs.
        seeds: how many of the file's seeds; None for all.
    """

    name: str
    design: Path
    store: Path
    out: Path
    seeds: int | None = None

    def plan(self) -> Experiment:
        """Return what the file says, of this store and these seeds.

        Raises:
            UsageError: the file is not understood.
        """
        found = read(self.design)
        return replace(found, store=str(self.store), seeds=found.seeds[: self.seeds])

    def carry_out(self) -> int:
        """Run `distill experiment`, and return its exit code."""
        fewer = () if self.seeds is None else ("--seeds", self.seeds)
        return call(
            "distill", "experiment", self.design, "--store", self.store, "--out", self.out, *fewer
        )


def results(work: Work) -> Results:
    """Return the methods of an experiment that was carried out, and what colour alone tells.

    Raises:
        DistillError: a run is missing or not evaluated.
    """
    plan = work.plan()
    found = gather(plan, work.out)
    scored = found.methods[0].answers[0]
    colour = ridge.references(wsistore.open(plan.store), plan.split, scored, plan.teacher)
    return replace(found, methods=(*found.methods, *colour))


def reference_recipe(plan: Experiment, wanted: str | None) -> str:
    """Return the recipe that others are compared with: the wanted one, or the file's first.

    Raises:
        UsageError: the file has no such recipe.
    """
    if wanted is not None and wanted not in plan.kd:
        raise UsageError(f"--reference {wanted} is no recipe of the design: {', '.join(plan.kd)}")
    return wanted or next(iter(plan.kd))


def write_tables(work: Work, found: Results, recipe: str, folder: Path) -> Scored:
    """Write every table as NAME-TABLE.md and .csv; returns the scores.

    Args:
        work: gives the tables their name.
        found: from `results`.
        recipe: that others are compared with.
        folder: receives the tables, and replaces those of the same name.
    """
    folder.mkdir(parents=True, exist_ok=True)
    given = scored(found)
    made = [score_table(given, found.how)]
    made += [difference_table(one, found.how, _watch) for one in comparisons(found, recipe)]
    for table in made:
        stem = folder / f"{work.name}-{table.name}"
        publish(stem.with_suffix(".csv"), table.csv())
        publish(stem.with_suffix(".md"), fragment(table, work.name).encode())
    return given


def fragment(table: Table, name: str) -> str:
    """Return a table as a piece of a Markdown page: title, table, what its numbers mean."""
    head = f"**{markdown(table.title)} ({name})**"
    return f"{head}\n\n{table.markdown()}\n{markdown(table.caption)}\n"


def _watch(pairs: Sequence[Pair], what: str) -> Iterable[Pair]:
    console = Console(stderr=True)
    return track(
        pairs, description=what, console=console, transient=True, disable=not console.is_terminal
    )
