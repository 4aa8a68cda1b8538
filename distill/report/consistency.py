"""Whether a metrics.json holds the scores of the predictions beside it, and all that is shown."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from distill.evaluation import (
    BootstrapSettings,
    Predictions,
    missing_scores,
    operating_points,
    resampling,
    scoring,
)

_NEEDED = (
    "subset", "split", "training_patients", "aggregate", "calibration", "skipped", "confusion",
    "absent_classes",
)  # fmt: skip


def scores_match_predictions(metrics: Mapping[str, Any], answers: Predictions) -> bool:
    """Say whether every score of metrics.json is that of the predictions, computed anew.

    Args:
        metrics: what metrics.json holds.
        answers: what predictions.csv holds, for crops.

    Raises:
        KeyError, TypeError, ValueError, IndexError: metrics.json lacks something, or holds
            something else in its place.
    """
    for name in _NEEDED:
        metrics[name]
    bootstrap(metrics)
    float(metrics["mpp"])
    int(metrics["cost"]["parameters"])
    for unit in ("gmac_per_crop", "gflop_per_crop"):
        for what in ("mean", "median", "max"):
            float(metrics["cost"][unit][what])
    if not _same(metrics, answers) or not operating_points.points_match(metrics, answers):
        return False
    return all(
        _same(metrics[f"{kind}s"], answers.by(kind, metrics["aggregate"]))
        for kind in scoring.KINDS[1:]
        if "macro" in metrics[f"{kind}s"]
    )


def bootstrap(metrics: Mapping[str, Any]) -> BootstrapSettings:
    """Return how the intervals of a metrics.json were made; KeyError where it does not say."""
    about = metrics["bootstrap"]
    return BootstrapSettings(about["unit"], about["draws"], about["seed"])


def _same(block: Mapping[str, Any], answers: Predictions) -> bool:
    found, rows = scoring.cases([answers])
    (values,) = resampling.observed_scores(found)
    for unit in ("crop", "slide", "patient"):
        if unit in rows.columns and block["scored"][f"{unit}s"] != rows[unit].nunique():
            return False
    # an evaluation of an earlier version counts crops alone
    if any(block.get(name, value) != value for name, value in scoring.counts(answers).items()):
        return False
    absent = missing_scores(block)
    return all(
        _close(entry, float(number))
        for score, value in values.items()
        if _place(score) not in absent
        for entry, number in zip(
            _entries(block, score, answers.classes), np.atleast_1d(value), strict=True
        )
    )


def _entries(
    block: Mapping[str, Any], score: str, classes: tuple[str, ...]
) -> Iterator[Mapping[str, Any]]:
    """Give a score's entry, or one for each class, named as `resampling` does."""
    if " " in score:
        group, name = _place(score)
        yield block[group][name]
    else:
        yield from (block["per_class"][label][score] for label in classes)


def _place(score: str) -> tuple[str, str]:
    """Return group and name of a score that is named as `resampling` does; of a class, "macro"."""
    group, _, name = score.rpartition(" ")
    return group or "macro", name


def _close(entry: Mapping[str, Any], number: float) -> bool:
    if entry["interval"] is not None:
        low, high = entry["interval"]
        float(low), float(high)
    if entry["value"] is None:
        return math.isnan(number)
    return math.isclose(float(entry["value"]), number, abs_tol=1e-9)
