"""One slide, from its file to the logits of its crops. Runs in a worker process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.modules.module import register_module_forward_hook

import wsistore
from distill.data import ColorStatistics
from distill.errors import DistillError, RunError
from distill.evaluation import crop_logits
from distill.networks import CropRunner, inference_runner, resolve_device, smallest_input
from distill.output_folder import own_name
from distill.predict.choices import BASE, VENDOR
from distill.predict.pixels import PixelReader, large_enough
from distill.runs import Run, sha256
from distill.types import Floats
from wsistore import terminal, texts

NOTABLE = 0.05
"""Share by which the µm per pixel may differ from the run's before it is said."""


@dataclass(frozen=True)
class SlideJob:
    """What is the same for every slide; see `distill predict --help` for each.

    Attributes:
        run: the run's folder.
        weights: SHA-256 of its weights.
        settings: how slides become crops.
        colors: of the training slides, or None.
        seen: fingerprint of each slide that the run has seen → how; see
            `distill.predict.known_slides`.
        pixels: `BASE`, or `VENDOR` for the pyramid of the slide's file.
        compare: with `VENDOR`, see each crop from the base as well.
        mpp_tolerance: share by which the µm per pixel may differ from the run's.
        picture: longer side of the picture of the slide, in pixels; 0 for none.
        threads: of torch, or None to leave them.
        memory_gib: for one pass, or None for what is free.
        batch_pixels: of small crops that pass together, or None for what is quick on the device.
    """

    run: Path
    weights: str
    settings: Mapping[str, Any]
    colors: ColorStatistics | None = None
    seen: Mapping[str, str] = field(default_factory=dict)
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


@dataclass(frozen=True)
class CropLogits:
    """A crop's place, and what the network says of it.

    Attributes:
        crop: its id.
        box: x, y, width, height in level-0 pixels.
        area_mm2: of the box.
        tissue_mm2: tissue in it, or None where it was not looked for.
        size: height and width of what the network saw, in pixels of its level.
        logits: (K,) float64.
        base: (K,) float64 from the slide's base, where `logits` are from a vendor level.
    """

    crop: str
    box: tuple[int, int, int, int]
    area_mm2: float
    tissue_mm2: float | None
    size: tuple[int, int]
    logits: Floats
    base: Floats | None = None


@dataclass(frozen=True)
class SlideLogits:
    """What became of a slide.

    Attributes:
        slide, file: its id, and its file's name.
        outcome: ``ok``, ``empty`` (nothing to predict) or ``failed``, with its `reason`.
        facts: what is known of it: size, mpp, reader, fingerprint, …
        warnings: sentences.
        crops: in reading order.
        left_out: id of each crop that the network cannot take, and why.
        distance: of its colours from the training slides', or None.
        picture: (h, w, 3) uint8, or None.
    """

    slide: str
    file: str
    outcome: str
    reason: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    crops: tuple[CropLogits, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)
    distance: float | None = None
    picture: NDArray[np.uint8] | None = None


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
    folders = [slide.path.parent, job.run.parent, *filter(None, (job.annotations,))]
    return wsistore.shortened(texts.visible(texts.without_folders(said, *folders)))


def failed_slide(slide: wsistore.SlideFile, reason: str) -> SlideLogits:
    """Return the result of a slide that cannot be used."""
    return SlideLogits(slide.slide, slide.file, "failed", reason)


