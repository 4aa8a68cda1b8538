"""Operating points of rows, and of students minus their teacher, each at thresholds of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from distill.evaluation import (
    OPERATING_POINTS,
    OperatingRule,
    Predictions,
    operating_points,
    scoring,
)
from distill.report.evaluations import Evaluated
from distill.report.methods import MethodRow
from distill.report.scores import Block, Difference, Measured


@dataclass(frozen=True)
class OperatingPoints:
    """What thresholds do that were chosen elsewhere.

    Attributes:
        rule: by which they were chosen.
        subset: on what.
        rows: each row with its blocks, by "crops", "slides", "patients" where any is scored; of
            several seeds the mean of the seeds, each at its own thresholds.
        to_teacher: the same of each difference in `Measured.to_teacher`.
    """

    rule: OperatingRule
    subset: str
    rows: tuple[tuple[MethodRow, Mapping[str, Block]], ...]
    to_teacher: tuple[tuple[Difference, Mapping[str, Block]], ...]


def measure_points(measured: Measured) -> OperatingPoints | None:
    """Return the operating points of rows; None where the evaluations were not asked for them."""
    found = measured.collected.runs[0].metrics.get(OPERATING_POINTS)
    if found is None:
        return None
    return OperatingPoints(
        OperatingRule.parse(found["rule"]),
        str(found["subset"]),
        tuple((row, _of_row(row, measured)) for row in measured.rows),
        tuple((one, _scored(one.row.runs, one.others, measured)) for one in measured.to_teacher),
    )


def thresholds(row: MethodRow, kind: str, label: str) -> list[Mapping[str, Any] | None]:
    """Return what metrics.json of each of a row's runs has of the threshold of a class."""
    return [one.metrics[OPERATING_POINTS][kind]["per_class"][label]["chosen"] for one in row.runs]


def _of_row(row: MethodRow, measured: Measured) -> dict[str, Block]:
    if len(row.runs) > 1:
        return _scored(row.runs, (), measured)
    found = row.runs[0].metrics[OPERATING_POINTS]
    return {f"{kind}s": found[f"{kind}s"] for kind in scoring.KINDS if f"{kind}s" in found}


def _scored(
    runs: Sequence[Evaluated], minus: Sequence[Evaluated], measured: Measured
) -> dict[str, Block]:
    """Score the mean of runs, minus the mean of others, where every run has thresholds."""
    how, aggregate = measured.collected.how, measured.collected.aggregate
    blocks: dict[str, Block] = {}
    for kind in scoring.KINDS:
        held = [one.metrics[OPERATING_POINTS] for one in (*runs, *minus)]
        if all(f"{kind}s" in one for one in held):
            block = operating_points.mean_points(
                [_at(one, f"{kind}s") for one in runs],
                [_at(one, f"{kind}s") for one in minus],
                kind,
                how,
                aggregate,
            )
            blocks |= {} if block is None else {f"{kind}s": block}
    return blocks


def _at(one: Evaluated, kind: str) -> tuple[Predictions, operating_points.Thresholds]:
    return one.answers, operating_points.thresholds_of(one.metrics, kind)
