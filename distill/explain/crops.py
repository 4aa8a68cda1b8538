"""Explaining the crops of a plan, slide by slide, into a folder that appears when it is whole."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import groupby
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

import wsistore
from distill.errors import DistillError
from distill.explain import similarity
from distill.explain.activation import ActivationMap, ActivationMapper
from distill.explain.choices import LABEL, PREDICTED
from distill.explain.grid import smooth
from distill.explain.picture import Panel, draw
from distill.explain.plan import FORMAT, REPORT, Case, ExplainPlan
from distill.files import encode, publish
from distill.networks import inference_runner, resolve_device
from distill.output_folder import own_name, staged_folder
from distill.runs import crops_sha256, location
from wsistore import texts

Watch = Callable[[Iterable[Case], int], Iterable[Case]]
"""Passes crops on, of which it is told the number, to show progress."""
Seen = tuple[Case, dict[str, ActivationMap]]
"""A crop, and by run what it saw."""

UNITS = {
    "map": "logits; Grad-CAM++ of the class, without the factor exp(logit)",
    "scale": "logits; lowest and highest value of the colours in all pictures of the slide",
    "picture": "shows maps bilinear between the centres of cells",
    "cell_um": "µm, down and across",
    "probabilities": "fractions of 1",
    "similarity": similarity.ABOUT,
}


def explain_crops(plan: ExplainPlan, watch: Watch) -> dict[str, Any]:
    """Explain every crop, publish --out, and return what explain.json says.

    A crop that cannot be explained is named under `failed`, and the others are done.

    Raises:
        DistillError: if the device is missing, or no crop at all can be explained.
        RunError: if weights cannot be loaded.
    """
    device = resolve_device(plan.request.device)
    look = inference_runner(device, plan.request.memory_gib, plan.request.batch_pixels)
    eyes = {name: ActivationMapper(run, device, look) for name, run in plan.runs.items()}
    crops: list[dict[str, Any]] = []
    scales: dict[str, list[float]] = {}
    failed: dict[str, str] = {}
    with staged_folder(plan.request.out) as folder:
        watched = watch(plan.cases, len(plan.cases))
        for slide, cases in groupby(watched, key=lambda case: case.slide):
            seen = _seen(plan, eyes, slide, cases, failed)
            # one scale for a slide: its maps are not known before all of them are made
            top = max((sight.map.max() for _, one in seen for sight in one.values()), default=0.0)
            for case, sights in seen:
                try:
                    crops.append(_written(plan, case, sights, float(top), folder))
                except wsistore.WsistoreError as error:
                    failed[case.crop] = _told(plan, error)
                else:
                    scales[slide] = [0.0, float(top)]
        if not crops:
            crop, reason = next(iter(failed.items()))
            raise DistillError(f"no crop could be explained; for example {crop}: {reason}")
        report = _report(plan, crops, scales, failed)
        for run in plan.runs.values():
            run.require_unchanged()
        publish(folder / REPORT, encode(report))
    return report


def _told(plan: ExplainPlan, error: Exception) -> str:
    """Return what an error says without the folders of the runs and the store."""
    folders: list[str | Path] = [plan.store.url, *(run.path.parent for run in plan.runs.values())]
    return texts.visible(texts.without_folders(str(error), *folders))


def _seen(
    plan: ExplainPlan,
    eyes: Mapping[str, ActivationMapper],
    slide: str,
    cases: Iterable[Case],
    failed: dict[str, str],
) -> list[Seen]:
    """Look at the crops of a slide; the first run decides which class is explained."""
    wanted = plan.request.target
    there: dict[str, Case] = {}

    def targets() -> Iterator[tuple[str, str | None]]:
        for case in cases:
            there[case.crop] = case
            yield case.crop, {PREDICTED: None, LABEL: case.label}.get(wanted, wanted)

    chosen: Iterable[tuple[str, str | None]] = targets()
    sights: dict[str, dict[str, ActivationMap]] = {}
    for name, eye in eyes.items():
        for crop, one in eye.see(plan.store, slide, chosen):
            if isinstance(one, Exception):
                failed[crop] = _told(plan, one)
            else:
                sights.setdefault(crop, {})[name] = one
        first = {crop: next(iter(found.values())) for crop, found in sights.items()}
        chosen = [(crop, first[crop].target) for crop in there if crop not in failed]
    return [(case, sights[crop]) for crop, case in there.items() if crop not in failed]


def _written(
    plan: ExplainPlan, case: Case, sights: Mapping[str, ActivationMap], top: float, folder: Path
) -> dict[str, Any]:
    """Write the picture and the layers of a crop, and return its entry of the report."""
    entry: dict[str, Any] = {
        "crop": case.crop,
        "slide": case.slide,
        "label": case.label,
        "class": next(iter(sights.values())).target,
        "picture": f"pictures/{case.crop}.png",
        "runs": {},
    }
    if len(sights) == 2:
        first, second = sights.values()
        entry["similarity"] = similarity.similarity(
            first.map, first.cells, second.map, second.cells
        )
    _picture(plan, case, sights, top, folder / entry["picture"], entry.get("similarity"))
    for name, sight in sights.items():
        layer = f"maps/{name}/{case.crop}"
        wsistore.write_layer(
            folder / layer,
            sight.map.astype(np.float32)[None],
            sight.cells,
            name=f"{case.crop} {name}",
            channels=[f"Grad-CAM++ {sight.target}"],
            window=(0.0, top or 1.0),
        )
        entry["runs"][name] = {
            "predicted": sight.predicted,
            "probabilities": sight.probabilities,
            "map": layer,
            "cells": list(sight.map.shape),
            "cell_um": [sight.cells.y.step, sight.cells.x.step],
            "highest": float(sight.map.max()),
            "mean": float(sight.map.mean()),
        }
    return entry


def _picture(
    plan: ExplainPlan,
    case: Case,
    sights: Mapping[str, ActivationMap],
    top: float,
    path: Path,
    compared: Mapping[str, Any] | None,
) -> None:
    finest = min(sights.values(), key=lambda sight: sight.pixels.x.step).pixels
    height_um, width_um = (axis.count * axis.step for axis in (finest.y, finest.x))
    mpp = max(height_um, width_um) / plan.request.size
    height, width = (max(round(um / mpp), 1) for um in (height_um, width_um))
    target = next(iter(sights.values())).target
    panels = [Panel(("crop", f"{width_um / 1000:.2f} × {height_um / 1000:.2f} mm"))]
    for name, sight in sights.items():
        rows, columns = sight.map.shape
        chance = f"predicts {sight.predicted}, p = {sight.probabilities[sight.predicted]:.2f}"
        if sight.predicted != target:
            chance += f"; {target}, p = {sight.probabilities[target]:.2f}"
        cells = f"{rows} × {columns} cells of {sight.cells.x.step:.0f} µm, highest "
        cells += f"{sight.map.max():.3g}"
        heat = smooth(sight.map, sight.cells, finest, (height, width))
        panels.append(Panel((f"{name}, {sight.level}", chance, cells), heat))
    label = "no label" if case.label is None else f"label: {case.label}"
    about = f"{label}   explained: {target}"
    if compared and compared["pearson"] is not None:
        about += f"   maps correlate by {compared['pearson']:.2f} over {compared['cells']} cells"
    sheet = draw(
        plan.store[case.crop].picture(width, height),
        width_um / width,
        (case.crop, about),
        panels,
        top,
        (
            f"Grad-CAM++ of {target}, in logits",
            f"bilinear; one scale for all crops of {case.slide}",
        ),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path, format="PNG")


def _report(
    plan: ExplainPlan,
    crops: list[dict[str, Any]],
    scales: Mapping[str, list[float]],
    failed: Mapping[str, str],
) -> dict[str, Any]:
    request = plan.request
    levels = [run.weights.level for run in plan.runs.values()]
    report: dict[str, Any] = {
        "format": FORMAT,
        "runs": {
            name: {
                "run": own_name(run.path),
                "weights_sha256": run.weights_sha256(),
                "network": run.weights.network,
                "epoch": run.weights.epoch,
                "level": run.weights.level,
                "classes": run.weights.classes,
            }
            for name, run in plan.runs.items()
        },
        "store": str(location(request.store)).rstrip("/").rpartition("/")[2],
        "crops_sha256": crops_sha256(plan.store, [entry["crop"] for entry in crops], levels),
        "split": None if request.crops else request.split,
        "subset": None if request.crops else request.subset,
        "limit": request.limit,
        "class": request.target,
        "units": UNITS,
        "scale": scales,
        "crops": crops,
        "left_out": dict(plan.left_out),
        "failed": dict(failed),
    }
    if len(plan.runs) == 2:
        report["similarity"] = _summary([entry["similarity"] for entry in crops])
    return report


def _summary(found: list[dict[str, Any]]) -> dict[str, Any]:
    """Return how many crops could be compared, and the median of each figure over them."""
    known = [one for one in found if one["pearson"] is not None]
    medians = {
        f"median_{name}": median(one[name] for one in known) if known else None
        for name in ("cells", "pearson", "spearman")
    }
    return {"compared": len(known), **medians}
