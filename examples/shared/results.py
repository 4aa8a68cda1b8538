"""An experiment from its file to its tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click
from rich.console import Console
from rich.progress import track

import wsistore
from distill.cli.experiment.config import Experiment, read
from distill.errors import UsageError
from distill.files import publish
from distill.report.formatting import markdown
from distill.report.page.table import Table, field
from examples.shared import ridge
from examples.shared.figure import draw
from examples.shared.methods import Results, gather
from examples.shared.scores import SCORES
from examples.shared.shell import call
from examples.shared.tables import Pair, Scored, comparisons, difference_table, score_table, scored

SIGNALLED = 128
"""Exit codes above it say that a signal ended a command in good order."""


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
    color = ridge.references(wsistore.open(plan.store), plan.split, scored, plan.teacher)
    return replace(found, methods=(*found.methods, *color))


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


def finish(works: Sequence[Work], reference: str | None, folder: Path) -> None:
    """Carry experiments out, and write the tables and figures of those that were.

    Args:
        works: a panel of the figures for each.
        reference: recipe that others are compared with; None for the first of each design.
        folder: receives tables and figures, and replaces those of the same name.

    Raises:
        DistillError: a design is not understood, or a run is damaged.
        SystemExit: an experiment failed, and the others have their tables; or one was interrupted,
            and none is begun after it.
    """
    recipes = [reference_recipe(work.plan(), reference) for work in works]
    codes = []
    for work in works:
        codes.append(work.carry_out())
        if codes[-1] > SIGNALLED:
            raise SystemExit(codes[-1])
    scored = {
        work.name: write_tables(work, results(work), recipe, folder)
        for work, recipe, code in zip(works, recipes, codes, strict=True)
        if not code
    }
    if scored:
        for score in SCORES:
            draw(scored, score, folder / f"results-{'-'.join(scored)}-{field(score)}")
        click.echo(f"tables and figures: {folder}")
    failed = [work.name for work in works if work.name not in scored]
    if failed:
        click.echo(f"Failed: {' and '.join(failed)}; the same command tries again.", err=True)
        raise SystemExit(1)


def _watch(pairs: Sequence[Pair], what: str) -> Iterable[Pair]:
    console = Console(stderr=True)
    return track(
        pairs, description=what, console=console, transient=True, disable=not console.is_terminal
    )
