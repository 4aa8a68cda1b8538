"""`distill defer`: a student that decides where it is confident, and a teacher for the rest."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import click

import wsistore
from distill.cli.options import FOLDER, Grouped, option, refuse_without_effect
from distill.deferral import POINTS
from distill.evaluation import ScoreTable, score_columns
from distill.output_folder import lock_output
from wsistore import terminal


@click.command("defer", cls=Grouped)
@click.argument("student", type=FOLDER)
@click.argument("teacher", type=FOLDER)
@click.argument("store", type=FOLDER)
@option("Data", "--split", default="main", metavar="NAME", help="Split of the store.")
@option("Data", "--subset", default="test", metavar="NAME", help="Subset of the evaluations.")
@option(
    "Threshold",
    "--choose-on",
    metavar="NAME",
    help="Choose a threshold on this subset (val), of which both runs have an evaluation too.",
)
@option(
    "Threshold",
    "--within",
    type=click.FloatRange(min=0, max=100),
    default=1.0,
    metavar="POINTS",
    help="The threshold is that of the smallest share of crops deferred whose score is at most so "
    "many percentage points below the teacher's.",
)
@option(
    "Threshold",
    "--score",
    type=click.Choice(list(score_columns(ScoreTable.VERDICT))),
    default="f1",
    help="Score, over crops, that the threshold and the picture are about.",
)
@option(
    "Threshold",
    "--points",
    type=click.IntRange(min=2),
    default=POINTS,
    help="Shares of crops deferred to look at, evenly spaced.",
)
@option("Output", "--out", required=True, type=FOLDER, metavar="DIR", help="Folder to make.")
@option("Output", "--overwrite", is_flag=True, help="Replace the deferral that --out holds.")
def command(
    student: Path,
    teacher: Path,
    store: Path,
    split: str,
    subset: str,
    choose_on: str | None,
    within: float,
    score: str,
    points: int,
    out: Path,
    overwrite: bool,
) -> None:
    """Say what it costs to let TEACHER read again what STUDENT is not sure of.

    The student decides a crop where its confidence, the probability of the class that it predicts,
    is at least a threshold; the teacher decides the others. DIR gets curve.csv, every score with
    its interval for shares of crops from none to all of them; defer.json; and a picture,
    defer.svg and defer.png. Everything is taken from evaluations of both runs: run
    'distill evaluate' first. See docs/how-to/defer.md.

    \b
    Examples:
      distill defer runs/kd runs/teacher STORE --out deferred
      distill defer runs/kd runs/teacher STORE --choose-on val --within 1 --out deferred
    """
    if choose_on is None:
        refuse_without_effect({"within": "without --choose-on"})
    from distill.deferral import (
        Rule,
        check_defer_folder,
        choose,
        curve_of,
        operating_point,
        read_pair,
        seen_patients,
        summary,
        unseen_pair,
        write_deferral,
    )

    lock_output(out)
    check_defer_folder(out, overwrite)
    opened = wsistore.open(store)
    pair = read_pair(student, teacher, opened, split, subset)
    for note in seen_patients(pair):
        terminal.echo(note, err=True)
    rule, chosen = Rule(score, within), None
    if choose_on is not None:
        choice = choose(unseen_pair(pair, opened, split, choose_on), rule, points)
        chosen = choice, operating_point(pair, choice.step.threshold)
    curve = curve_of(pair, points, _watch)
    write_deferral(out, pair, curve, rule.about, chosen, overwrite)
    for line in summary(pair, curve, rule.about, chosen):
        terminal.echo(line)
    terminal.echo(str(out))


def _watch(steps: Sequence[Any]) -> Iterable[Any]:
    return terminal.track(steps, "deferring", terminal.console(stderr=True))
