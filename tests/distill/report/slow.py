"""Scores from rows of predictions.csv, as docs/reference/evaluation.md defines them, one by one."""

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from tests.distill.report.tables import Row, read

Values = Mapping[str, float]
"""Score → value, of a class named "score of k"."""
Scorer = Callable[["Answers", np.ndarray], Values]
"""Scores cases at some places, which may repeat."""


@dataclass(frozen=True, eq=False)
class Answers:
    """What a run answered for N labelled cases of K classes.

    Attributes:
        truth: (N,).
        chances: (N, K).
        predicted: (N,).
        patients: (N,) names.
    """

    truth: np.ndarray
    chances: np.ndarray
    predicted: np.ndarray
    patients: tuple[str, ...]


@cache
def answers(file: Path, kind: str, classes: tuple[str, ...]) -> Answers:
    """The labelled crops of a predictions.csv, or slides or patients of the mean over crops."""
    rows = read(file)
    named = {name: k for k, name in enumerate(classes)}
    if kind == "crops":
        groups = [[row] for row in rows if row["label"]]
    else:
        by: dict[str, list[Row]] = defaultdict(list)
        for row in rows:
            by[row[kind.removesuffix("s")]].append(row)
        groups = [part for part in by.values() if len({one["label"] for one in part} - {""}) == 1]
    chances = np.array(
        [[math.fsum(float(row[f"p_{name}"]) for row in part) / len(part) for name in classes]
         for part in groups]
    )  # fmt: skip
    predicted = chances.argmax(1)
    if kind == "crops":
        predicted = np.array([named[part[0]["predicted"]] for part in groups])
    return Answers(
        np.array([named[next(row["label"] for row in part if row["label"])] for part in groups]),
        chances,
        predicted,
        tuple(part[0]["patient"] for part in groups),
    )


def draws(patients: Sequence[str], count: int, seed: int) -> list[np.ndarray]:
    """Places of the cases in each draw: so many patients as there are, with all their cases."""
    places: dict[str, list[int]] = {}
    for place, patient in enumerate(patients):
        places.setdefault(patient, []).append(place)
    groups = list(places.values())
    picked = np.random.default_rng(seed).integers(len(groups), size=(count, len(groups)))
    return [np.array([place for one in row for place in groups[one]]) for row in picked]


def entry(
    runs: Sequence[Answers],
    minus: Sequence[Answers],
    score: Scorer | Sequence[Scorer],
    count: int,
    seed: int = 0,
) -> dict[str, tuple[float, float, float]]:
    """Value, low and high of the mean of runs minus the mean of others; NaN where undefined.

    `score`: of each run, of runs and then of others; or one for all.
    """
    each = [score] * (len(runs) + len(minus)) if callable(score) else list(score)

    def at(rows: np.ndarray) -> dict[str, float]:
        pairs = list(zip([*runs, *minus], each, strict=True))
        mine = [how(one, rows) for one, how in pairs[: len(runs)]]
        theirs = [how(one, rows) for one, how in pairs[len(runs) :]]
        return {
            name: math.fsum(one[name] for one in mine) / len(mine)
            - (math.fsum(one[name] for one in theirs) / len(theirs) if theirs else 0)
            for name in mine[0]
        }

    value = at(np.arange(len(runs[0].truth)))
    drawn = [at(rows) for rows in draws(runs[0].patients, count, seed)]
    found = {}
    for name, number in value.items():
        known = [one[name] for one in drawn if not math.isnan(one[name])]
        low, high = np.quantile(known, [0.025, 0.975]).tolist() if known else [math.nan] * 2
        found[name] = (number, low, high)
    return found


