"""`distill report`: evaluated runs as one page, Markdown and CSV files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import wsistore
from distill.cli.cohort_options import cohort_options, take_cohorts
from distill.cli.options import FOLDER, Grouped, option, refuse_without_effect
from distill.evaluation import ScoreTable, score_columns
from distill.output_folder import lock_output
from wsistore import terminal

if TYPE_CHECKING:
    from distill.pooling import Passes


@click.command("report", cls=Grouped)
@click.argument("runs", nargs=-1, required=True, type=FOLDER, metavar="RUN...")
@click.argument("store", type=FOLDER)
@option("Data", "--split", default="main", metavar="NAME", help="Split of the store.")
@option(
    "Data",
    "--folds",
    metavar="NAME",
    help="Folds of a cross-validation, in place of --split: RUNs of any methods, each trained on "
    "one of them.",
)
@option("Data", "--subset", default="test", metavar="NAME", help="Subset of the evaluations.")
@cohort_options
@option(
    "Verdict",
    "--margin",
    type=click.FloatRange(min=0, min_open=True, max=100),
    default=5.0,
    metavar="POINTS",
    help="Loss that may be accepted, in percentage points; yours to choose, before looking.",
)
@option(
    "Verdict",
    "--score",
    type=click.Choice(list(score_columns(ScoreTable.VERDICT))),
    default="f1",
    help="Score, over crops, that the margin is about.",
)
@option("Output", "--out", required=True, type=FOLDER, metavar="DIR", help="Folder to make.")
@option(
    "Output",
    "--explain",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    metavar="DIR",
    help="Folder of PNG pictures to show, such as class activation maps.",
)
@option(
    "Output",
    "--mistakes",
    type=click.IntRange(0, 100),
    default=12,
    metavar="N",
    help="How many of a method's worst mistakes to show, with their crops; 0 names no slide.",
)
@option(
    "Output",
    "--preview",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    metavar="DIR",
    help="Folder of 'wsistore preview STORE', to link the mistakes' crops to.",
)
@option(
    "Output",
    "--deferral",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    multiple=True,
    metavar="DIR",
    help="Folder of 'distill defer' on two of the RUNs, to show; may be given several times.",
)
@option("Output", "--overwrite", is_flag=True, help="Replace the report that --out holds.")
def command(
    runs: tuple[Path, ...],
    store: Path,
    split: str,
    folds: str | None,
    subset: str,
    margin: float,
    score: str,
    out: Path,
    explain: Path | None,
    mistakes: int,
    preview: Path | None,
    deferral: tuple[Path, ...],
    overwrite: bool,
    **given: Any,
) -> None:
    """Report on RUNs that were evaluated on a subset of STORE: may a student replace its teacher?

    DIR gets index.html, one page that opens offline; the same as report.md; a CSV file for each
    table and an SVG file for each figure. Everything is taken from the runs' own files and STORE:
    run 'distill evaluate' first. Differences are paired, by the bootstrap of the evaluations. Runs
    that differ in --seed alone are one row. With --folds the answers of the folds are pooled first,
    so that every patient counts once. With --cohort the runs' evaluations on other stores stand
    beside those on STORE, a column each. See docs/reference/report.md.

    \b
    Examples:
      distill report runs/teacher runs/baseline runs/kd STORE --out report
      distill report runs/* STORE --out report --margin 2 --score balanced-accuracy
      distill report runs/* STORE --out report --explain maps --overwrite
      distill report runs/* STORE --out report --preview STORE-preview --mistakes 24
      distill report runs/* STORE --out report --deferral deferred
      distill report cv/*/seed-*/* STORE --folds cv --out report
      distill report runs/* STORE --cohort b=hospital-b --cohort c=hospital-c --out report
    """
    if folds is not None:
        without = ("split", "deferral", "cohort")
        refuse_without_effect(dict.fromkeys(without, "with --folds"))
    cohorts = take_cohorts(given, split, subset)
    from distill.deferral import deferral_section, read_deferral
    from distill.pooling import collect_folds, folds_section
    from distill.report import (
        PAGE,
        Question,
        assemble,
        check_report_folder,
        collect,
        judge_students,
        measure,
        methods_of,
        mistake_cards,
        notices_of,
        overlays,
        preview_links,
        report_files,
        shown_mistakes,
        worst_mistakes,
        write_report,
    )

    lock_output(out)
    check_report_folder(out, overwrite)
    explained = overlays(explain) if explain else ([], 0)
    opened = wsistore.open(store)
    methods: list[Passes] = []
    if folds is None:
        collected = collect(runs, opened, split, subset)
    else:
        collected, methods = collect_folds(runs, opened, folds, subset)
    deferred = [read_deferral(path, collected) for path in deferral]
    measured = measure(collected, methods_of(collected.runs, opened.level_names), _watch)
    question = Question(score, margin)
    verdicts = judge_students(measured, question)
    said = notices_of(measured, verdicts, question)
    worst = worst_mistakes(measured, mistakes)
    shown = shown_mistakes(worst, measured, question)
    cards = None
    if mistakes and shown:
        crops = [one.crop for one in shown.worst]
        links = preview_links(preview, out, crops) if preview else {}
        cards = mistake_cards(opened, worst, shown, links)
        if cards.fault:
            terminal.echo(f"pictures of mistakes are missing: {cards.fault}")
    more = [folds_section(measured, methods, question.about)] if methods else []
    if deferred:
        more.append(deferral_section(measured, deferred, question.about))
    if cohorts:
        from distill.cohorts import cohorts_section, gather_cohorts  # which need torch

        there = gather_cohorts(runs, opened, split, subset, measured, cohorts, _watch)
        more.append(cohorts_section(there, question))
    report = assemble(measured, opened, question, verdicts, said, explained, cards, more)
    write_report(out, report_files(report), overwrite)
    terminal.echo(report.lead)
    terminal.echo(str(out / PAGE))


def _watch(jobs: Sequence[Any]) -> Iterable[Any]:
    console = terminal.console(stderr=True)
    return terminal.track(jobs, "comparing", console)