def _predict(given: wsistore.SlideFile, job: SlideJob) -> SlideLogits:
    run, network, look = _loaded(job.run, job.weights, job.device, job.memory_gib, job.batch_pixels)
    about = run.weights
    with wsistore.open_slide(
        given.path, job.settings, about.level, mpp=job.mpp, reader=job.reader,
        annotations=job.annotations, annotation_offset=job.annotation_offset, slide=given.slide,
    ) as slide:  # fmt: skip
        level = slide.level(about.level)
        warnings = []
        if how := job.seen.get(slide.row.fingerprint):
            warnings.append(f"{how}, so its answer says nothing about new ones")
        warnings += _scale(level.mpp / about.mpp - 1, level.mpp, run, job.mpp_tolerance)
        left_out, taken = large_enough(slide, about.level, smallest_input(about.spec))
        read = PixelReader(slide, about.level, taken)
        pixels = read.vendor() if job.pixels == VENDOR else read.base()
        own_stains: list[str] = []
        logits = list(crop_logits(network, run, read.noted(pixels), look, own_stains))
        base: list[Floats | None] = [None] * len(taken)
        if job.pixels == VENDOR and job.compare:
            base = list(crop_logits(network, run, read.base(), look))
        crops = [
            CropLogits(
                crop.crop,
                (crop.x, crop.y, crop.width, crop.height),
                crop.width * crop.height * crop.mpp**2 / 1e6,
                crop.tissue_mm2,
                size,
                answer,
                exact,
            )
            for crop, size, answer, exact in zip(
                (slide.crops[number] for number in taken), read.sizes, logits, base, strict=True
            )
        ]
        picture = slide.picture(job.picture) if job.picture else None
        # vendor levels that turned out to be damaged are known only now
        row = slide.row
        vendors = read.vendors
        if job.pixels == VENDOR and not vendors:
            vendors.add(slide.vendor_factor(about.level))
        warnings += [_vendor(vendor, level.factor) for vendor in sorted(vendors, reverse=True)]
        warnings += _in_own_stains(own_stains)
        if row.warning:
            warnings.insert(0, row.warning)
        result = SlideLogits(
            row.slide, row.file, row.outcome, row.reason,
            _facts(slide, about.level, max(vendors, default=None)),
            tuple(warnings), tuple(crops), left_out,
            picture=picture,
        )  # fmt: skip
    return _judged(result, read.colors, job.colors)


def _judged(
    result: SlideLogits, colors: list[Floats], known: ColorStatistics | None
) -> SlideLogits:
    """Say what is unusual about a slide's crops and colours."""
    warnings = list(result.warnings)
    if left_out := result.left_out:
        crop, why = next(iter(left_out.items()))
        warnings.append(f"crops too small: {len(left_out)}, for example {crop}, which {why}")
    if not colors:
        if result.outcome == "ok":
            reason = "none of its crops is large enough for the network"
            result = replace(result, outcome="empty", reason=reason)
        return replace(result, warnings=tuple(warnings))
    distance = None
    if known is not None:
        distance = known.distance(np.mean(colors, axis=0))
        if distance > known.threshold:
            warnings.append(
                f"its colours lie {distance:.1f} standard deviations from the {known.slides} "
                f"training slides', which lie within {known.threshold:.1f} of each other: another "
                "stain or scanner?"
            )
    return replace(result, warnings=tuple(warnings), distance=distance)


def _scale(off: float, mpp: float, run: Run, tolerance: float) -> list[str]:
    """Say how far the µm per pixel is off; refuse it beyond the tolerance.

    Raises:
        DistillError: it is.
    """
    said = (
        f"at {run.weights.level} its pixels are {mpp:.4g} µm, {off:+.1%} from the "
        f"{run.weights.mpp:.4g} µm that {own_name(run.path)} was trained at"
    )
    if abs(off) > tolerance:
        raise DistillError(
            f"{said}; give its true µm per pixel with --mpp, or go on with --mpp-tolerance "
            f"{abs(off) + 0.01:.2f}"
        )
    return [said] if abs(off) > NOTABLE else []


def _in_own_stains(crops: list[str]) -> list[str]:
    if not crops:
        return []
    why = "crops in their own stains, for there is too little to normalize"
    return [f"{why}: {len(crops)}, for example {crops[0]}"]


def _vendor(scale: float, factor: float) -> str:
    if scale == 1:
        return "its file has no smaller level that is fine enough: made from its base, as trained"
    return (
        f"made from the {scale:.4g}× level of its file, not from its base (factor {factor:g}) as "
        "in training; --compare measures what that changes"
    )


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


@lru_cache(maxsize=1)
def _loaded(
    run: Path, weights: str, device: str, gib: float | None, batch_pixels: int | None
) -> tuple[Run, torch.nn.Module, CropRunner]:
    opened, where = Run.open(run), resolve_device(device)
    network = opened.load_network(where)
    if sha256(run / "weights.safetensors") != weights:
        raise RunError(f"the weights of {run} have changed meanwhile; predict again")
    return opened, network, inference_runner(where, gib, batch_pixels)
