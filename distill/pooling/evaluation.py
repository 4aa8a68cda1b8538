"""One evaluation over all folds, with the spread between folds, seeds and repeats beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import wsistore
from distill.evaluation import (
    BootstrapSettings,
    Predictions,
    resampling,
    scoring,
)
from distill.output_folder import own_name
from distill.pooling.gather import FoldRun, Passes
from distill.training import method

FORMAT = "distill-pooled-evaluation/1"


@dataclass(frozen=True)
class Pooled:
    """A pooled evaluation: what was joined, and what metrics.json holds."""

    passes: Passes
    report: dict[str, Any]


def pool(passes: Passes, how: BootstrapSettings, store: wsistore.Store, subset: str) -> Pooled:
    """Score every crop, slide and patient once in each pass.

    The value of a score is its mean over the passes. In each draw all passes are scored on the
    same patients and the mean is taken, so that the interval tells of other patients, not of other
    seeds or other folds; `spread` tells of those.

    Args:
        passes: from `distill.pooling.gather`.
        how: the bootstrap.
        store: that the runs were evaluated on.
        subset: that they were evaluated on.

    Raises:
        SubsetError: no crop has a label.
    """
    first = passes.runs[0]
    aggregate = str(first.metrics["aggregate"])
    answers = passes.answers
    paper = all("paper_accuracy" in one.metrics["macro"] for one in passes.runs)
    report = {
        **_about(passes, store, subset),
        "predicted": {
            "crops": len(answers[0].table),
            "unlabelled": int(answers[0].table["label"].isna().sum()),
        },
        "classes": list(answers[0].classes),
        **_block(answers, how, "crop", aggregate, paper),
    }
    for kind in scoring.KINDS[1:]:
        groups = answers[0].by(kind, aggregate)
        mixed = groups.mixed(answers[0])
        unlabeled = int(groups.table["label"].isna().sum()) - mixed
        report[f"{kind}s"] = {
            "left_out": {"unlabelled": unlabeled, "mixed_labels": mixed},
            **(_block(answers, how, kind, aggregate, paper) or {"scored": {f"{kind}s": 0}}),
        }
    each = [scores_over_classes(one.answers, paper=paper) for one in passes.runs]
    whole = [scores_over_classes(one, paper=paper) for one in scoring.aligned(answers)]
    report["per_fold"] = [_fold_entry(*pair) for pair in zip(passes.runs, each, strict=True)]
    report["spread"] = spread(passes, each, whole)
    report["cost"] = {
        **mean_cost(passes.runs),
        "parameters": passes.runs[0].metrics["cost"]["parameters"],
    }
    return Pooled(passes, report)


def spread(
    passes: Passes, each: Sequence[Mapping[str, float]], whole: Sequence[Mapping[str, float]]
) -> dict[str, Any]:
    """Return how the scores over crops differ between folds, between seeds, between repeats.

    Args:
        passes: P passes over R runs.
        each: scores of each run on its own fold's crops, R.
        whole: scores of each pass over all crops, P.

    Returns:
        Keys folds, seeds, repeats; each has n, and for each score its standard_deviation (with
        n − 1 in the denominator) and range, [least, most], fractions of 1; None where fewer than
        two have the score. Of a fold the mean over seeds counts, of a seed that over repeats, and
        of a repeat that over seeds.
    """
    by: dict[str, tuple[Sequence[object], Sequence[Mapping[str, float]]]] = {
        "folds": ([(one.fold.repeat, one.fold.number) for one in passes.runs], each),
        "seeds": ([seed for _, seed in passes.keys], whole),
        "repeats": ([repeat for repeat, _ in passes.keys], whole),
    }
    return {name: _spread(keys, scores) for name, (keys, scores) in by.items()}


def _spread(keys: Sequence[object], scores: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    groups = list(dict.fromkeys(keys))
    found: dict[str, Any] = {"n": len(groups), "overall": {}, "macro": {}}
    for name in scores[0]:
        means = [
            np.mean([s[name] for key, s in zip(keys, scores, strict=True) if key == group])
            for group in groups
        ]
        known = [float(value) for value in means if not np.isnan(value)]
        kind, _, score = name.partition(" ")
        several = len(known) > 1
        found[kind][score] = {
            "standard_deviation": float(np.std(known, ddof=1)) if several else None,
            "range": [min(known), max(known)] if several else None,
        }
    return found


def scores_over_classes(answers: Predictions, *, paper: bool = False) -> dict[str, float]:
    """Return the scores over labelled crops that are no class's own; NaN where one is undefined."""
    if not answers.table["label"].notna().any():
        return {}
    cases, _ = scoring.cases([answers])
    (values,) = resampling.observed_scores(cases, paper=paper)
    return {name: float(value[()]) for name, value in values.items() if " " in name}


