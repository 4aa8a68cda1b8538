"""Evaluation of a run on one subset of a split: predictions, scores with intervals, cost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch

import wsistore
from distill import cost, leakage, scoring
from distill.answers import Answers, guarded_csv
from distill.calibration import Temperature, fit_temperature, probabilities
from distill.config import resolve_device, sha256
from distill.errors import DistillError
from distill.evaluate_plan import Plan
from distill.fingerprint import slide_fingerprints
from distill.look import PLAIN, Look, for_answers
from distill.metrics import Floats, Indices
from distill.pairs import Crops, Sample, Samples
from distill.place import own_name
from distill.runs import Run
from distill.standardise import Standard
from distill.subsets import Subset, median_mpp, rows_of
from wsistore import texts

FORMAT = "distill-evaluation/2"
TABLES = ("crops.csv", "levels.csv")
"""Files whose SHA-256 stand for the store; levels.csv holds exact sums of every crop's pixels."""

Watch = Callable[[Iterable[Sample], int], Iterable[Sample]]
"""Passes samples on, of which it is told the number, to show progress."""


@dataclass(frozen=True)
class Evaluation:
    """What `carry_out` made: the run's answers, and what metrics.json holds."""

    plan: Plan
    answers: Answers
    report: dict[str, Any]


def unwatched(samples: Iterable[Sample], total: int) -> Iterable[Sample]:
    """Show nothing."""
    return samples


def carry_out(plan: Plan, watch: Watch = unwatched) -> Evaluation:
    """Predict, score, and write the tables of predictions and then metrics.json, by renames.

    Args:
        plan: from `prepare`.
        watch: shows progress.

    Raises:
        DistillError: if the device is missing or too small, a prediction is not finite, or no
            temperature fits.
        RunError: if the weights cannot be loaded.
    """
    request, classes = plan.request, plan.run.weights.classes
    device = resolve_device(request.device)
    network, look = plan.run.load_network(device), for_answers(device, request.memory_gib)
    temperature = _fit(network, plan, watch, look) if plan.calibration else None
    raw = logits(network, plan.run, plan.store, plan.subset.crops, request.workers, watch, look)
    answers = Answers(
        "crop",
        tuple(classes),
        plan.table,
        temperature(raw) if temperature else probabilities(raw),
        raw.argmax(1).astype(np.intp),
    )
    report = {
        **_about(plan, temperature),
        **scoring.score(
            answers, request.bootstrap, request.aggregate, paper=request.paper_accuracy
        ),
        "cost": {
            **cost.over_sizes(network, _sizes(plan)),
            "parameters": cost.parameters(network),
            "counter": cost.COUNTERS,
        },
    }
    plan.run.require_unchanged()
    folder = request.folder(plan.run)
    folder.mkdir(parents=True, exist_ok=True)
    wsistore.atomic.clear(folder)
    files = {}
    if plan.calibration is not None:
        files[leakage.CALIBRATION_CSV] = _calibration_csv(plan, plan.calibration)
    files["predictions.csv"] = answers.csv()
    for kind in ("slide", "patient"):
        files[f"{kind}s.csv"] = answers.by(kind, request.aggregate).csv()
    files["metrics.json"] = as_json(report)
    # they would not belong to the predictions
    wsistore.atomic.write_all(
        folder, files, ("metrics.json", "differences.json", leakage.CALIBRATION_CSV)
    )
    return Evaluation(plan, answers, report)


def as_json(report: Mapping[str, Any]) -> bytes:
    """Return a report as standard JSON: indented, UTF-8, without NaN."""
    return (texts.json_text(report) + "\n").encode()


def logits(
    network: torch.nn.Module,
    run: Run,
    store: wsistore.Store,
    crops: Sequence[str],
    workers: int = 0,
    watch: Watch = unwatched,
    look: Look = PLAIN,
) -> Floats:
    """Return the logits of each class for each crop, (N, K) float64; see `crop_logits`."""
    level = run.weights.level
    samples = Samples(Crops(store.path, crops, [level]), None, workers)
    found = [
        crop_logits(network, run, sample.crop, sample.images[level], look)
        for sample in watch(samples.epoch(0), len(samples))
    ]
    return np.stack(found)


