"""Evaluation of a run on one subset of a split: predictions, scores with intervals, cost."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

import wsistore
from distill import bootstrap, cost, metrics
from distill.config import resolve_device, sha256
from distill.errors import DistillError, RunError, SubsetError, UsageError
from distill.networks import smallest_input
from distill.pairs import Crops, Sample, Samples
from distill.runs import Run
from distill.standardise import to_input
from distill.subsets import Subset, median_mpp, select
from distill.tensors import publish

FORMAT = "distill-evaluation/1"

Watch = Callable[[Iterable[Sample]], Iterable[Sample]]


@dataclass(frozen=True)
class Request:
    """What to evaluate on, and how; see `distill evaluate --help` for each."""

    split: str
    subset: str
    unit: str = "patient"
    draws: int = bootstrap.DRAWS
    seed: int = 0
    device: str = "auto"
    workers: int = 0
    allow_training_patients: bool = False
    overwrite: bool = False

    def folder(self, run: Run) -> Path:
        """Return where the evaluation of a run goes."""
        return run.path / "evaluation" / f"{self.split}-{self.subset}"


@dataclass(frozen=True)
class Plan:
    """An evaluation that has passed the checks which need no network.

    Attributes:
        run: the run.
        store: the store.
        request: what was asked for.
        subset: crops to predict, labels, and the crops left out with the reason.
        table: columns crop, slide, patient, label; one row per crop to predict, in that order.
        trained_on: how many of its patients the run was trained on; None where nobody can tell.
    """

    run: Run
    store: wsistore.Store
    request: Request
    subset: Subset
    table: pd.DataFrame
    trained_on: int | None


def prepare(run: Run, store: wsistore.Store, request: Request) -> Plan:
    """Choose the crops and check that they can be scored, before any work is done.

    Raises:
        UsageError: if the evaluation exists and may not be replaced, or is of subset train.
        SubsetError: if the store lacks the run's level or the subset, no crop of it can be used or
            none is labelled, a label is no class of the run, only one patient could be drawn, or a
            patient is one that the run was trained on.
        RunError: if it cannot be told which patients the run was trained on.
        wsistore.WsistoreError: if the store has no such split.
    """
    about, name = run.weights, request.subset
    if re.fullmatch(r"[\w.-]+", name) is None:
        raise UsageError(f"--subset {name!r} cannot name a folder; rename the subset in the split")
    file = request.folder(run) / "metrics.json"
    if file.exists() and not request.overwrite:
        raise UsageError(f"{file} exists; replace it with --overwrite")
    if about.level not in store.level_names:
        there = ", ".join(store.level_names)
        raise SubsetError(f"{run.path} takes level {about.level}; {store.path} only has {there}")
    smallest = smallest_input(about.network)
    subset = select(store, request.split, name, [about.level], smallest, labelled=False)
    for crop, label in zip(subset.crops, subset.labels, strict=True):
        if label is not None and label not in about.classes:
            known = ", ".join(about.classes)
            raise SubsetError(f"crop {crop} is {label}, which is no class of {run.path}: {known}")
    table = store.split(request.split).set_index("crop").loc[list(subset.crops)].reset_index()
    patients = table["patient"][table["label"].notna()].nunique()
    where = f"of {name} in split {request.split} of {store.path}"
    if not patients:
        raise SubsetError(f"no crop {where} is labelled, so there is nothing to score")
    if request.unit == "patient" and patients == 1:
        raise SubsetError(f"the labelled crops {where} are of one patient; use --unit crop")
    return Plan(run, store, request, subset, table, _trained_on(run, store, table, request))


def carry_out(plan: Plan, watch: Watch = iter) -> dict[str, Any]:
    """Predict, score, and write predictions.csv and then metrics.json, each in one rename.

    Args:
        plan: from `prepare`.
        watch: passes on the samples as they are predicted, to show progress.

    Returns:
        What metrics.json holds.

    Raises:
        DistillError: if the device is missing or too small, or a prediction is not finite.
        RunError: if the weights cannot be loaded.
    """
    network = plan.run.load_network(resolve_device(plan.request.device))
    probabilities = predict(network, plan, watch)
    classes = plan.run.weights.classes
    predicted = probabilities.argmax(1)
    predictions = plan.table[["crop", "slide", "patient", "label"]].assign(
        predicted=np.array(classes, dtype=object)[predicted],
        **{f"p_{name}": probabilities[:, k] for k, name in enumerate(classes)},
    )
    written = predictions.to_csv(index=False, lineterminator="\n").encode()
    report = {
        **_about(plan),
        **score(plan.table, predicted, classes, plan.request),
        "cost": {
            **cost.over_sizes(network, _sizes(plan)),
            "parameters": cost.parameters(network),
            "counter": cost.COUNTERS,
        },
    }
    text = json.dumps(report, indent=2, allow_nan=False, ensure_ascii=False)
    folder = plan.request.folder(plan.run)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "metrics.json").unlink(missing_ok=True)  # it would not belong to the predictions
    publish(folder / "predictions.csv", written)
    publish(folder / "metrics.json", (text + "\n").encode())
    return report


@torch.inference_mode()
def predict(network: torch.nn.Module, plan: Plan, watch: Watch = iter) -> metrics.Floats:
    """Return the probability of each class for each crop of the plan, (N, K) float64.

    One crop at a time, whole, without augmentation, standardised as the run was trained; softmax in
    float64.

    Raises:
        DistillError: if a crop does not fit in the device's memory, or a logit is not finite.
    """
    about = plan.run.weights
    device = next(network.parameters()).device
    crops = Crops(plan.store.path, plan.subset.crops, [about.level])
    rows = []
    for sample in watch(Samples(crops, None, plan.request.workers).epoch(0)):
        image = sample.images[about.level]
        try:
            logits = network(to_input(image.to(device), about.mean, about.std)).logits
        except torch.OutOfMemoryError as error:
            raise DistillError(
                f"crop {sample.crop} ({image.shape[1]} × {image.shape[2]} px at {about.level}) "
                "does not fit in the device's memory; use --device cpu"
            ) from error
        if not bool(logits.isfinite().all()):
            raise DistillError(f"{plan.run.path} gives crop {sample.crop} a logit not finite")
        rows.append(logits[0].double().softmax(0).cpu().numpy())
    return np.stack(rows)


def score(
    table: pd.DataFrame, predicted: metrics.Indices, classes: list[str], request: Request
) -> dict[str, Any]:
    """Score the labelled crops: counts, confusion matrix, and every metric with its interval.

    Args:
        table: columns slide, patient and label (NaN where there is none), N rows.
        predicted: (N,) class indices.
        classes: the K names, in the order of the indices.
        request: for the bootstrap's unit, draws and seed.
    """
    scored = table["label"].notna().to_numpy()
    rows, guess = table[scored], predicted[scored]
    truth = np.array([classes.index(label) for label in rows["label"]], dtype=np.intp)
    each = metrics.confusion_by_group(pd.factorize(rows["patient"])[0], truth, guess, len(classes))
    counts = each.sum(0)
    blocks = bootstrap.over(request.unit, each, np.random.default_rng(request.seed), request.draws)
    return {
        "predicted": {"crops": len(table), "unlabelled": int((~scored).sum())},
        "scored": {
            "crops": len(rows),
            **{f"{one}s": int(rows[one].nunique()) for one in ("slide", "patient")},
        },
        "bootstrap": {
            "unit": request.unit,
            "draws": request.draws,
            "seed": request.seed,
            "interval": "percentile",
            "confidence": bootstrap.CONFIDENCE,
        },
        "classes": classes,
        "confusion": counts.tolist(),
        **bootstrap.estimates(counts, blocks, classes),
    }


def training_patients(run: Run, store: wsistore.Store) -> set[str]:
    """Return the patients in the subsets that the run and its teachers were trained on.

    A split is the recorded one if its bytes have the recorded SHA-256. It is looked for in the
    store at hand (which may have moved since) and then in the recorded store.

    Raises:
        RunError: if a teacher's run or a split is gone or has changed.
    """
    patients: set[str] = set()
    pending, visited = [run], {run.path.resolve()}
    while pending:
        config = (current := pending.pop()).config
        patients |= _recorded(current, store)
        for origin in config.values():
            if isinstance(origin, dict) and isinstance(origin.get("run"), str):
                path = Path(origin["run"])
                if path.resolve() not in visited:
                    visited.add(path.resolve())
                    pending.append(Run.open(path))
    return patients


def _recorded(run: Run, store: wsistore.Store) -> set[str]:
    """Patients in the subsets (`train`, if nothing is recorded) that this run alone learnt from."""
    place, name, digest = (run.config.get(key) for key in ("store", "split", "split_sha256"))
    if not all(isinstance(value, str) for value in (place, name, digest)):
        raise RunError(f"{run.path / 'config.json'} does not name the store and split of the run")
    for home in (store.path, Path(str(place))):
        file = _split_file(home, str(name))
        if file.is_file() and sha256(file) == digest:
            table = wsistore.open(home).split(str(name))
            return set(table["patient"][table["subset"].isin(run.learnt_from())])
    raise RunError(f"split {name} of {place} is gone or has changed since {run.path} was trained")


def _trained_on(
    run: Run, store: wsistore.Store, table: pd.DataFrame, request: Request
) -> int | None:
    """Count the patients of the table that the run was trained on, or refuse them."""
    allowed, hint = request.allow_training_patients, "--allow-training-patients evaluates anyway"
    if request.subset == "train" and not allowed:
        raise UsageError(f"{run.path}: scores on train say nothing about new patients; {hint}")
    try:
        known = training_patients(run, store)
    except RunError as error:
        if allowed:
            return None
        raise RunError(f"cannot tell who {run.path} was trained on ({error}); {hint}") from error
    shared = sorted(known & set(table["patient"]))
    if shared and not allowed:
        others = f" and {len(shared) - 1} more" if len(shared) > 1 else ""
        raise SubsetError(
            f"{run.path} was trained on patient {shared[0]}{others} of {request.subset}; {hint}"
        )
    return len(shared)


def _split_file(store: Path, name: str) -> Path:
    return store / "splits" / f"{name}.csv"


def _sizes(plan: Plan) -> list[tuple[int, int]]:
    """Height and width of every crop of the plan at the run's level."""
    levels = plan.store.levels
    rows = levels[levels["level"] == plan.run.weights.level].set_index("crop")
    rows = rows.loc[list(plan.subset.crops)]
    return [(int(h), int(w)) for h, w in zip(rows["height"], rows["width"], strict=True)]


def _about(plan: Plan) -> dict[str, Any]:
    about, request = plan.run.weights, plan.request
    return {
        "format": FORMAT,
        "run": str(plan.run.path.resolve()),
        "weights_sha256": sha256(plan.run.path / "weights.safetensors"),
        "network": about.network,
        "epoch": about.epoch,
        "level": about.level,
        "mpp": median_mpp(plan.store, plan.subset.crops, about.level),
        "store": plan.store.path.resolve().name,
        "split": request.split,
        "split_sha256": sha256(_split_file(plan.store.path, request.split)),
        "subset": request.subset,
        "training_patients": plan.trained_on,
        "skipped": dict(plan.subset.left_out),
    }
