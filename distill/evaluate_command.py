"""`distill evaluate`: one or more runs on one subset, as files and as a table."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import click
import torch
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import track
from rich.table import Table
from rich.text import Text

import wsistore
from distill.bootstrap import DRAWS, UNITS
from distill.errors import UsageError
from distill.evaluate import Plan, Request, Watch, carry_out, prepare
from distill.options import FOLDER, Grouped, machine_options, option
from distill.pairs import Sample
from distill.runs import Run

COLUMNS = {
    "accuracy": "one_vs_rest_accuracy",
    "F1": "f1",
    "precision": "precision",
    "recall": "recall",
}
WIDTH = 110
"""Characters of the table in a file or a pipe, where no terminal says how many there are."""


@click.command(cls=Grouped)
@click.argument("runs", nargs=-1, required=True, type=FOLDER, metavar="RUN...")
@click.argument("store", type=FOLDER)
@option("Data", "--split", default="main", metavar="NAME", help="Split of the store.")
@option("Data", "--subset", default="test", metavar="NAME", help="Subset to evaluate on.")
@option(
    "Data",
    "--allow-training-patients",
    is_flag=True,
    help="Evaluate on patients that a run (or its teacher) was trained on, or may have been.",
)
@option(
    "Bootstrap",
    "--unit",
    type=click.Choice(UNITS),
    default="patient",
    help="What is resampled; crops of one patient are alike, so 'crop' gives too narrow intervals.",
)
@option(
    "Bootstrap", "--draws", type=click.IntRange(min=1), default=DRAWS, help="Number of resamples."
)
@option("Bootstrap", "--seed", type=click.IntRange(min=0), default=0, help="Decides the resamples.")
@option("Output", "--overwrite", is_flag=True, help="Replace evaluations that exist.")
@option("Output", "--json", "as_json", is_flag=True, help="Print metrics.json of each run instead.")
@machine_options
def evaluate(
    runs: tuple[Path, ...], store: Path, as_json: bool, threads: int | None, **given: Any
) -> None:
    """Score each RUN on a subset of STORE, with 95 % intervals.

    Every crop is predicted whole, at the level the run was trained at. RUN/evaluation/SPLIT-SUBSET
    receives predictions.csv (one row per crop) and metrics.json. Crops without a label are
    predicted but not scored.

    \b
    Examples:
      distill evaluate runs/teacher STORE
      distill evaluate runs/teacher runs/baseline runs/kd STORE --split main --subset test
      distill evaluate runs/kd STORE --subset val --unit crop --json
    """
    if len({path.resolve() for path in runs}) < len(runs):
        raise UsageError("a run is named twice")
    if threads is not None:
        torch.set_num_threads(threads)
    request = Request(**given)
    opened = wsistore.open(store)
    plans = [prepare(Run.open(path), opened, request) for path in runs]
    stderr = Console(stderr=True)
    for plan in plans:
        for note in notes(plan):
            stderr.print(note, markup=False, highlight=False, soft_wrap=True)
    reports = [carry_out(plan, _watch(plan, stderr)) for plan in plans]
    if as_json:
        click.echo(json.dumps(reports, indent=2, allow_nan=False, ensure_ascii=False))
    else:
        _printer().print(table(reports))


def notes(plan: Plan) -> list[str]:
    """Say what is unusual about an evaluation: crops not scored, patients trained on."""
    said = []
    labels, left_out = plan.subset.labels, plan.subset.left_out
    if left_out:
        crop, reason = next(iter(left_out.items()))
        said.append(f"crops skipped: {len(left_out)}, for example {crop}, which {reason}")
    if unlabelled := labels.count(None):
        said.append(f"crops without a label, not scored: {unlabelled} of {len(labels)}")
    if plan.trained_on is None:
        said.append("nobody can tell which patients it was trained on")
    elif plan.trained_on:
        said.append(f"patients that it was trained on: {plan.trained_on}")
    return [f"{plan.run.path}: {note}" for note in said]


def table(reports: Sequence[dict[str, Any]]) -> Table:
    """Return one row per report of `distill.evaluate.carry_out`: percent, intervals below."""
    bootstrap = reports[0]["bootstrap"]
    crops, patients = (
        " or ".join(sorted({str(report["scored"][units]) for report in reports}, key=int))
        for units in ("crops", "patients")
    )
    place = f"{reports[0]['subset']} of split {reports[0]['split']}, {reports[0]['store']}"
    shown = Table(
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        title=Text(f"{place}: {crops} crops, {patients} patients"),
        caption=Text(
            f"Macro means over {len(reports[0]['classes'])} classes, one against the rest, in %. "
            f"Below each its {bootstrap['confidence']:.0%} interval: percentile bootstrap over "
            f"{bootstrap['unit']}s, {bootstrap['draws']:,} draws. GMAC: mean per crop."
        ),
    )
    shown.add_column("run\nnetwork", overflow="fold", min_width=len("resnet10"))
    shown.add_column("level", no_wrap=True)
    shown.add_column("GMAC", justify="right", no_wrap=True)
    for name in COLUMNS:
        shown.add_column(name, justify="right", no_wrap=True, min_width=len("00.00–00.00"))
    for report in reports:
        shown.add_row(
            Text(f"{Path(report['run']).name}\n{report['network']}"),
            Text(report["level"]),
            f"{report['cost']['gmac_per_crop']['mean']:.3g}",
            *(_percent(report["macro"][score]) for score in COLUMNS.values()),
        )
    return shown


def _printer() -> Console:
    stdout = Console()
    return stdout if stdout.is_terminal else Console(width=WIDTH)


def _percent(entry: dict[str, Any]) -> str:
    low, high = entry["interval"]
    return f"{entry['value']:.2%}\n{low:.2%}–{high:.2%}".replace("%", "")


def _watch(plan: Plan, console: Console) -> Watch:
    def watch(samples: Iterable[Sample]) -> Iterable[Sample]:
        return track(
            samples,
            description=plan.run.path.name,
            total=len(plan.subset),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )

    return watch
