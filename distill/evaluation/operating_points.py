"""Operating points of an evaluation: thresholds chosen on one subset, and what they do on another.

The decision about class k is "p_k ≥ t". The thresholds t, one for each class and for crops, slides
and patients each, are chosen by an `OperatingRule` on cases that are not scored. The intervals of
what they do are of other patients, with these thresholds.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from distill.evaluation import scoring
from distill.evaluation.metrics import operating_points as points
from distill.evaluation.metrics import resampling
from distill.evaluation.operating_rule import OPERATING_POINTS, POINT_SCORES, OperatingRule
from distill.evaluation.predictions import Predictions, guarded_csv
from distill.evaluation.scoring import BootstrapSettings
from distill.types import Scores

CHOOSING_CSV = "choosing.csv"
"""Beside metrics.json: the crops that thresholds were chosen on, with the run's answers."""
POINTS_CSV = "operating_points.csv"
_OF_CHOICE = ("cases", "others", "sensitivity", "specificity")

Thresholds = Mapping[str, float | None]
"""Class → threshold; None where none could be chosen."""


def choose_and_score(
    choosing: Predictions,
    answers: Predictions,
    rule: OperatingRule,
    how: BootstrapSettings,
    aggregate: str,
    positive: str | None = None,
) -> dict[str, Any]:
    """Choose thresholds on some crops and score them on others.

    Args:
        choosing: answers for the crops to choose on, and none of those to score.
        answers: for the crops to score; of the same run, with the same classes in the same order.
        rule: by which a threshold is chosen.
        how: the bootstrap.
        aggregate: what a crop weighs in its slide and patient, in both.
        positive: the only class to decide about; None decides about each.

    Returns:
        Keys rule and positive, and crops, slides, patients as far as some of them have a label.
        Each has chosen_on (how many crops, slides, patients with a label), scored, bootstrap,
        absent_classes, and per_class: for each class chosen, None or the entries of
        `distill.evaluation.metrics.operating_points.Cut` with threshold None for one that flags
        nothing; cases and others, how many are scored; and each of `POINT_SCORES` with its
        interval.
    """
    classes = answers.classes if positive is None else (positive,)
    found: dict[str, Any] = {"rule": str(rule), "positive": positive}
    for kind in scoring.KINDS:
        chooser, scored = (
            one if kind == "crop" else one.by(kind, aggregate) for one in (choosing, answers)
        )
        if not scored.table["label"].notna().any():
            continue
        cuts = _cuts(chooser, rule, classes)
        thresholds = {name: None if cut is None else cut.threshold for name, cut in cuts.items()}
        block = _block([scored], [thresholds], 0, how)
        for name, entry in block["per_class"].items():
            block["per_class"][name] = {"chosen": _chosen(cuts[name]), **entry}
        labeled = chooser.table[chooser.table["label"].notna()]
        counted = [one for one in scoring.KINDS if one in labeled.columns]
        found[f"{kind}s"] = {
            "chosen_on": {f"{one}s": int(labeled[one].nunique()) for one in counted},
            **block,
        }
    return found


def thresholds_of(metrics: Mapping[str, Any], kind: str) -> Thresholds:
    """Return the thresholds of an evaluation for "crops", "slides" or "patients".

    Args:
        metrics: what metrics.json holds, with operating points of that kind.
        kind: one of those.

    Raises:
        KeyError: it has none.
    """
    entries = metrics[OPERATING_POINTS][kind]["per_class"]
    return {name: _threshold(entry["chosen"]) for name, entry in entries.items()}


def mean_points(
    runs: Sequence[tuple[Predictions, Thresholds]],
    minus: Sequence[tuple[Predictions, Thresholds]],
    kind: str,
    how: BootstrapSettings,
    aggregate: str,
) -> dict[str, Any] | None:
    """Score runs at thresholds of their own: the mean of `runs` minus the mean of `minus`.

    All see the same draws. Cases are those that all have answers for.

    Args:
        runs: at least one; answers for crops, and thresholds for cases of `kind`.
        minus: the same; without any the scores are those of `runs`.
        kind: "crop", "slide" or "patient".
        how: the bootstrap.
        aggregate: what a crop weighs in its slide and patient.

    Returns:
        Keys scored, bootstrap, absent_classes and per_class: for each class cases and others, and
        each of `POINT_SCORES`; None throughout where a run has no threshold. None where no case has
        a label.

    Raises:
        SubsetError: the runs tell other classes apart, or share no labelled crop.
    """
    everyone = [*minus, *runs]
    there = scoring.aligned([answers for answers, _ in everyone])
    each = [one if kind == "crop" else one.by(kind, aggregate) for one in there]
    if not each[0].table["label"].notna().any():
        return None
    return _block(each, [thresholds for _, thresholds in everyone], len(minus), how)