def _fold_entry(run: FoldRun, scores: Mapping[str, float]) -> dict[str, Any]:
    rows = run.answers.table
    labeled = rows[rows["label"].notna()]
    entry: dict[str, Any] = {
        "split": run.fold.split,
        "repeat": run.fold.repeat,
        "fold": run.fold.number,
        **({"site": run.fold.site} if run.fold.site else {}),
        "seed": run.seed,
        "scored": {f"{kind}s": int(labeled[kind].nunique()) for kind in scoring.KINDS},
        "overall": {},
        "macro": {},
    }
    for name, value in scores.items():
        kind, _, score = name.partition(" ")
        entry[kind][score] = None if np.isnan(value) else value
    return entry


def _block(
    answers: Sequence[Predictions],
    how: BootstrapSettings,
    kind: str,
    aggregate: str,
    paper: bool,
) -> dict[str, Any]:
    """Return a block of metrics.json; of one pass, that which an evaluation of it would have."""
    block = scoring.mean_score(answers, how, kind, aggregate, paper=paper)
    if block is None:
        return {}
    each = [one if kind == "crop" else one.by(kind, aggregate) for one in answers]
    tables = [np.array(scoring.counts(one)["confusion"]) for one in each]
    return {**block, "confusion": np.sum(tables, axis=0).tolist()}


def mean_cost(runs: Sequence[FoldRun]) -> dict[str, dict[str, float]]:
    """Return unit → the mean cost of a crop: over runs, each as often as it predicted crops."""
    times = np.array([len(one.answers.table) for one in runs], dtype=np.float64)
    costs = [one.metrics["cost"] for one in runs]
    return {
        unit: {"mean": float(np.average([c[unit]["mean"] for c in costs], weights=times))}
        for unit in ("gmac_per_crop", "gflop_per_crop")
    }


def _about(passes: Passes, store: wsistore.Store, subset: str) -> dict[str, Any]:
    first = passes.runs[0].metrics
    seeds = sorted({seed for _, seed in passes.keys})
    calibration = first["calibration"]
    config = passes.runs[0].evaluated.run.config
    return {
        "format": FORMAT,
        "method": method(config),
        "network": first["network"],
        "level": first["level"],
        "store": own_name(store.path),
        "store_sha256": store.tables_sha256(),
        "split": passes.family,
        "subset": subset,
        "repeats": sorted({repeat for repeat, _ in passes.keys}),
        "seeds": seeds,
        "runs": [
            {
                "run": own_name(one.path),
                "weights_sha256": one.evaluated.sha256,
                "split": one.fold.split,
                "split_sha256": one.metrics["split_sha256"],
                "seed": one.seed,
            }
            for one in passes.runs
        ],
        "aggregate": first["aggregate"],
        "calibration": calibration and {"subset": calibration["subset"]},
        "units": {
            **{key: scoring.UNITS[key] for key in ("scores", "expected_calibration_error")},
            "confusion": f"{scoring.UNITS['confusion']}; summed over repeats and seeds",
            "standard_deviation": "fractions of 1, n − 1 in the denominator",
            "range": "fractions of 1, least and most",
        },
    }
