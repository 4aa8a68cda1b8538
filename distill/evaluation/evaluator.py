"""Evaluation of a run on one subset of a split: predictions, scores with intervals, cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import torch

import wsistore
from distill import cost
from distill.data import Subset, median_mpp, rows_at
from distill.embeddings import load_head, online
from distill.errors import DistillError
from distill.evaluation import operating_points, scoring
from distill.evaluation.answering import Answering, about_answers, costs_of_one
from distill.evaluation.bags import ATTENTION_CSV, attention_files, bag_logits, what_is_answered_for
from distill.evaluation.calibrated_crops import CALIBRATION_CSV, calibration_csv
from distill.evaluation.cohort import COLORS_CSV, OF_COHORT, OF_HOME, Outside, record, restricted
from distill.evaluation.inference import Watch, embedded_logits, logits, unwatched
from distill.evaluation.metrics.calibration import Temperature, fit_temperature, probabilities
from distill.evaluation.net_benefit import NET_BENEFIT_CSV, net_benefit_csv
from distill.evaluation.operating_rule import OPERATING_POINTS
from distill.evaluation.plan import EvaluationPlan
from distill.evaluation.predictions import LARGER, Predictions
from distill.evaluation.scores import COHORT_FORMAT
from distill.files import encode
from distill.networks import inference_runner, resolve_device
from distill.output_folder import own_name
from distill.runs import CROP
from distill.types import Floats, Indices

OWN_STAINS = "crops_in_own_stains"
"""Key of metrics.json for crops with too little to normalize, in runs that normalize stains."""

_STALE = (
    "metrics.json", "differences.json", CALIBRATION_CSV, COLORS_CSV,
    operating_points.CHOOSING_CSV, operating_points.POINTS_CSV, NET_BENEFIT_CSV, ATTENTION_CSV,
)  # fmt: skip
"""What would not belong to new predictions."""
NOTHING = Outside()


@dataclass(frozen=True)
class Evaluation:
    """What `evaluate` made: the run's answers, and what metrics.json holds."""

    plan: EvaluationPlan
    answers: Predictions
    report: dict[str, Any]


def evaluate(
    plan: EvaluationPlan, watch: Watch = unwatched, outside: Outside = NOTHING
) -> Evaluation:
    """Predict, score, and write the tables of predictions and then metrics.json, by renames.

    Args:
        plan: from `prepare`.
        watch: shows progress.
        outside: on a cohort, what the run takes along from home, and what is known of the cohort.

    Raises:
        DistillError: if the device is missing or too small, a prediction is not finite, or no
            temperature fits.
        RunError: if the weights cannot be loaded.
    """
    request = plan.request
    device = resolve_device(request.device)
    left: list[str] = []
    costs, ask = _answers(plan, device, watch, left)
    held = _held_out(ask, plan)
    calibration = _calibration(held, plan, outside)
    cases = plan.cases
    answers = _answered(plan, calibration, cases, ask(cases[plan.run.bag].astype(str).tolist()))
    choosing = _choosing(held, plan, calibration, outside)
    report = {
        **_about(plan, calibration),
        **_cohort(plan, outside),
        **_stains(plan, left),
        **scoring.score(
            answers, request.bootstrap, request.aggregate, paper=request.paper_accuracy
        ),
        **_points(plan, choosing, answers, outside),
        "cost": {**costs(_sizes(plan)), "counter": cost.COUNTERS},
    }
    _write(plan, answers, choosing, report, outside.files)
    return Evaluation(plan, answers, report)


