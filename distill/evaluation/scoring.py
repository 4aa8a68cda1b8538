"""Scores of one run, or differences between two, as blocks of metrics.json and differences.json."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from distill.errors import SubsetError
from distill.evaluation.metrics import bootstrap, classification, resampling
from distill.evaluation.metrics.calibration import BINS
from distill.evaluation.metrics.resampling import Cases
from distill.evaluation.predictions import LARGER, Predictions, reordered
from distill.types import Scores

KINDS = ("crop", "slide", "patient")
UNITS = {
    "scores": "fractions of 1",
    "expected_calibration_error": f"fraction of 1, {BINS} bins of equal width; overall: of the "
    "class predicted; per class: of its probability",
    "confusion": "cases; rows truth, columns predicted, in the order of classes",
    "mpp": "µm per pixel, median over the predicted crops",
    "temperature": "1, divides the logits",
    "nll": "nats per crop, mean",
}


@dataclass(frozen=True)
class BootstrapSettings:
    """How intervals are made: unit "patient" or "crop", number of draws, seed."""

    unit: str = "patient"
    draws: int = bootstrap.DRAWS
    seed: int = 0

    def unit_of(self, kind: str) -> str:
        """Return what is drawn where the cases are crops, slides or patients."""
        return "patient" if self.unit == "patient" else kind

    def about(self, kind: str) -> dict[str, Any]:
        """Return what a report says of its intervals."""
        return {
            "unit": self.unit_of(kind),
            "draws": self.draws,
            "seed": self.seed,
            "interval": "percentile",
            "confidence": bootstrap.CONFIDENCE,
        }


def score(
    answers: Predictions, how: BootstrapSettings, aggregate: str = "mean", *, paper: bool = False
) -> dict[str, Any]:
    """Score the labelled crops, and the labelled slides and patients that they add up to.

    Args:
        answers: for crops; or for slides, or patients, which then stand where crops do here.
        how: the bootstrap.
        aggregate: how crops add up to slides and patients, see
            `distill.evaluation.choices.Aggregate`.
        paper: whether to add the accuracy as the paper prints it.

    Returns:
        Keys predicted, classes, those of a block (scored, bootstrap, absent_classes, confusion,
        overall, macro, per_class) for the crops, and slides and patients: blocks that also say how
        many were left_out (unlabelled, or of mixed labels).
    """
    unlabeled = int(answers.table["label"].isna().sum())
    report: dict[str, Any] = {
        "predicted": {f"{answers.kind}s": len(answers.table), "unlabelled": unlabeled},
        "classes": list(answers.classes),
        **_block(answers, how, paper),
    }
    for kind in LARGER[answers.kind]:
        groups = answers.by(kind, aggregate)
        mixed = groups.mixed(answers)
        unlabeled = int(groups.table["label"].isna().sum()) - mixed
        block = _block(groups, how, paper) if groups.table["label"].notna().any() else None
        report[f"{kind}s"] = {
            "left_out": {"unlabelled": unlabeled, "mixed_labels": mixed},
            **(block or {"scored": {f"{kind}s": 0}}),
        }
    return report


def difference(
    run: Predictions,
    minus: Predictions,
    how: BootstrapSettings,
    aggregate: str = "mean",
    *,
    paper: bool = False,
) -> dict[str, Any]:
    """Score `run` minus `minus` on the crops that both predicted, with the same draws for both.

    Returns:
        Keys crops, slides, patients: each with scored, bootstrap, absent_classes, overall, macro,
        per_class; the values are differences, in fractions of 1.

    Raises:
        SubsetError: the runs tell other classes apart, or share no labelled crop.
    """
    return mean_difference([run], [minus], how, aggregate, paper=paper)


def mean_difference(
    runs: Sequence[Predictions],
    minus: Sequence[Predictions],
    how: BootstrapSettings,
    aggregate: str = "mean",
    *,
    paper: bool = False,
    kinds: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Score the mean of `runs` minus the mean of `minus`, as `difference` does two single runs.

    Seeds of one recipe are such runs. In each draw every run is scored on the same cases and the
    means are taken, so the interval tells of other patients, not of other seeds.

    Args:
        runs: at least one.
        minus: at least one.
        how: the bootstrap.
        aggregate: how crops add up to slides and patients.
        paper: whether to add the accuracy as the paper prints it.
        kinds: which of `KINDS` to score; None for that of the runs and all larger ones.

    Returns, raises: as `difference`.
    """
    there = aligned([*minus, *runs])
    found = {}
    own = there[0].kind
    for kind in kinds or (own, *LARGER[own]):
        each = [one if kind == own else one.by(kind, aggregate) for one in there]
        if each[0].table["label"].notna().any():
            found[f"{kind}s"] = _difference(each, len(minus), how, paper)
    return found


def mean_score(
    runs: Sequence[Predictions],
    how: BootstrapSettings,
    kind: str = "crop",
    aggregate: str = "mean",
    *,
    paper: bool = False,
) -> dict[str, Any] | None:
    """Score the mean of runs on the crops of all of them, or on the slides or patients.

    Returns:
        A block as metrics.json has it, without confusion; None where no case has a label.

    Raises:
        SubsetError: the runs tell other classes apart, or share no labelled crop.
    """
    each = [one if kind == "crop" else one.by(kind, aggregate) for one in aligned(runs)]
    if not each[0].table["label"].notna().any():
        return None
    found, rows = cases(each)
    values, draws = resampling.observed_scores(found, paper=paper), _drawn(found, how, paper)
    classes = each[0].classes
    return {
        **about_cases(kind, rows, found, how, classes),
        **resampling.to_entries(mean_over_runs(values), mean_over_runs(draws), classes),
    }


