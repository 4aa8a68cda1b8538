"""One slide, from its file to the logits of its crops. Runs in a worker process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch.nn.modules.module import register_module_forward_hook

import wsistore
from distill.errors import DistillError
from distill.predict.choices import BASE, VENDOR
from distill.predict.reading import Loaded, Reading, RunJob, loaded
from distill.predict.second_run import SecondJob, SecondLook
from distill.predict.slide_logits import CropLogits, SlideLogits, failed_slide
from wsistore import terminal, texts


@dataclass(frozen=True)
class SlideJob:
    """What is the same for every slide; see `distill predict --help` for each.

    Attributes:
        by: the run.
        settings: how slides become crops.
        second: who reads some of the crops again, or None.
        pixels: `BASE`, or `VENDOR` for the pyramid of the slide's file.
        compare: with `VENDOR`, see each crop from the base as well.
        mpp_tolerance: share by which the µm per pixel may differ from the run's.
        picture: longer side of the picture of the slide, in pixels; 0 for none.
        threads: of torch, or None to leave them.
        memory_gib: for one pass, or None for what is free.
        batch_pixels: of small crops that pass together, or None for what is quick on the device.
    """

    by: RunJob
    settings: Mapping[str, Any]
    second: SecondJob | None = None
    mpp: float | None = None
    reader: str = "auto"
    annotations: Path | None = None
    annotation_offset: tuple[int, int] = (0, 0)
    pixels: str = BASE
    compare: bool = False
    mpp_tolerance: float = 0.1
    picture: int = 0
    device: str = "cpu"
    threads: int | None = None
    memory_gib: float | None = None
    batch_pixels: int | None = None


def predict_slide(slide: wsistore.SlideFile, job: SlideJob) -> SlideLogits:
    """Predict one slide; one that cannot be used gives a failed result and stops no other."""
    if job.threads is not None:
        torch.set_num_threads(job.threads)
    # each layer that has been passed through is a sign that a large crop gets on
    hook = register_module_forward_hook(lambda *_: wsistore.report_progress())
    try:
        return _predict(slide, job)
    except (DistillError, wsistore.WsistoreError, OSError) as error:
        return failed_slide(slide, _told(str(error), slide, job))
    # whatever a decoder or an allocation does with one slide, the others go on
    except Exception as error:
        terminal.print_traceback()
        return failed_slide(slide, _told(f"unexpected {type(error).__name__}: {error}", slide, job))
    finally:
        hook.remove()


def _told(said: str, slide: wsistore.SlideFile, job: SlideJob) -> str:
    """Return what an error says without the folders that the user gave, on one line."""
    runs = [job.by, *([job.second.by] if job.second else [])]
    folders = [slide.path.parent, *(one.run.parent for one in runs)]
    folders += filter(None, (job.annotations,))
    return wsistore.shortened(texts.visible(texts.without_folders(said, *folders)))


def _predict(given: wsistore.SlideFile, job: SlideJob) -> SlideLogits:
    first, second = _networks(job)
    level = first.run.weights.level
    also = (second.run.weights.level,) if second else ()
    with wsistore.open_slide(
        given.path, job.settings, level, also=also, mpp=job.mpp, reader=job.reader,
        annotations=job.annotations, annotation_offset=job.annotation_offset, slide=given.slide,
    ) as slide:  # fmt: skip
        reading = Reading(slide, first, job.pixels)
        again = Reading(slide, second, job.pixels) if second else None
        warnings = _known(job, slide.row.fingerprint)
        for one in filter(None, (reading, again)):
            warnings += one.scale_warnings(job.mpp_tolerance)
        logits = reading.logits()
        compared = job.pixels == VENDOR and job.compare
        base = reading.base() if compared else {}
        asked = SecondLook(job.second.rule, again, logits, base) if job.second and again else None
        crops = [
            CropLogits(
                crop.crop,
                (crop.x, crop.y, crop.width, crop.height),
                crop.width * crop.height * crop.mpp**2 / 1e6,
                crop.tissue_mm2,
                reading.sizes[number],
                logits[number],
                base.get(number),
                *(asked.about(number) if asked else ()),
            )
            for number, crop in enumerate(slide.crops)
            if number in logits
        ]
        picture = slide.picture(job.picture) if job.picture else None
        reading.note_vendor()
        # vendor levels that turned out to be damaged are known only now
        row = slide.row
        warnings += reading.warnings()
        if row.warning:
            warnings.insert(0, row.warning)
        vendor = max(reading.vendors, default=None)
        distance, unusual = reading.color_distance(job.by.colors)
        said = None
        if asked and job.second:
            said, more = asked.result(job.second.by, reading.gmac)
            unusual += [f"{job.second.name}: {text}" for text in more]
        result = SlideLogits(
            row.slide, row.file, row.outcome, row.reason, _facts(slide, level, vendor),
            tuple(warnings), tuple(crops), reading.left_out, distance, picture, said,
        )  # fmt: skip
    return _judged(result, unusual)


def _networks(job: SlideJob) -> tuple[Loaded, Loaded | None]:
    machine = job.device, job.memory_gib, job.batch_pixels
    first, *second = (
        loaded(by.run, by.weights, by.views, *machine)
        for by in (job.by, *((job.second.by,) if job.second else ()))
    )
    return first, second[0] if second else None


def _known(job: SlideJob, fingerprint: str) -> list[str]:
    """Say how a slide was seen, each way once: the second run may be the first one's teacher."""
    runs = [job.by, *([job.second.by] if job.second else [])]
    hows = dict.fromkeys(how for one in runs if (how := one.seen.get(fingerprint)))
    return [f"{how}, so its answer says nothing about new ones" for how in hows]


def _judged(result: SlideLogits, unusual: list[str]) -> SlideLogits:
    """Say what is unusual about a slide's crops and colours."""
    warnings = list(result.warnings)
    if left_out := result.left_out:
        crop, why = next(iter(left_out.items()))
        warnings.append(f"crops too small: {len(left_out)}, for example {crop}, which {why}")
    if not result.crops and result.outcome == "ok":
        reason = "none of its crops is large enough for the network"
        result = replace(result, outcome="empty", reason=reason)
    return replace(result, warnings=(*warnings, *unusual))


def _facts(slide: wsistore.Slide, name: str, vendor: float | None) -> dict[str, Any]:
    row, level = slide.row, slide.level(name)
    return {
        "width": row.width,
        "height": row.height,
        "mpp": row.mpp,
        "mpp_source": row.mpp_source,
        "objective_power": row.objective_power,
        "reader": row.reader,
        "format": row.vendor,
        "bytes": row.bytes,
        "fingerprint": row.fingerprint,
        "glass": row.glass,
        "level": {"name": level.name, "factor": level.factor, "mpp": level.mpp},
        "vendor_factor": vendor,
    }
