"""Evaluation of a run on one subset of a split: predictions, scores with intervals, cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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
from distill.evaluation import leakage, operating_points, scoring
from distill.evaluation.inference import Watch, embedded_logits, logits, unwatched
from distill.evaluation.metrics.calibration import Temperature, fit_temperature, probabilities
from distill.evaluation.operating_rule import OPERATING_POINTS
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

_STALE = (
    "metrics.json", "differences.json", leakage.CALIBRATION_CSV, operating_points.CHOOSING_CSV,
    operating_points.POINTS_CSV,
)  # fmt: skip
"""What would not belong to new predictions."""


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
    held = _held_out(ask, plan)
    temperature = _fit(held, plan) if plan.calibration else None

    def answers_of(table: pd.DataFrame, raw: Floats) -> Predictions:
        chances = temperature(raw) if temperature else probabilities(raw)
        return Predictions("crop", tuple(classes), table, chances, raw.argmax(1).astype(np.intp))

    answers = answers_of(plan.table, ask(plan.subset.crops))
    choosing = None
    if plan.choosing is not None:
        subset, table = plan.choosing
        choosing = answers_of(table, held(subset.crops))
    report = {
        **_about(plan, temperature),
        **_stains(plan, left),
        **scoring.score(
            answers, request.bootstrap, request.aggregate, paper=request.paper_accuracy
        ),
        **_points(plan, choosing, answers),
        "cost": {
            **cost.over_sizes(network, _sizes(plan)),
            "parameters": cost.parameters(network),
            "counter": cost.COUNTERS,
        },
    }
    _write(plan, answers, choosing, report)
    return Evaluation(plan, answers, report)


def _write(
    plan: EvaluationPlan,
    answers: Predictions,
    choosing: Predictions | None,
    report: Mapping[str, Any],
) -> None:
    """Write the files of an evaluation, metrics.json last."""
    request = plan.request
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
    if choosing is not None:
        files[operating_points.CHOOSING_CSV] = choosing.csv()
        files[operating_points.POINTS_CSV] = operating_points.points_csv(report[OPERATING_POINTS])
    files["metrics.json"] = encode(report)
    wsistore.atomic.write_all(folder, files, _STALE)


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


def _held_out(
    ask: Callable[[Sequence[str]], Floats], plan: EvaluationPlan
) -> Callable[[Sequence[str]], Floats]:
    """Return what gives the logits of crops that are not scored, of which each is seen once."""
    choosing = plan.choosing[0] if plan.choosing else None
    wanted = [one.crops for one in (plan.calibration, choosing) if one is not None]
    crops = list(dict.fromkeys(crop for some in wanted for crop in some))
    if not crops:
        return ask
    place, raw = {crop: k for k, crop in enumerate(crops)}, ask(crops)
    return lambda some: raw[[place[crop] for crop in some]]


def _points(
    plan: EvaluationPlan, choosing: Predictions | None, answers: Predictions
) -> dict[str, Any]:
    """Return the operating points, if they are asked for."""
    request = plan.request
    if choosing is None or request.operating_point is None:
        return {}
    found = operating_points.choose_and_score(
        choosing, answers, request.operating_point, request.bootstrap, request.aggregate,
        request.positive,
    )  # fmt: skip
    return {OPERATING_POINTS: {"subset": request.choose_on, **found}}


def _fit(held: Callable[[Sequence[str]], Floats], plan: EvaluationPlan) -> Temperature:
    assert plan.calibration is not None
    subset, classes = plan.calibration, plan.run.weights.classes
    raw = held(subset.crops)
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