def aligned(answers: Sequence[Predictions]) -> list[Predictions]:
    """Return runs' answers for the crops that all of them predicted, alike in every order.

    Crops and classes are in the order of the first. What are no crops, but slides or patients, is
    aligned likewise; all runs answer for the same kind.

    Raises:
        SubsetError: the runs tell other classes apart, or share no labelled crop.
    """
    first = answers[0]
    for other in answers[1:]:
        if sorted(other.classes) != sorted(first.classes):
            mine, theirs = ", ".join(other.classes), ", ".join(first.classes)
            raise SubsetError(
                f"one run tells apart {mine}, the other {theirs}; evaluate them one by one"
            )
    kind = first.kind
    shared = set.intersection(*(set(one.table[kind]) for one in answers))
    crops = [crop for crop in first.table[kind] if crop in shared]
    found = []
    for one in answers:
        place = {crop: k for k, crop in enumerate(one.table[kind])}
        chosen = one.select(np.array([place[crop] for crop in crops], dtype=np.intp))
        found.append(reordered(chosen, first.classes))
    if not found[0].table["label"].notna().any():
        raise SubsetError(f"the runs have no labelled {kind} in common; evaluate them one by one")
    return found


def cases(answers: Sequence[Predictions]) -> tuple[Cases, pd.DataFrame]:
    """Return the labelled cases of runs that answered for the same ones, and their rows."""
    first = answers[0]
    labeled = first.table["label"].notna().to_numpy()
    rows = first.table[labeled]
    place = {name: k for k, name in enumerate(first.classes)}
    found = Cases(
        truth=np.array([place[label] for label in rows["label"]], dtype=np.intp),
        patient=pd.factorize(rows["patient"])[0].astype(np.intp),
        probabilities=np.stack([one.probabilities[labeled] for one in answers]),
        predicted=np.stack([one.predicted[labeled] for one in answers]),
    )
    return found, rows


def _difference(
    each: Sequence[Predictions], minus: int, how: BootstrapSettings, paper: bool
) -> dict[str, Any]:
    """Mean of the runs from place `minus` on, minus the mean of those before."""
    kind, classes = each[0].kind, each[0].classes
    found, rows = cases(each)
    values, draws = resampling.observed_scores(found, paper=paper), _drawn(found, how, paper)
    first, second = mean_over_runs(values[:minus]), mean_over_runs(values[minus:])
    first_drawn, second_drawn = mean_over_runs(draws[:minus]), mean_over_runs(draws[minus:])
    return {
        **about_cases(kind, rows, found, how, classes),
        **resampling.to_entries(
            {name: second[name] - first[name] for name in first},
            {name: second_drawn[name] - first_drawn[name] for name in first},
            classes,
        ),
    }


def mean_over_runs(scores: Sequence[Scores]) -> Scores:
    """Mean over runs, score by score; of one run, its scores to the last bit."""
    return {name: np.mean([one[name] for one in scores], axis=0) for name in scores[0]}


def _block(answers: Predictions, how: BootstrapSettings, paper: bool) -> dict[str, Any]:
    found, rows = cases([answers])
    (values,), (draws,) = resampling.observed_scores(found, paper=paper), _drawn(found, how, paper)
    return {
        **about_cases(answers.kind, rows, found, how, answers.classes),
        **_counts(found, answers.classes),
        **resampling.to_entries(values, draws, answers.classes),
    }


def counts(answers: Predictions) -> dict[str, Any]:
    """Return ``confusion`` and ``absent_classes`` as the block of these answers has them."""
    found, _ = cases([answers])
    return {**_counts(found, answers.classes), "absent_classes": _absent(found, answers.classes)}


def _counts(found: Cases, classes: Sequence[str]) -> dict[str, Any]:
    table = classification.confusion(found.truth, found.predicted[0], len(classes))
    return {"confusion": table.tolist()}


def _absent(found: Cases, classes: Sequence[str]) -> list[str]:
    present = set(found.truth.tolist())
    return [name for k, name in enumerate(classes) if k not in present]


def _drawn(found: Cases, how: BootstrapSettings, paper: bool) -> list[Scores]:
    drawn = resampling.bootstrap_scores(found, how.unit, how.draws, how.seed, paper=paper)
    return resampling.without_spread(drawn, found.units(how.unit))


def about_cases(
    kind: str, rows: pd.DataFrame, found: Cases, how: BootstrapSettings, classes: Sequence[str]
) -> dict[str, Any]:
    """Return the keys scored, bootstrap and absent_classes of a block, from what `cases` gave."""
    counted = [one for one in KINDS if one in rows.columns]
    return {
        "scored": {f"{one}s": int(rows[one].nunique()) for one in counted},
        "bootstrap": how.about(kind),
        "absent_classes": _absent(found, classes),
    }