def points_match(metrics: Mapping[str, Any], answers: Predictions) -> bool:
    """Say whether the operating points of a metrics.json are those of the predictions beside it.

    The thresholds are taken as they are; evaluations without operating points do match.

    Args:
        metrics: what metrics.json holds.
        answers: what predictions.csv holds, for crops.

    Raises:
        AttributeError, KeyError, TypeError, ValueError: metrics.json lacks something, or holds
            something else in its place.
    """
    found = metrics.get(OPERATING_POINTS)
    if found is None:
        return True
    one_draw = BootstrapSettings("patient", 1)
    for kind in (one for one in scoring.KINDS if f"{one}s" in found):
        there = answers if kind == "crop" else answers.by(kind, metrics["aggregate"])
        held = found[f"{kind}s"]
        names = answers.classes if found["positive"] is None else (found["positive"],)
        if sorted(held["per_class"]) != sorted(names):
            return False
        wanted = _block([there], [thresholds_of(metrics, f"{kind}s")], 0, one_draw)
        if held["scored"] != wanted["scored"]:
            return False
        for name, entry in wanted["per_class"].items():
            mine = held["per_class"][name]
            if any(mine[count] != entry[count] for count in ("cases", "others")):
                return False
            if not all(_same(mine[score], entry[score]) for score in POINT_SCORES):
                return False
            if mine["chosen"] is not None:
                for key in _OF_CHOICE:
                    float(mine["chosen"][key])
    return True


def _same(entry: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    if entry["interval"] is not None:
        low, high = entry["interval"]
        float(low), float(high)
    if entry["value"] is None or other["value"] is None:
        return entry["value"] is None and other["value"] is None
    return math.isclose(float(entry["value"]), other["value"], abs_tol=1e-9)


def points_csv(found: Mapping[str, Any]) -> bytes:
    """Return what `choose_and_score` gave as a table, one row for each kind of case and class."""
    # of objects: a column of whole numbers with gaps stays one of whole numbers
    return guarded_csv(pd.DataFrame(list(_rows(found)), dtype=object))


def _rows(found: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for kind in (f"{one}s" for one in scoring.KINDS):
        for name, entry in found.get(kind, {}).get("per_class", {}).items():
            chosen = entry["chosen"] or {}
            row = {
                "kind": kind,
                "class": name,
                "rule": found["rule"],
                "threshold": _threshold(entry["chosen"]),
                **{f"chosen_{key}": chosen.get(key) for key in _OF_CHOICE},
                "cases": entry["cases"],
                "others": entry["others"],
            }
            for score in POINT_SCORES:
                low, high = entry[score]["interval"] or (None, None)
                ends = {"": entry[score]["value"], "_low": low, "_high": high}
                row |= {f"{score}{end}": value for end, value in ends.items()}
            yield row


def _cuts(
    answers: Predictions, rule: OperatingRule, classes: Sequence[str]
) -> dict[str, points.Cut | None]:
    """Choose a threshold for each class on the labelled cases."""
    if not answers.table["label"].notna().any():
        return dict.fromkeys(classes)
    found, _ = scoring.cases([answers])
    cuts = {}
    for name in classes:
        k = answers.classes.index(name)
        chances = found.probabilities[0, :, k]
        cuts[name] = points.choose(found.truth == k, chances, rule.score, rule.at_least)
    return cuts


def _chosen(cut: points.Cut | None) -> dict[str, Any] | None:
    """Return a threshold as metrics.json has it, which knows no infinity."""
    if cut is None:
        return None
    return {
        "threshold": None if math.isinf(cut.threshold) else cut.threshold,
        **{name: getattr(cut, name) for name in _OF_CHOICE},
    }


def _threshold(chosen: Mapping[str, Any] | None) -> float | None:
    if chosen is None:
        return None
    return math.inf if chosen["threshold"] is None else float(chosen["threshold"])


def _block(
    each: Sequence[Predictions],
    thresholds: Sequence[Thresholds],
    minus: int,
    how: BootstrapSettings,
) -> dict[str, Any]:
    """Score runs from place `minus` on, minus those before, where there are any."""
    kind, classes = each[0].kind, each[0].classes
    found, rows = scoring.cases(each)
    names = list(thresholds[0])
    known = [name for name in names if all(one[name] is not None for one in thresholds)]
    places = [classes.index(name) for name in known]
    mine = found.truth[:, None] == np.array(places, dtype=np.intp)
    flagged = np.stack(
        [
            chances[:, places] >= np.array([one[name] for name in known], dtype=np.float64)
            for chances, one in zip(found.probabilities, thresholds, strict=True)
        ]
    )
    scored = _entries(points.Decisions(mine, flagged, found.patient), known, minus, how)
    nothing = {score: {"value": None, "interval": None} for score in POINT_SCORES}
    per_class = {}
    for name in names:
        cases = int((found.truth == classes.index(name)).sum())
        others = len(found.truth) - cases
        per_class[name] = {"cases": cases, "others": others, **scored.get(name, nothing)}
    return {**scoring.about_cases(kind, rows, found, how, classes), "per_class": per_class}


def _entries(
    decisions: points.Decisions,
    names: Sequence[str],
    minus: int,
    how: BootstrapSettings,
) -> dict[str, Any]:
    """Scores with intervals by class; nothing where there is no class."""
    if not names:
        return {}
    values = points.observed_decisions(decisions)
    draws = points.bootstrap_decisions(decisions, how.unit, how.draws, how.seed)
    units = resampling.units_of(decisions.patient, how.unit)
    draws = resampling.without_spread(draws, units)
    found: dict[str, Any] = resampling.to_entries(
        _minus(values, minus), _minus(draws, minus), names
    )["per_class"]
    return found


def _minus(scores: Sequence[Scores], minus: int) -> Scores:
    mean = scoring.mean_over_runs(scores[minus:])
    if not minus:
        return mean
    taken = scoring.mean_over_runs(scores[:minus])
    return {name: mean[name] - taken[name] for name in mean}
