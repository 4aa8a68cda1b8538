"""metrics.json of an evaluation, read back: what readers take from it is what they take it for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from distill.errors import RunError
from distill.evaluation.choices import Aggregate
from distill.evaluation.operating_rule import OPERATING_POINTS, YOUDEN, OperatingRule
from distill.evaluation.scores import COHORT_FORMAT, FORMAT
from distill.files import read_json
from distill.runs import require_types

_OBJECT = Mapping[str, Any]
_TYPES: Mapping[str, Any] = {
    "weights_sha256": str,
    "split": str,
    "split_sha256": str,
    "subset": str,
    "views": int,
    "aggregate": str,
    "skipped": _OBJECT,
    "calibration": _OBJECT | None,
    "bootstrap": _OBJECT,
    "bootstrap.unit": str,
    "bootstrap.draws": int,
    "bootstrap.seed": int,
    "operating_points": _OBJECT,
    "operating_points.rule": str,
    "operating_points.subset": str,
    "operating_points.positive": str | None,
    "absent_classes": list[str],
    "confusion": list[list[int]],
    "training_patients": int | None,
    "epoch_patients": int | None,
    "temperature_patients": int | None,
    "slides": _OBJECT,
    "patients": _OBJECT,
    "cost": _OBJECT,
    "cohort": _OBJECT,
    "cohort.name": str,
    "cohort.split_classes": _OBJECT,
    "cohort.unknown_classes": _OBJECT,
    "cohort.unknown_classes.rule": str,
    "cohort.unknown_classes.classes": _OBJECT,
    "cohort.absent_classes": _OBJECT,
    "cohort.absent_classes.rule": str,
    "cohort.absent_classes.classes": list[str],
    "cohort.patient_ids": str,
}
_NEEDED = ("slides", "patients", "cost")


def read_report(path: Path) -> dict[str, Any]:
    """Return what a metrics.json holds, of whatever format.

    Raises:
        RunError: it cannot be read, or an entry that is read later holds another type than it has
            or is missing.
    """
    report = read_json(path)
    require_types(path, report, _TYPES)
    try:
        Aggregate.parse(report.get("aggregate", "mean"))
    except ValueError as error:
        raise RunError(f"{path} is damaged: its aggregate {error}") from error
    try:
        OperatingRule.parse((report.get(OPERATING_POINTS) or {}).get("rule", YOUDEN))
    except ValueError as error:
        raise RunError(f"{path} is damaged: its rule {error}") from error
    ours = report.get("format") in (FORMAT, COHORT_FORMAT)
    if ours and (lacking := [k for k in _NEEDED if k not in report]):
        raise RunError(f"{path} is damaged: it lacks {' and '.join(lacking)}")
    return report
