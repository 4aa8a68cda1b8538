"""What `distill predict` was asked for, checked before a slide is opened."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distill.errors import UsageError
from distill.output_folder import own_name
from distill.predict import VENDOR

if TYPE_CHECKING:
    from distill.deferral import SlideDeferral
    from distill.predict import (
        Calibration,
        SlideJob,
        SlideLogits,
        SlidePredictions,
        TrainingDomain,
    )
    from distill.runs import Run


@dataclass(frozen=True)
class PredictSettings:
    """What was asked for, resolved."""

    run: Run
    job: SlideJob
    known: TrainingDomain
    calibrated: Calibration
    aggregate: str
    unseen: str = ""
    deferral: SlideDeferral | None = None

    def predictions(self, slides: Sequence[SlideLogits]) -> SlidePredictions:
        """Return what the logits of slides say."""
        from distill.predict import predictions

        if self.deferral is not None:
            return self.deferral.predictions(slides, self.aggregate)
        classes = self.run.weights.classes
        return predictions(slides, classes, self.calibrated.temperature, self.aggregate)

    def require_unchanged(self) -> None:
        """Refuse to publish what weights say that are there no more."""
        self.run.require_unchanged()
        if self.deferral is not None:
            self.deferral.teacher.require_unchanged()

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
        return said + (self.deferral.notes if self.deferral else [])


def settings_of(path: Path, workers: int, picture: int, given: dict[str, Any]) -> PredictSettings:
    """Check all that can be checked before a slide is opened."""
    import torch

    from distill.evaluation import Aggregate
    from distill.networks import available_gib, resolve_device
    from distill.predict import RunJob, SlideJob, domain_of, run_calibration, seen_slides
    from distill.runs import open_run

    device = str(resolve_device(given["device"]))
    run = open_run(path)
    if said := Aggregate.parse(given["aggregate"]).wrong_for(run.weights.classes):
        raise UsageError(f"--aggregate {said} of {run.path}")
    run.load_networks()  # or each slide would fail for what is wrong with the run
    weights, views = run.weights_sha256(), given["views"] or run.views
    known = domain_of(run, given["store"])
    calibrated = run_calibration(
        run, weights, given["temperature"], given["calibration"], views=views
    )
    deferral = _deferral(run, known, calibrated, given)
    settings = dict(deferral.settings if deferral else known.settings)
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
    seen, unseen = seen_slides(run, calibrated.file)
    job = SlideJob(
        by=RunJob(path, weights, known.all_colors, seen, views),
        settings=settings,
        second=deferral.job if deferral else None,
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
    return PredictSettings(run, job, known, calibrated, given["aggregate"], unseen, deferral)


def _deferral(
    run: Run, known: TrainingDomain, calibrated: Calibration, given: dict[str, Any]
) -> SlideDeferral | None:
    if given["defer_to"] is None:
        return None
    from distill.deferral import slide_deferral

    return slide_deferral(
        run,
        given["defer_to"],
        given["defer_below"],
        known.settings,
        calibrated,
        given["store"],
        given["teacher_temperature"],
        given["teacher_calibration"],
    )


def about(asked: PredictSettings) -> dict[str, Any]:
    """Return what predictions.json says of the runs and of what was asked for."""
    from distill.evaluation import about_answers
    from distill.predict import colors_json

    run, job, deferral = asked.run, asked.job, asked.deferral
    return {
        "run": own_name(run.path),
        "weights_sha256": job.by.weights,
        "network": run.weights.network,
        "epoch": run.epoch,
        **about_answers(run, job.by.views),
        "level": run.weights.level,
        "mpp": run.weights.mpp,
        "mpp_tolerance": job.mpp_tolerance,
        "pixels": job.pixels,
        "aggregate": asked.aggregate,
        "settings": dict(job.settings),
        "colours": colors_json(asked.known.all_colors),
        "notes": asked.notes,
        **({"deferral": deferral.about()} if deferral else {}),
    }