def scores(given: Answers, rows: np.ndarray) -> Values:
    """Every score of the report's tables of scores, by the names of its CSV columns."""
    truth, chances, predicted = given.truth[rows], given.chances[rows], given.predicted[rows]
    count, classes = chances.shape
    each: dict[str, list[float]] = defaultdict(list)
    for k in range(classes):
        mine, called, p = truth == k, predicted == k, chances[:, k]
        hits, alarms, missed = (mine & called).sum(), (~mine & called).sum(), (mine & ~called).sum()
        right = count - hits - alarms - missed
        if not mine.any():
            for name in ("accuracy", "f1", "precision", "recall", "specificity", "auroc", "pr_auc"):
                each[name].append(math.nan)
            continue
        each["accuracy"].append((hits + right) / count)
        each["f1"].append(2 * hits / (2 * hits + alarms + missed))
        each["precision"].append(hits / (hits + alarms) if hits + alarms else 0.0)
        each["recall"].append(hits / (hits + missed))
        each["specificity"].append(right / (right + alarms))
        pairs = p[mine][:, None] - p[~mine]
        each["auroc"].append(((pairs > 0) + 0.5 * (pairs == 0)).mean())
        area = before = 0.0
        for threshold in sorted(set(p.tolist()), reverse=True):
            above = p >= threshold
            recall = (above & mine).sum() / mine.sum()
            area += (recall - before) * (above & mine).sum() / above.sum()
            before = recall
        each["pr_auc"].append(area)
    found = {name: float(np.nanmean(values)) for name, values in each.items()}
    for name, values in each.items():
        found |= {f"{name} of {k}": float(value) for k, value in enumerate(values)}
    found["right"] = float((truth == predicted).mean())
    found["balanced"] = found["recall"]
    chance = sum((truth == k).mean() * (predicted == k).mean() for k in range(classes))
    found["κ"] = float(1 - (1 - found["right"]) / (1 - chance))
    found["brier"] = float(((chances - np.eye(classes)[truth]) ** 2).sum(1).mean())
    sure, hit = chances[np.arange(count), predicted], truth == predicted
    found["ece"] = 0.0
    for m in range(15):
        inside = (sure > m / 15) & (sure <= (m + 1) / 15)
        if inside.any():
            gap = abs(sure[inside].mean() - hit[inside].mean())
            found["ece"] += float(inside.mean() * gap)
    return found


def points(thresholds: Sequence[float]) -> Scorer:
    """Scores of "p_k ≥ t" for each class, by "score of k"."""

    def score(given: Answers, rows: np.ndarray) -> Values:
        found: dict[str, float] = {}
        for k, threshold in enumerate(thresholds):
            mine, called = given.truth[rows] == k, given.chances[rows, k] >= threshold
            for name, of, what in (
                ("sensitivity", mine, called), ("specificity", ~mine, ~called),
                ("ppv", called, mine), ("npv", ~called, ~mine), ("flagged", mine | ~mine, called),
            ):  # fmt: skip
                found[f"{name} of {k}"] = float(what[of].mean()) if of.any() else math.nan
        return found

    return score


def threshold(given: Answers, k: int, sensitivity: float) -> float:
    """The value of p_k that reaches a sensitivity with the highest specificity."""
    mine, p = given.truth == k, given.chances[:, k]
    found = []
    for value in p.tolist():
        hits, alarms = (p[mine] >= value).sum(), (p[~mine] >= value).sum()
        if hits / mine.sum() >= sensitivity:
            found.append((-alarms, hits, value))
    return float(max(found)[2])


def net_benefit(steps: Sequence[int]) -> Scorer:
    """Net benefit at thresholds in %, by "step of k", and of calling all, "all step of k".

    Also the true and false positives, "hits step of k" and "false step of k".
    """

    def score(given: Answers, rows: np.ndarray) -> Values:
        found = {}
        for k in range(given.chances.shape[1]):
            mine, p = given.truth[rows] == k, given.chances[rows, k]
            for step in steps:
                odds = step / (100 - step)
                called = p >= step / 100
                hits, alarms = (called & mine).sum(), (called & ~mine).sum()
                found |= {f"hits {step} of {k}": float(hits), f"false {step} of {k}": float(alarms)}
                benefit = hits - alarms * odds
                found[f"{step} of {k}"] = float(benefit / len(rows)) if mine.any() else math.nan
                everyone = mine.mean() - (1 - mine.mean()) * odds
                found[f"all {step} of {k}"] = float(everyone) if mine.any() else math.nan
        return found

    return score