@torch.inference_mode()
def crop_logits(
    network: torch.nn.Module, run: Run, crop: str, image: torch.Tensor, look: Look = PLAIN
) -> Floats:
    """Return the logits of each class for one crop, (K,) float64.

    It is seen whole, without augmentation, standardised as the run was trained.

    Args:
        network: of the run, in evaluation mode.
        run: the run.
        crop: the crop's id, for messages.
        image: (3, H, W) uint8, RGB, at the run's level.
        look: how it is run: in strips, where the memory is too small for the whole.

    Raises:
        DistillError: if the crop does not fit in the memory even so, or a logit is not finite.
    """
    about = run.weights
    device = next(network.parameters()).device
    try:
        (output,) = look(network, [image], [None], Standard(about.mean, about.std), device)
    except torch.OutOfMemoryError as error:
        raise DistillError(
            f"crop {crop} ({image.shape[1]} × {image.shape[2]} px at {about.level}) "
            "does not fit in the device's memory; lower --memory or use --device cpu"
        ) from error
    if not bool(output.logits.isfinite().all()):
        raise DistillError(f"{run.path} gives crop {crop} a logit not finite")
    logits: Floats = output.logits[0].double().cpu().numpy()
    return logits


def _fit(network: torch.nn.Module, plan: Plan, watch: Watch, look: Look) -> Temperature:
    assert plan.calibration is not None
    subset, classes = plan.calibration, plan.run.weights.classes
    raw = logits(network, plan.run, plan.store, subset.crops, plan.request.workers, watch, look)
    truth: Indices = np.array([classes.index(str(label)) for label in subset.labels], dtype=np.intp)
    try:
        return fit_temperature(raw, truth)
    except DistillError as error:
        raise DistillError(f"{plan.run.path}: {error}") from error


def _calibration_csv(plan: Plan, subset: Subset) -> bytes:
    """Return the crops that the temperature is fitted on, with the fingerprint of their slides."""
    rows = rows_of(plan.store, plan.request.split, subset.name).set_index("crop")
    rows = rows.loc[list(subset.crops), ["slide", "patient"]].reset_index()
    found = rows["slide"].map(slide_fingerprints(plan.store))
    labels = pd.Series(subset.labels, dtype=object)
    table = rows.assign(label=labels, fingerprint=found)
    return guarded_csv(table)


def _sizes(plan: Plan) -> list[tuple[int, int]]:
    """Height and width of every crop of the plan at the run's level."""
    levels = plan.store.levels
    rows = levels[levels["level"] == plan.run.weights.level].set_index("crop")
    rows = rows.loc[list(plan.subset.crops)]
    return [(int(h), int(w)) for h, w in zip(rows["height"], rows["width"], strict=True)]


def _about(plan: Plan, temperature: Temperature | None) -> dict[str, Any]:
    about, request, store = plan.run.weights, plan.request, plan.store.path
    return {
        "format": FORMAT,
        "run": own_name(plan.run.path),
        "weights_sha256": sha256(plan.run.path / "weights.safetensors"),
        "network": about.network,
        "epoch": about.epoch,
        "level": about.level,
        "mpp": median_mpp(plan.store, plan.subset.crops, about.level),
        "store": own_name(store),
        "store_sha256": {name: sha256(store / name) for name in TABLES},
        "split": request.split,
        "split_sha256": sha256(leakage.split_file(store, request.split)),
        "subset": request.subset,
        **{f"{way}_patients": number for way, number in plan.seen.items()},
        "class_map": plan.run.class_map.to_json(),
        "skipped": dict(plan.subset.left_out),
        "aggregate": request.aggregate,
        "calibration": None
        if temperature is None
        else {
            "subset": request.calibrate,
            "crops": temperature.cases,
            "temperature": temperature.value,
            "nll_before": temperature.nll_before,
            "nll_after": temperature.nll_after,
        },
        "units": scoring.UNITS,
    }
