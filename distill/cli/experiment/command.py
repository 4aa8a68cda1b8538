"""`distill experiment`: the paper's design from one file."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click

import wsistore
from distill.cli.exits import interrupted
from distill.cli.experiment.checks import EPOCHS
from distill.cli.experiment.config import Experiment, read
from distill.cli.experiment.job import Job
from distill.cli.experiment.jobs import POOLED, curve_runs, pools, report
from distill.cli.experiment.jobs import jobs as jobs_of
from distill.cli.experiment.runner import DISTILL, carry_out, check, program, with_parent
from distill.cli.options import FOLDER, Grouped, option
from distill.cli.training_options import no_lock_option
from distill.data import TRAIN
from distill.errors import DistillError
from distill.learning import SCORE, labeled_set
from distill.output_folder import lock_output
from wsistore import terminal


@click.command(cls=Grouped)
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@option("Data", "--store", metavar="STORE", help="Folder or URL of the store, instead of FILE's.")
@option(
    "Data",
    "--seeds",
    type=click.IntRange(min=1),
    default=None,
    metavar="N",
    help="Only the first N seeds of FILE; more can follow.  [default: all]",
)
@option("Output", "--out", required=True, type=FOLDER, help="Folder of the runs and the report.")
@option(
    "Machine",
    "--jobs",
    type=click.IntRange(min=1),
    default=None,
    help="Commands at a time.  [default: one per core; on CUDA one]",
)
@option(
    "Machine",
    "--threads",
    type=click.IntRange(min=1),
    default=None,
    help="CPU threads of each.  [default: cores / --jobs]",
)
@option("Machine", "--device", default="auto", metavar="auto|cpu|cuda|cuda:N", help="Of each.")
@no_lock_option
@option("Output", "--dry-run", is_flag=True, help="Print the commands and run none.")
def experiment(
    file: Path,
    store: str | None,
    seeds: int | None,
    out: Path,
    jobs: int | None,
    threads: int | None,
    device: str,
    no_lock: bool,
    dry_run: bool,
) -> None:
    """Carry out the design that FILE describes: teachers, baselines, students, and a report.

    FILE (TOML) names a store, the teacher's level and the students', the sets to distil on, the
    seeds, and any option of the commands. Each run is a `distill` command of its own, several at a
    time, whose words go to OUT/logs. What is done is kept: the same call goes on after an
    interruption, or after FILE has got more seeds, levels or recipes. With folds = "NAME" in place
    of split every fold has all of these, each method is pooled over the folds, and the report is on
    the pooled answers. With labeled_patients = [5, 10, 20] each number of labelled training
    patients has all of these, and OUT/learning-curve says what more labels bought.

    \b
    Examples:
      distill experiment lung.toml --out lung --dry-run
      distill experiment lung.toml --out lung --jobs 2 --threads 1
      distill experiment lung.toml --out try --store other/store --seeds 1
    """
    plan = read(file)
    plan = replace(plan, store=store or plan.store, seeds=plan.seeds[:seeds])
    from distill.data import require_level, rows_of

    opened = wsistore.open(plan.store)
    for level in (plan.teacher, *plan.levels):
        require_level(opened, level)
    folds = [fold.split for fold in opened.folds(plan.folds)] if plan.folds else []
    for split in folds or [plan.split]:
        for crops in (*plan.sets, plan.subset):
            rows_of(opened, split, plan.crops(crops))
    if plan.labeled_patients:
        from distill.learning import require_curve

        require_curve(opened, plan.split, plan.labeled_patients, plan.seeds)
        if plan.curve.get("epochs", EPOCHS[0]) == EPOCHS[0]:
            plan = replace(plan, times=_times(plan, opened))
    found = jobs_of(plan, out, folds)
    pooled = pools(plan, out, folds) if folds else []
    last = [] if plan.labeled_patients else [*pooled, report(plan, out, folds)]
    cores = os.cpu_count() or 1
    jobs = jobs or _at_a_time(device, cores)
    machine = ["--threads", str(threads or max(1, cores // jobs)), "--device", device]
    check(found, out)
    if dry_run:
        for job in found:
            state = "  # done" if job.done else ""
            terminal.echo(shlex.join(["distill", *job.words]) + state)
        for words in last:
            terminal.echo(shlex.join(["distill", *words]))
        return
    if not no_lock:
        wsistore.require_locks(out)
    lock_output(out, not no_lock)
    out.mkdir(parents=True, exist_ok=True)

    def command(job: Job) -> list[str]:
        writes = no_lock and job.words[0] in ("train", "teach")
        return [*program(job), *machine, *(["--no-lock"] if writes else [])]

    try:
        result = carry_out(found, out, command, jobs, terminal.echo)
    except KeyboardInterrupt as interruption:
        text = f"Interrupted: the same command goes on with {out}."
        raise interrupted(interruption, text) from None
    if result.failed:
        left = f", and {len(result.left)} that need them were not run" if result.left else ""
        raise DistillError(f"failed: {', '.join(result.failed)}{left}; see {out / 'logs'}")
    terminal.echo(f"{out}: all {len(found)} jobs done")
    for words in last:
        made = subprocess.run([*DISTILL, *words], check=False, env=with_parent())
        if made.returncode:
            raise DistillError(f"no report could be made of {out}; the reason is above")
    if plan.labeled_patients:
        _draw_curve(plan, opened, out)
    if folds:
        _summarize(out, [Path(words[words.index("--out") + 1]) for words in pooled])


def _summarize(out: Path, pooled: Sequence[Path]) -> None:
    """Write the page on all methods of a cross-validation."""
    from distill.pooling import summary_files

    folder = out / POOLED
    wsistore.atomic.write_all(folder, summary_files(pooled), ())
    terminal.echo(str(folder / "report.md"))


def _times(plan: Experiment, store: wsistore.Store) -> dict[str, float]:
    """Return how many labelled crops train has for each of a labelled set, by its name."""
    from distill.data import labels_of

    sets = {labeled_set(n, seed) for n in plan.labeled_patients for seed in plan.seeds}
    crops = {name: len(labels_of(store, plan.split, name)) for name in sets | {TRAIN}}
    return {name: crops[TRAIN] / crops[name] for name in sets}


def _draw_curve(plan: Experiment, store: wsistore.Store, out: Path) -> None:
    """Write the page of a learning curve, and say what it says."""
    from distill.learning import FOLDER, answers_of, curve_files, gather_curve, measure_curve

    curve = gather_curve(curve_runs(plan, out), store, plan.split, plan.subset)
    measured = measure_curve(curve, plan.curve.get("score", SCORE))
    folder = out / FOLDER
    folder.mkdir(exist_ok=True)
    wsistore.atomic.write_all(folder, curve_files(measured), ())
    for sentence in answers_of(measured):
        terminal.echo(sentence)
    terminal.echo(str(folder / "report.md"))


def _at_a_time(device: str, cores: int) -> int:
    """Return how many commands to run at a time where nobody says it."""
    from distill.networks import resolve_device

    # each would take most of what is free on the device when it begins, as if it were alone there
    return 1 if resolve_device(device).type == "cuda" else cores
