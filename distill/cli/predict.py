"""`distill predict`: raw slides to class probabilities."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import wsistore
from distill.cli.options import FOLDER, Grouped, refuse_without_effect
from distill.cli.predict_options import FILE, answer_options, other_options, slide_options
from distill.cli.predict_settings import PredictSettings, about, settings_of
from distill.errors import UsageError
from distill.files import encode, publish
from distill.output_folder import lock_output, own_name, staged_folder
from distill.predict import VENDOR
from wsistore import terminal

if TYPE_CHECKING:
    from rich.console import Console

    from distill.predict import SlideLogits, SlidePredictions

WIDTH = 110
"""Characters of the table in a file or a pipe, where no terminal says how many there are."""
PICTURE = 1200
"""Longer side of a slide on its overlay, in pixels."""


@click.command(cls=Grouped)
@click.argument("run", type=FOLDER)
@click.argument("slides", nargs=-1, required=True, type=FILE, metavar="SLIDE...")
@slide_options
@answer_options
@other_options
@click.pass_context
def predict(
    ctx: click.Context,
    /,
    run: Path,
    slides: tuple[Path, ...],
    rule: str,
    labels: Path | None,
    out: Path | None,
    overwrite: bool,
    as_json: bool,
    workers: int,
    timeout: float,
    **given: Any,
) -> None:
    """Say what RUN's network makes of SLIDEs (files or folders), crop by crop and as a whole.

    Crops are found and made as in the store that RUN was trained on, at its level alone, so that
    the answers are those of building a store and evaluating on it. A slide's probability is made
    of its crops' as --aggregate says. Research use only: not for diagnosis.

    Probabilities are calibrated if an evaluation of RUN has fitted a temperature (distill evaluate
    RUN STORE --calibrate val); what is printed always says whether they are.

    With --defer-to TEACHER --defer-below P another run answers, at its own level, the crops whose
    predicted class has a probability below P; that level is made for those crops alone. Each answer
    says whose it is. distill defer shows what a P is worth.

    One bad slide does not stop the others: it is named, and the exit code is 1.

    \b
    Examples:
      distill predict runs/student slide.svs
      distill predict runs/student slides/ --out predictions
      distill predict runs/student old.tif --mpp 0.25 --json
      distill predict runs/student slide.svs --from-level vendor --compare
      distill predict runs/student slides/ --defer-to runs/teacher --defer-below 0.8
      distill predict runs/old slide.svs --store STORE --temperature 1
    """
    if labels is not None and rule != "column":
        raise UsageError("--labels needs --id column")
    if given["compare"] and given["pixels"] != VENDOR:
        raise UsageError("--compare needs --from-level vendor")
    if (given["defer_to"] is None) != (given["defer_below"] is None):
        raise UsageError("--defer-to and --defer-below need each other; give both, or neither")
    if given["defer_to"] is None:
        why = "without --defer-to"
        refuse_without_effect({"teacher_temperature": why, "teacher_calibration": why})
    from distill.predict import as_report, crops_csv, crops_table, slides_csv, slides_table
    from distill.predict import folder as output

    if out is not None:
        lock_output(out)
        output.check_out(out, overwrite)
    asked = settings_of(run, workers, PICTURE if out is not None else 0, given)
    table = wsistore.read_labels(labels) if labels is not None else None
    files = wsistore.find_slides(slides, rule, table)
    stderr = terminal.console(stderr=True)
    for note in asked.notes:
        stderr.print(note)
    with ExitStack() as opened:
        folder = opened.enter_context(staged_folder(out)) if out is not None else None
        if folder is not None:
            (folder / output.OVERLAYS).mkdir()
        found = _carry_out(files, asked, workers, timeout, folder, stderr)
        report = as_report(found, about(asked), asked.calibrated)
        if folder is not None:
            asked.require_unchanged()
            publish(folder / output.CROPS, crops_csv(found))
            publish(folder / output.SLIDES, slides_csv(found))
            publish(folder / output.REPORT, encode(report))
    if as_json:
        terminal.echo_json(report)
    else:
        stdout = terminal.console(wrap=True)
        printer = stdout if stdout.is_terminal else terminal.console(width=WIDTH, wrap=True)
        if out is None and len(found.crops.table):
            printer.print(crops_table(found))
        printer.print(slides_table(found, asked.calibrated, asked.aggregate))
    ctx.exit(1 if any(one.outcome == "failed" for one in found.slides) else 0)


def _carry_out(
    files: list[wsistore.SlideFile],
    asked: PredictSettings,
    workers: int,
    timeout: float,
    folder: Path | None,
    stderr: Console,
) -> SlidePredictions:
    """Predict the slides, in the order in which they were named, and draw them."""
    from distill.predict import failed_slide, predict_slide

    done: dict[wsistore.SlideFile, SlideLogits] = {}
    work = partial(predict_slide, job=asked.job)
    results = wsistore.in_workers(work, files, workers, timeout=timeout)
    for file, result in _watched(results, len(files), stderr):
        one = failed_slide(file, result.reason) if isinstance(result, wsistore.Death) else result
        if one.outcome != "ok":
            stderr.print(f"{one.file}: {one.outcome}: {one.reason}")
        for warning in one.warnings:
            stderr.print(f"{one.file}: warning: {warning}")
        if folder is not None and one.picture is not None:
            _draw(one, asked.predictions([one]), folder, asked)
        done[file] = replace(one, picture=None)
    return asked.predictions([done[file] for file in files])


def _draw(one: SlideLogits, found: SlidePredictions, folder: Path, asked: PredictSettings) -> None:
    from distill.predict import draw_overlay
    from distill.predict import folder as output

    assert one.picture is not None
    level, weights = one.facts["level"], asked.run.weights
    deferral = asked.deferral
    second = f", then {deferral.names[1]} at {deferral.teacher.weights.level}" if deferral else ""
    note = (
        f"{own_name(asked.run.path)} ({weights.network}) at {weights.level}, "
        f"{level['mpp']:.4g} µm/px{second} · {asked.calibrated.said.partition(';')[0]} · "
        "research use only"
    )
    drawn = draw_overlay(one, one.picture, found.classes, found.of(one.slide), note)
    drawn.save(folder / output.OVERLAYS / f"{one.slide}.png", format="PNG")


def _watched(
    results: Iterable[tuple[wsistore.SlideFile, SlideLogits | wsistore.Death]],
    total: int,
    console: Console,
) -> Iterable[tuple[wsistore.SlideFile, SlideLogits | wsistore.Death]]:
    return terminal.track(results, "slides", console, total)
