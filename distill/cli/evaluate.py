"""`distill evaluate`: one or more runs on one subset, as files and as a table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import wsistore
from distill.cli.aggregate import aggregate_option
from distill.cli.cohort_options import (
    cohort_options,
    cohort_rule_options,
    take_cohorts,
    take_rules,
)
from distill.cli.decision_options import decision_options
from distill.cli.options import FOLDER, Grouped, option
from distill.cli.settings_options import option_of
from distill.cli.training_options import answer_batch_option, machine_options, memory_option
from distill.cli.views import views_option
from distill.errors import UsageError
from distill.evaluation import COHORTS, DRAWS, UNITS
from distill.output_folder import lock_output, own_name
from distill.training import EmbeddedSettings
from wsistore import terminal

if TYPE_CHECKING:
    from rich.console import Console

    from distill.cohorts import CohortPlan
    from distill.data import Sample
    from distill.evaluation import Evaluation, EvaluationPlan, EvaluationRequest, Watch
    from distill.runs import Run

WIDTH = 120
"""Characters of the table in a file or a pipe, where no terminal says how many there are."""


@click.command(cls=Grouped)
@click.argument("runs", nargs=-1, required=True, type=FOLDER, metavar="RUN...")
@click.argument("store", type=FOLDER)
@option("Data", "--split", default="main", metavar="NAME", help="Split of the store.")
@option("Data", "--subset", default="test", metavar="NAME", help="Subset to evaluate on.")
@option_of(
    EmbeddedSettings,
    "embeddings",
    help="Stored vectors of the crops, for runs that are heads on such; of distill embed.",
)
@option(
    "Data",
    "--allow-training-patients",
    is_flag=True,
    help="Evaluate on patients that a run (or its teacher) was trained on, or whose scores chose "
    "its epoch or temperature, or of whom nobody can tell.",
)
@cohort_options
@cohort_rule_options
@views_option("Scores")
@aggregate_option("Scores")
@option(
    "Scores",
    "--calibrate",
    metavar="NAME",
    help="Fit a temperature on the labelled crops of this subset (val); it changes probabilities, "
    "never the class predicted.",
)
@decision_options
@option(
    "Scores",
    "--paper-accuracy",
    is_flag=True,
    help="Add N / (N + FP + FN), which the paper prints as accuracy and which is too high.",
)
@option(
    "Bootstrap",
    "--unit",
    type=click.Choice(UNITS),
    default="patient",
    help="What is resampled; crops of one patient are alike, so 'crop' gives too narrow intervals.",
)
@option(
    "Bootstrap",
    "--draws",
    type=click.IntRange(min=1),
    default=DRAWS,
    help="Number of resamples.",
)
@option(
    "Bootstrap",
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    help="Decides the resamples.",
)
@option("Output", "--overwrite", is_flag=True, help="Replace evaluations that exist.")
@option("Output", "--json", "as_json", is_flag=True, help="Print metrics.json of each run instead.")
@machine_options
@memory_option
@answer_batch_option
def evaluate_command(
    runs: tuple[Path, ...],
    store: Path,
    as_json: bool,
    threads: int | None,
    memory: float | None,
    unit: str,
    draws: int,
    seed: int,
    **given: Any,
) -> None:
    """Score each RUN on a subset of STORE, and on other stores, with 95 % intervals.

    Every crop is predicted whole, at the level the run was trained at. RUN/evaluation/SPLIT-SUBSET
    receives predictions.csv (one row per crop), slides.csv, patients.csv and metrics.json; with
    several runs, all but the first also receive differences.json: their scores minus those of the
    first RUN on the same crops. Crops without a label are predicted but not scored.

    With --cohort the same goes into RUN/cohorts/NAME/SPLIT-SUBSET. An evaluation on STORE that
    exists is kept then, and its temperature holds for the cohorts too. See docs/how-to/cohorts.md.

    \b
    Examples:
      distill evaluate runs/teacher STORE
      distill evaluate runs/teacher runs/baseline runs/kd STORE --split main --subset test
      distill evaluate runs/kd STORE --calibrate val --aggregate area
      distill evaluate runs/kd STORE --aggregate top-3:tumor
      distill evaluate runs/kd STORE --operating-point sensitivity=0.95 --choose-on val
      distill evaluate runs/kd STORE --calibrate val --net-benefit
      distill evaluate runs/kd runs/five-kd STORE --views 8
      distill evaluate runs/kd STORE --subset val --unit crop --json
      distill evaluate runs/* STORE --cohort b=hospital-b --cohort c=hospital-c
      distill evaluate runs/* STORE --cohort b=hospital-b --cohort-calibrate b=val
    """
    if len({path.resolve() for path in runs}) < len(runs):
        raise UsageError("a run is named twice")
    cohorts = take_cohorts(given, given["split"], given["subset"])
    rules = take_rules(given, cohorts)
    import torch

    from distill.cohorts import evaluate_cohort, from_home, plan_cohorts
    from distill.evaluation import BootstrapSettings, EvaluationRequest, evaluation_tables
    from distill.runs import open_run

    if threads is not None:
        torch.set_num_threads(threads)
    request = EvaluationRequest(
        bootstrap=BootstrapSettings(unit, draws, seed), memory_gib=memory, **given
    )
    opened = wsistore.open(store)
    found = [open_run(path) for path in runs]
    if given["embeddings"] is not None and not any(run.embedded for run in found):
        raise UsageError(
            "--embeddings has no effect: no run is a head on stored vectors; leave it out"
        )
    for run in found:
        lock_output(request.folder(run), option=None)
        for one in cohorts:
            lock_output(run.path / COHORTS / one.name, option=None)
    at_home = _AtHome(found, opened, request, kept=bool(cohorts))
    planned = plan_cohorts(found, opened, cohorts, request, rules)
    stderr = terminal.console(stderr=True)
    at_home.say(stderr)
    for there in planned:
        _say_cohort(there, stderr)
    shown = at_home.evaluate(stderr)
    for there in planned:
        taken = [from_home(run, request) for run in found]
        done = evaluate_cohort(there, taken, lambda plan: _watch(plan, stderr))
        _say_own_stains(done[0], stderr)
        shown.append(([one.report for one in done[0]], done[1]))
    if as_json:
        terminal.echo_json([report for reports, _ in shown for report in reports])
        return
    console = printer()
    for reports, differences in shown:
        for table in evaluation_tables(reports, differences):
            console.print(table)


class _AtHome:
    """Runs on the store that they are at home in: planned, or kept as they were evaluated."""

    def __init__(
        self,
        runs: Sequence[Run],
        store: wsistore.Store,
        request: EvaluationRequest,
        *,
        kept: bool,
    ) -> None:
        from distill.cohorts import is_kept
        from distill.evaluation import comparison, plan_evaluation

        self._kept = kept and is_kept(runs, store, request)
        self._folder = request.folder(runs[0])
        self._plans = [] if self._kept else [plan_evaluation(run, store, request) for run in runs]
        if self._plans:
            comparison.check(self._plans)

    def say(self, stderr: Console) -> None:
        if self._kept:
            stderr.print(f"kept, as they are: {self._folder.name} of each run, at home")
        for plan in self._plans:
            for note in notes(plan):
                stderr.print(note)

    def evaluate(self, stderr: Console) -> list[tuple[list[Any], list[Any]]]:
        """Return reports and differences, if they are not kept."""
        from distill.evaluation import comparison, evaluate

        if self._kept:
            return []
        watches = (_watch(plan, stderr) for plan in self._plans)
        done, differences = comparison.compared(
            evaluate(plan, watch) for plan, watch in zip(self._plans, watches, strict=True)
        )
        _say_own_stains(done, stderr)
        return [([one.report for one in done], differences)]


def _say_cohort(planned: CohortPlan, stderr: Console) -> None:
    from distill.cohorts import cohort_notes

    said = [note for plan in planned.plans for note in notes(plan)]
    said += [f"{plan.run.path}: {note}" for plan, note in cohort_notes(planned)]
    for note in said:
        stderr.print(f"cohort {planned.cohort.name}: {note}")


def _say_own_stains(done: Sequence[Evaluation], stderr: Console) -> None:
    from distill.evaluation import OWN_STAINS

    for evaluation in done:
        if own := evaluation.report.get(OWN_STAINS):
            stderr.print(
                f"{evaluation.plan.run.path}: crops seen in their own stains, for there is too "
                f"little to normalize: {len(own)}, for example {own[0]}"
            )


def notes(plan: EvaluationPlan) -> list[str]:
    """Say what is unusual about an evaluation: crops not scored, patients that were seen before."""
    from distill.evaluation import EPOCH, TEMPERATURE, TRAINING

    seen = {
        TRAINING: "patients that it was trained on",
        EPOCH: "patients that its epoch was chosen on, so that the scores are too good",
        TEMPERATURE: "patients that a temperature was fitted on",
    }
    said = []
    labels, left_out = plan.subset.labels, plan.subset.left_out
    if left_out:
        crop, reason = next(iter(left_out.items()))
        said.append(f"crops skipped: {len(left_out)}, for example {crop}, which {reason}")
    if plan.bags:
        cases = plan.cases["label"]
        if unlabeled := int(cases.isna().sum()):
            kind = plan.run.bag
            said.append(f"{kind}s without one label, not scored: {unlabeled} of {len(cases)}")
    elif unlabeled := labels.count(None):
        said.append(f"crops without a label, not scored: {unlabeled} of {len(labels)}")
    if plan.seen[TRAINING] is None:
        said.append("nobody can tell which patients it was trained on")
    for way, what in seen.items():
        if plan.seen[way]:
            said.append(f"{what}: {plan.seen[way]}")
    return [f"{plan.run.path}: {note}" for note in said]


def printer() -> Console:
    """Return the console that tables go to: as wide as the terminal, or as `WIDTH`."""
    stdout = terminal.console(wrap=True)
    return stdout if stdout.is_terminal else terminal.console(width=WIDTH, wrap=True)


def _watch(plan: EvaluationPlan, console: Console) -> Watch:
    def watch(samples: Iterable[Sample], total: int) -> Iterable[Sample]:
        return terminal.track(samples, own_name(plan.run.path), console, total)

    return watch
