"""`distill predict`: raw slides to class probabilities."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import wsistore
from distill.cli.options import FOLDER, Grouped
from distill.cli.predict_options import FILE, answer_options, other_options, slide_options
from distill.errors import UsageError
from distill.files import encode, publish
from distill.output_folder import lock_output, own_name, staged_folder
from distill.predict import VENDOR
from wsistore import terminal

if TYPE_CHECKING:
    from rich.console import Console

    from distill.predict import (
        Calibration,
        SlideJob,
        SlideLogits,
        SlidePredictions,
        TrainingDomain,
    )
    from distill.runs import Run

WIDTH = 110
"""Characters of the table in a file or a pipe, where no terminal says how many there are."""
PICTURE = 1200
"""Longer side of a slide on its overlay, in pixels."""


@dataclass(frozen=True)
class PredictSettings:
    """What was asked for, resolved."""

    run: Run
    job: SlideJob
    known: TrainingDomain
    calibrated: Calibration
    aggregate: str
    unseen: str = ""

    @property
    def notes(self) -> list[str]:
        """What is unusual for all slides alike."""
        said = []
        if why := self.known.unknown:
            said.append(f"nobody can tell whether colours are like those of training: {why}")
        if self.unseen:
            said.append(f"nobody can tell whether it has seen these slides: {self.unseen}")
        if told := self.run.class_map:
            said.append(
                f"not all labels of its store are classes of the run: {told.text}; a crop of a "
                "class that was left out is called one of the others"
            )
        was, now = self.known.settings["regions"], self.job.settings["regions"]
        if was != now:
            said.append(f"crops are of regions {now}, and the run was trained on regions {was}")
        return said


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

    One bad slide does not stop the others: it is named, and the exit code is 1.

    \b
    Examples:
      distill predict runs/student slide.svs
      distill predict runs/student slides/ --out predictions
      distill predict runs/student old.tif --mpp 0.25 --json
      distill predict runs/student slide.svs --from-level vendor --compare
      distill predict runs/old slide.svs --store STORE --temperature 1
    """
    if labels is not None and rule != "column":
        raise UsageError("--labels needs --id column")
    if given["compare"] and given["pixels"] != VENDOR:
        raise UsageError("--compare needs --from-level vendor")
    from distill.predict import as_report, crops_csv, crops_table, slides_csv, slides_table
    from distill.predict import folder as output

    if out is not None:
        lock_output(out)
        output.check_out(out, overwrite)
    asked = _asked(run, workers, PICTURE if out is not None else 0, given)
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
        report = as_report(found, _about(asked), asked.calibrated)
        if folder is not None:
            asked.run.require_unchanged()
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


def _asked(path: Path, workers: int, picture: int, given: dict[str, Any]) -> PredictSettings:
    """Check all that can be checked before a slide is opened."""
    import torch

    from distill.evaluation import Aggregate
    from distill.networks import available_gib, resolve_device
    from distill.predict import SlideJob, domain_of, run_calibration, seen_slides
    from distill.runs import Run, sha256

    device = str(resolve_device(given["device"]))
    run = Run.open(path)
    if said := Aggregate.parse(given["aggregate"]).wrong_for(run.weights.classes):
        raise UsageError(f"--aggregate {said} of {run.path}")
    run.load_network()  # or each slide would fail for what is wrong with the run
    weights = sha256(path / "weights.safetensors")
    known = domain_of(run, given["store"])
    settings = dict(known.settings)
    if given["regions"] is not None:
        settings["regions"] = given["regions"]
    drawn = settings["regions"] == "annotations"
    for name in ("annotations", "annotation_offset"):
        if given[name] is not None and not drawn:
            raise UsageError(f"--{name.replace('_', '-')} needs --regions annotations")
    glass = settings.get("annotations", {}).get("outside") == "glass"
    if drawn and glass and given["pixels"] == VENDOR:
        raise UsageError("--from-level vendor cannot give annotations' outsides the glass's colour")
    threads = given["threads"]
    if threads is None and workers > 1:
        threads = max((os.cpu_count() or 1) // workers, 1)
    elif threads is not None:
        torch.set_num_threads(threads)
    memory = given["memory"] or round(available_gib(torch.device(device)) / workers, 2)
    calibrated = run_calibration(run, weights, given["temperature"], given["calibration"])
    seen, unseen = seen_slides(run, calibrated.file)
    job = SlideJob(
        run=path,
        weights=weights,
        settings=settings,
        colors=known.colors,
        seen=seen,
        mpp=given["mpp"],
        reader=given["reader"],
        annotations=given["annotations"],
        annotation_offset=given["annotation_offset"] or (0, 0),
        pixels=given["pixels"],
        compare=given["compare"],
        mpp_tolerance=given["mpp_tolerance"],
        picture=picture,
        device=device,
        threads=threads,
        memory_gib=memory,
        batch_pixels=given["batch_pixels"],
    )
    return PredictSettings(run, job, known, calibrated, given["aggregate"], unseen)


def _carry_out(
    files: list[wsistore.SlideFile],
    asked: PredictSettings,
    workers: int,
    timeout: float,
    folder: Path | None,
    stderr: Console,
) -> SlidePredictions:
    """Predict the slides, in the order in which they were named, and draw them."""
    from distill.predict import failed_slide, predict_slide, predictions

    classes, calibrated = asked.run.weights.classes, asked.calibrated
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
            _draw(one, predictions([one], classes, calibrated.temperature, asked.aggregate),
                  folder, asked)  # fmt: skip
        done[file] = replace(one, picture=None)
    slides = [done[file] for file in files]
    return predictions(slides, classes, calibrated.temperature, asked.aggregate)


def _draw(one: SlideLogits, found: SlidePredictions, folder: Path, asked: PredictSettings) -> None:
    from distill.predict import draw_overlay
    from distill.predict import folder as output

    assert one.picture is not None
    level, about = one.facts["level"], asked.run.weights
    note = (
        f"{own_name(asked.run.path)} ({about.network}) at {about.level}, "
        f"{level['mpp']:.4g} µm/px · {asked.calibrated.said.partition(';')[0]} · research use only"
    )
    drawn = draw_overlay(one, one.picture, found.classes, found.of(one.slide), note)
    drawn.save(folder / output.OVERLAYS / f"{one.slide}.png", format="PNG")


def _watched(
    results: Iterable[tuple[wsistore.SlideFile, SlideLogits | wsistore.Death]],
    total: int,
    console: Console,
) -> Iterable[tuple[wsistore.SlideFile, SlideLogits | wsistore.Death]]:
    return terminal.track(results, "slides", console, total)


def _about(asked: PredictSettings) -> dict[str, Any]:
    run, job, colors = asked.run, asked.job, asked.known.colors
    return {
        "run": own_name(run.path),
        "weights_sha256": job.weights,
        "network": run.weights.network,
        "epoch": run.weights.epoch,
        "level": run.weights.level,
        "mpp": run.weights.mpp,
        "mpp_tolerance": job.mpp_tolerance,
        "pixels": job.pixels,
        "aggregate": asked.aggregate,
        "settings": dict(job.settings),
        "colours": {
            "slides": colors.slides if colors else None,
            "threshold": colors.threshold if colors else None,
        },
        "notes": asked.notes,
    }