def _write(
    plan: EvaluationPlan,
    answers: Predictions,
    choosing: Predictions | None,
    report: Mapping[str, Any],
    more: Mapping[str, bytes],
) -> None:
    """Write the files of an evaluation, and `more`; metrics.json last."""
    request = plan.request
    plan.run.require_unchanged()
    folder = request.folder(plan.run)
    folder.mkdir(parents=True, exist_ok=True)
    wsistore.atomic.clear(folder)
    files = dict(more)
    if plan.calibration is not None:
        files[CALIBRATION_CSV] = calibration_csv(plan.store, request.split, plan.calibration)
    kind = answers.kind
    files["predictions.csv" if kind == CROP else f"{kind}s.csv"] = answers.csv()
    for larger in LARGER[kind]:
        files[f"{larger}s.csv"] = answers.by(larger, request.aggregate).csv()
    files |= attention_files(plan.run, plan.vectors, plan.table)
    if request.net_benefit:
        files[NET_BENEFIT_CSV] = net_benefit_csv(answers, request.bootstrap, request.aggregate)
    if choosing is not None:
        files[operating_points.CHOOSING_CSV] = choosing.csv()
        files[operating_points.POINTS_CSV] = operating_points.points_csv(report[OPERATING_POINTS])
    files["metrics.json"] = encode(report)
    wsistore.atomic.write_all(folder, files, _STALE)


Costs = Callable[[Sequence[tuple[int, int]]], dict[str, Any]]


def _answers(
    plan: EvaluationPlan, device: torch.device, watch: Watch, left: list[str]
) -> tuple[Costs, Callable[[Sequence[str]], Floats]]:
    """Return what gives the cost of crops by (height, width), and their logits by id.

    `left` receives the ids of crops whose stains cannot be normalized.
    """
    run, request, vectors = plan.run, plan.request, plan.vectors
    if vectors is not None:
        head = load_head(run, device)
        network = online(run, vectors, load_head(run))
        costs = partial(costs_of_one, network)
        if run.bag == CROP:
            return costs, lambda crops: embedded_logits(head, run, vectors, crops)
        return costs, lambda some: bag_logits(head, run, vectors, {n: plan.bags[n] for n in some})
    answering = Answering.load(run, device, plan.views)
    look = inference_runner(device, request.memory_gib, request.batch_pixels)

    def ask(crops: Sequence[str]) -> Floats:
        return logits(answering, plan.store, crops, request.workers, watch, look, left)

    return answering.costs, ask


def _stains(plan: EvaluationPlan, left: Sequence[str]) -> dict[str, Any]:
    """Return which crops were seen in their own stains, if a run normalizes them."""
    if all(one.weights.stains is None for one in plan.run.members):
        return {}
    own = set(plan.subset.crops)
    return {OWN_STAINS: sorted({crop for crop in left if crop in own})}


def _held_out(
    ask: Callable[[Sequence[str]], Floats], plan: EvaluationPlan
) -> Callable[[Sequence[str]], Floats]:
    """Return what gives the logits of crops that are not scored, of which each is seen once."""
    choosing = plan.choosing[0] if plan.choosing else None
    fitted = plan.fitted_on or plan.calibration
    wanted = [one.crops for one in (fitted, choosing) if one is not None]
    crops = list(dict.fromkeys(crop for some in wanted for crop in some))
    if not crops:
        return ask
    place, raw = {crop: k for k, crop in enumerate(crops)}, ask(crops)
    return lambda some: raw[[place[crop] for crop in some]]


def _answered(
    plan: EvaluationPlan, calibration: Mapping[str, Any] | None, table: pd.DataFrame, raw: Floats
) -> Predictions:
    """Return the run's answers for the cases of a table, of their logits (N, K)."""
    scale = 1.0 if calibration is None else float(calibration["temperature"])
    chances, predicted = probabilities(raw, scale), raw.argmax(1).astype(np.intp)
    if (present := plan.present) is not None:
        chances, predicted = restricted(raw, scale, present)
    return Predictions(plan.run.bag, tuple(plan.run.weights.classes), table, chances, predicted)


