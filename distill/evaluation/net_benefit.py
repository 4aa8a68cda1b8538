"""Decision curves of runs, over crops and patients, and their table beside metrics.json."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from distill.evaluation import scoring
from distill.evaluation.metrics.net_benefit import THRESHOLDS, DecisionCurves, decision_curves
from distill.evaluation.predictions import Predictions, guarded_csv
from distill.evaluation.scoring import BootstrapSettings

NET_BENEFIT_CSV = "net_benefit.csv"
DECIDED = ("crop", "patient")
"""Kinds of cases that are decided about."""


@dataclass(frozen=True)
class NetBenefit:
    """Decision curves, and of what.

    Attributes:
        classes: K names.
        cases: how many are scored.
        of_class: (K,) how many of them are of each class.
        curves: of the classes.
    """

    classes: tuple[str, ...]
    cases: int
    of_class: tuple[int, ...]
    curves: DecisionCurves


def net_benefit_of(
    runs: Sequence[Predictions],
    minus: Sequence[Predictions],
    how: BootstrapSettings,
    aggregate: str,
) -> dict[str, NetBenefit]:
    """Return the net benefit of the mean of runs, minus that of the mean of others, if there are.

    Args:
        runs: at least one; answers for crops.
        minus: the same; may be none.
        how: the bootstrap; all runs see the same draws.
        aggregate: how crops add up to a patient.

    Returns:
        By "crops" and, where a patient has a label, "patients".

    Raises:
        SubsetError: the runs tell other classes apart, or share no labelled crop.
    """
    there, made = scoring.aligned([*minus, *runs]), {}
    for kind in DECIDED:
        each = [one if kind == "crop" else one.by(kind, aggregate) for one in there]
        if not each[0].table["label"].notna().any():
            continue
        found, _ = scoring.cases(each)
        classes = each[0].classes
        made[f"{kind}s"] = NetBenefit(
            classes,
            len(found.truth),
            tuple(np.bincount(found.truth, minlength=len(classes)).tolist()),
            decision_curves(found, len(minus), how.unit, how.draws, how.seed),
        )
    return made


def net_benefit_csv(answers: Predictions, how: BootstrapSettings, aggregate: str) -> bytes:
    """Return a run's decision curves as a table: a row for each kind, class and threshold.

    Args:
        answers: for crops; some have a label.
        how: the bootstrap.
        aggregate: how crops add up to a patient.
    """
    tables = [
        _rows(kind, found, k)
        for kind, found in net_benefit_of([answers], [], how, aggregate).items()
        for k in range(len(found.classes))
    ]
    return guarded_csv(pd.concat(tables, ignore_index=True))


def _rows(kind: str, found: NetBenefit, k: int) -> pd.DataFrame:
    curves = found.curves
    return pd.DataFrame(
        {
            "kind": kind,
            "class": found.classes[k],
            "cases": found.cases,
            "of_class": found.of_class[k],
            "threshold": THRESHOLDS,
            "true_positives": curves.hits[k].astype(np.int64),
            "false_positives": curves.false[k].astype(np.int64),
            "net_benefit": curves.value[k],
            "net_benefit_low": curves.interval[0, k],
            "net_benefit_high": curves.interval[1, k],
            "treat_all": curves.treat_all[k],
            "treat_all_low": curves.treat_all_interval[0, k],
            "treat_all_high": curves.treat_all_interval[1, k],
            "draws": int(curves.draws[k]),
        }
    )
