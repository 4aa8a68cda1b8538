"""The folder of a deferral: curve.csv, defer.json and the picture; and what is said of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from distill.deferral.choosing import Choice
from distill.deferral.curve import OperatingPoint, Point, shown_scores
from distill.deferral.figure import defer_figure, drawn_curve
from distill.deferral.pair import Pair
from distill.evaluation import Score, guarded_csv, leakage
from distill.files import encode
from distill.output_folder import has_format, own_name, require_replaceable, staged_folder
from distill.report import Evaluated, ends, interval, percent, quantity

FORMAT = "distill-defer/1"
REPORT, CURVE = "defer.json", "curve.csv"
NAMES = (REPORT, CURVE, "defer.svg", "defer.png")
_OF_RUN = (
    "weights_sha256", "network", "level", "calibration",
    *(f"{way}_patients" for way in leakage.HOW),
)  # fmt: skip
_SHARED = ("store", "store_sha256", "split", "split_sha256", "subset", "bootstrap")


def check_defer_folder(out: Path, overwrite: bool) -> None:
    """Refuse a place that holds anything, unless it is an earlier deferral to be replaced.

    Raises:
        UsageError: as `distill.output_folder.require_replaceable`.
    """
    require_replaceable(out, overwrite, "a deferral", has_format(REPORT, FORMAT), NAMES)


def write_deferral(
    out: Path,
    pair: Pair,
    curve: Sequence[Point],
    score: Score,
    chosen: tuple[Choice, OperatingPoint] | None,
    overwrite: bool,
) -> None:
    """Write the folder so that it appears with all of its files, or not at all.

    Args:
        out: the folder.
        pair: the runs.
        curve: of the pair.
        score: what the picture shows.
        chosen: how the threshold was chosen, and the pair with it; None where none was.
        overwrite: whether an earlier deferral there is replaced.

    Raises:
        UsageError: as `check_defer_folder`.
    """
    files = {
        CURVE: curve_csv(curve),
        REPORT: encode(_report(pair, curve, chosen)),
        **defer_figure(drawn_curve(pair, curve, score, chosen[1].point if chosen else None)),
    }
    check_defer_folder(out, overwrite)
    with staged_folder(out) as folder:
        for name, content in files.items():
            (folder / name).write_bytes(content)


def curve_csv(curve: Sequence[Point]) -> bytes:
    """Return a curve as a table: docs/how-to/defer.md has its columns."""
    rows = []
    for point in curve:
        row: dict[str, float] = {
            "threshold": point.step.threshold,
            "crops_deferred": point.step.deferred,
            "share_deferred": point.share,
            "gmac_per_patient": point.gmac_per_patient,
            "gmac_per_crop": point.gmac_per_crop,
        }
        for score in shown_scores(point.block):
            entry, name = score.entry(point.block), f"{score.group}_{score.name}"
            low, high = ends(entry) or (math.nan, math.nan)
            value = math.nan if entry["value"] is None else entry["value"]
            row |= {name: value, f"{name}_low": low, f"{name}_high": high}
        rows.append(row)
    return guarded_csv(pd.DataFrame(rows))


def summary(
    pair: Pair,
    curve: Sequence[Point],
    score: Score,
    chosen: tuple[Choice, OperatingPoint] | None,
) -> list[str]:
    """Return lines for a terminal: each run alone, and both together with a chosen threshold."""
    lines = [
        f"student alone: {_said(score, curve[0])}, {quantity(pair.cost.student)} GMAC a crop",
        f"teacher alone: {_said(score, curve[-1])}, {quantity(pair.cost.teacher)} GMAC a crop",
    ]
    if chosen is None:
        return lines
    choice, found = chosen
    minus = score.entry(found.minus_teacher)
    value = "–" if minus["value"] is None else percent(minus["value"], sign=True)
    return [
        *lines,
        f"threshold {_threshold(choice.step.threshold)}, chosen on {choice.subset} (within "
        f"{choice.rule.within:g} points of the teacher there, "
        f"{percent(choice.step.deferred / choice.crops, 1)} % of its crops deferred)",
        f"both together: {_said(score, found.point)}, {quantity(found.point.gmac_per_crop)} GMAC "
        f"a crop, {percent(found.point.share, 1)} % of the crops deferred",
        f"both minus teacher: {value} points ({interval(ends(minus), sign=True)})",
    ]


def _said(score: Score, point: Point) -> str:
    entry = score.entry(point.block)
    value = "–" if entry["value"] is None else percent(entry["value"])
    return f"{score.words} {value} % ({interval(ends(entry))})"


def _threshold(value: float) -> str:
    return f"{value:.6g}" if math.isfinite(value) else "above every confidence"


def _report(
    pair: Pair, curve: Sequence[Point], chosen: tuple[Choice, OperatingPoint] | None
) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "student": _run(pair.student),
        "teacher": _run(pair.teacher),
        **{key: pair.student.metrics[key] for key in _SHARED},
        "classes": list(pair.first.classes),
        "crops": len(pair.first.table),
        "patients": pair.cost.patients,
        "scored": curve[0].block["scored"],
        "points": len(curve),
        "gmac_per_crop": {"student": pair.cost.student, "teacher": pair.cost.teacher},
        "units": {
            "scores": "fractions of 1",
            "threshold": "probability of the class predicted; the teacher reads what is below; "
            "null: every crop",
        },
        "chosen": None if chosen is None else _chosen(*chosen),
    }


def _run(one: Evaluated) -> dict[str, Any]:
    return {"run": own_name(one.run.path), **{key: one.metrics[key] for key in _OF_RUN}}


def _chosen(choice: Choice, found: OperatingPoint) -> dict[str, Any]:
    threshold, point, rule = choice.step.threshold, found.point, choice.rule
    return {
        "threshold": threshold if np.isfinite(threshold) else None,
        "on": {
            "subset": choice.subset,
            "score": f"{rule.about.group} {rule.about.name}",
            "within_points": rule.within,
            "crops": choice.crops,
            "crops_deferred": choice.step.deferred,
            "value": choice.value,
            "teacher": choice.teacher,
        },
        "crops_deferred": point.step.deferred,
        "share_deferred": point.share,
        "gmac_per_patient": point.gmac_per_patient,
        "gmac_per_crop": point.gmac_per_crop,
        "scores": point.block,
        "minus_teacher": found.minus_teacher,
        "minus_student": found.minus_student,
    }