def _choosing(
    held: Callable[[Sequence[str]], Floats],
    plan: EvaluationPlan,
    calibration: Mapping[str, Any] | None,
    outside: Outside,
) -> Predictions | None:
    """Return the answers for the crops that thresholds are chosen on; None where none are.

    They are the plan's own crops. On a cohort without such, they are those of the run's home, at
    the temperature and with the classes of the cohort's own answers.
    """
    if plan.choosing is not None:
        subset, table = plan.choosing
        return _answered(plan, calibration, table, held(subset.crops))
    given = outside.choosing
    if given is None or (plan.calibration is None and plan.present is None):
        return given
    return _answered(plan, calibration, given.table, outside.logits_at_one(given))


def _points(
    plan: EvaluationPlan, choosing: Predictions | None, answers: Predictions, outside: Outside
) -> dict[str, Any]:
    """Return the operating points, if they are asked for."""
    request = plan.request
    if choosing is None or request.operating_point is None:
        return {}
    found = operating_points.choose_and_score(
        choosing, answers, request.operating_point, request.bootstrap, request.aggregate,
        request.positive,
    )  # fmt: skip
    about: dict[str, Any] = {"subset": request.choose_on or outside.choose_on}
    if request.cohort is not None:
        about["of"] = OF_COHORT if request.choose_on else OF_HOME
    return {OPERATING_POINTS: {**about, **found}}


def _calibration(
    held: Callable[[Sequence[str]], Floats], plan: EvaluationPlan, outside: Outside
) -> dict[str, Any] | None:
    """Return what metrics.json says of the temperature; None where there is none.

    It is fitted to the plan's own crops. On a cohort without such, it is that of the run's home.
    """
    cohort = plan.request.cohort
    if plan.calibration is None:
        given = None if cohort is None else outside.calibration
        return None if given is None else {**given, "of": OF_HOME}
    found = _fit(held, plan, plan.fitted_on or plan.calibration)
    return {
        "subset": plan.request.calibrate,
        f"{plan.run.bag}s": found.cases,
        "temperature": found.value,
        "nll_before": found.nll_before,
        "nll_after": found.nll_after,
        **({} if cohort is None else {"of": OF_COHORT}),
    }


def _fit(
    held: Callable[[Sequence[str]], Floats], plan: EvaluationPlan, subset: Subset
) -> Temperature:
    """Fit it, where classes are no answer, to the logits of the others."""
    classes, present = plan.run.weights.classes, plan.present
    raw = held(subset.crops)
    if present is not None:
        raw, classes = raw[:, present], [classes[k] for k in present]
    truth: Indices = np.array([classes.index(str(label)) for label in subset.labels], dtype=np.intp)
    try:
        return fit_temperature(raw, truth)
    except DistillError as error:
        raise DistillError(f"{plan.run.path}: {error}") from error


def _cohort(plan: EvaluationPlan, outside: Outside) -> dict[str, Any]:
    """Return what metrics.json says of a cohort; nothing of an evaluation at home."""
    if plan.request.cohort is None:
        return {}
    classes = plan.store.class_map(plan.request.split)
    found = record(plan.request.cohort, classes, plan.unknown, plan.absent, outside.facts)
    return {"format": COHORT_FORMAT, "cohort": found}


def _sizes(plan: EvaluationPlan) -> list[tuple[int, int]]:
    """Height and width of every crop of the plan at the run's level."""
    crops = plan.subset.crops
    rows = rows_at(plan.store.levels, crops, plan.run.weights.level).set_index("crop")
    rows = rows.loc[list(crops)]
    return [(int(h), int(w)) for h, w in zip(rows["height"], rows["width"], strict=True)]


def _about(plan: EvaluationPlan, calibration: Mapping[str, Any] | None) -> dict[str, Any]:
    about, request, store = plan.run.weights, plan.request, plan.store
    return {
        **what_is_answered_for(plan.run),
        "run": own_name(plan.run.path),
        "weights_sha256": plan.run.weights_sha256(),
        "network": about.network,
        "epoch": plan.run.epoch,
        **about_answers(plan.run, plan.views),
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
        "calibration": calibration,
        "units": scoring.UNITS,
    }
