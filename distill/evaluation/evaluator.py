"""Evaluation of a run on one subset of a split: predictions, scores with intervals, cost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch

import wsistore
from distill import cost
from distill.data import Subset, median_mpp, rows_of
from distill.embeddings import load_head, online
from distill.errors import DistillError
from distill.evaluation import leakage, scoring
from distill.evaluation.inference import Watch, embedded_logits, logits, unwatched
from distill.evaluation.metrics.calibration import Temperature, fit_temperature, probabilities
from distill.evaluation.plan import EvaluationPlan
from distill.evaluation.predictions import Predictions, guarded_csv
from distill.evaluation.scores import FORMAT
from distill.files import encode
from distill.networks import inference_runner, resolve_device
from distill.output_folder import own_name
from distill.runs import sha256, slide_fingerprints
from distill.types import Floats, Indices

OWN_STAINS = "crops_in_own_stains"
"""Key of metrics.json for crops with too little to normalize, in runs that normalize stains."""


@dataclass(frozen=True)
class Evaluation:
    """What `evaluate` made: the run's answers, and what metrics.json holds."""

    plan: EvaluationPlan
    answers: Predictions
    report: dict[str, Any]


def evaluate(plan: EvaluationPlan, watch: Watch = unwatched) -> Evaluation:
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
    left: list[str] = []
    network, ask = _answers(plan, device, watch, left)
    temperature = _fit(ask, plan) if plan.calibration else None
    raw = ask(plan.subset.crops)
    answers = Predictions(
        "crop",
        tuple(classes),
        plan.table,
        temperature(raw) if temperature else probabilities(raw),
        raw.argmax(1).astype(np.intp),
    )
    report = {
        **_about(plan, temperature),
        **_stains(plan, left),
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
    files["metrics.json"] = encode(report)
    # they would not belong to the predictions
    wsistore.atomic.write_all(
        folder, files, ("metrics.json", "differences.json", leakage.CALIBRATION_CSV)
    )
    return Evaluation(plan, answers, report)


def _answers(
    plan: EvaluationPlan, device: torch.device, watch: Watch, left: list[str]
) -> tuple[torch.nn.Module, Callable[[Sequence[str]], Floats]]:
    """Return the network, to count what it costs, and what gives the logits of crops by id.

    `left` receives the ids of crops whose stains cannot be normalized.
    """
    run, request, vectors = plan.run, plan.request, plan.vectors
    if vectors is not None:
        head = load_head(run, device)
        network = online(run, vectors, load_head(run))
        return network, lambda crops: embedded_logits(head, run, vectors, crops)
    whole = run.load_network(device)
    look = inference_runner(device, request.memory_gib, request.batch_pixels)

    def ask(crops: Sequence[str]) -> Floats:
        return logits(whole, run, plan.store, crops, request.workers, watch, look, left)

    return whole, ask


def _stains(plan: EvaluationPlan, left: Sequence[str]) -> dict[str, Any]:
    """Return which crops were seen in their own stains, if a run normalizes them."""
    if plan.run.weights.stains is None:
        return {}
    own = set(plan.subset.crops)
    return {OWN_STAINS: sorted({crop for crop in left if crop in own})}


def _fit(ask: Callable[[Sequence[str]], Floats], plan: EvaluationPlan) -> Temperature:
    assert plan.calibration is not None
    subset, classes = plan.calibration, plan.run.weights.classes
    raw = ask(subset.crops)
    truth: Indices = np.array([classes.index(str(label)) for label in subset.labels], dtype=np.intp)
    try:
        return fit_temperature(raw, truth)
    except DistillError as error:
        raise DistillError(f"{plan.run.path}: {error}") from error


def _calibration_csv(plan: EvaluationPlan, subset: Subset) -> bytes:
    """Return the crops that the temperature is fitted on, with the fingerprint of their slides."""
    rows = rows_of(plan.store, plan.request.split, subset.name).set_index("crop")
    rows = rows.loc[list(subset.crops), ["slide", "patient"]].reset_index()
    found = rows["slide"].map(slide_fingerprints(plan.store))
    labels = pd.Series(subset.labels, dtype=object)
    table = rows.assign(label=labels, fingerprint=found)
    return guarded_csv(table)


def _sizes(plan: EvaluationPlan) -> list[tuple[int, int]]:
    """Height and width of every crop of the plan at the run's level."""
    levels = plan.store.levels
    rows = levels[levels["level"] == plan.run.weights.level].set_index("crop")
    rows = rows.loc[list(plan.subset.crops)]
    return [(int(h), int(w)) for h, w in zip(rows["height"], rows["width"], strict=True)]


def _about(plan: EvaluationPlan, temperature: Temperature | None) -> dict[str, Any]:
    about, request, store = plan.run.weights, plan.request, plan.store
    return {
        "format": FORMAT,
        "run": own_name(plan.run.path),
        "weights_sha256": sha256(plan.run.path / "weights.safetensors"),
        "network": about.network,
        "epoch": about.epoch,
        "level": about.level,
        "mpp": median_mpp(plan.store, plan.subset.crops, about.level),
        "store": own_name(store.path),
        "store_sha256": store.tables_sha256(),
        "split": request.split,
        "split_sha256": store.split_sha256(request.split),
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
