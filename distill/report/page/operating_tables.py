"""Tables of operating points: what thresholds chosen elsewhere do, and students minus teacher."""

from __future__ import annotations

from distill.evaluation import POINT_SCORES, notes_of_points, shown_threshold
from distill.report.methods import MethodRow
from distill.report.operating import OperatingPoints, thresholds
from distill.report.page.cells import (
    CASES,
    CLASS,
    COMPARED,
    LEVEL,
    METHOD,
    cases,
    compared,
    head,
    resampled,
    score,
    scored,
)
from distill.report.page.table import Cell, Column, Table, count, text
from distill.report.scores import Measured


def points_table(points: OperatingPoints, measured: Measured) -> Table:
    """Return the scores of each row at its thresholds: crops, slides, patients, each class."""
    body = [
        (*head(row), cases(kind, entry["cases"] + entry["others"]), text(label),
         count(entry["cases"]), _threshold(row, kind, label),
         *(score(entry[name]) for name in POINT_SCORES))
        for row, blocks in points.rows for kind, block in blocks.items()
        for label, entry in block["per_class"].items()
    ]  # fmt: skip
    chosen = Column("threshold", ("threshold", "threshold_seeds_low", "threshold_seeds_high"))
    made = (
        LEVEL, METHOD, CASES, CLASS, Column("of the class", ("of_the_class",)), chosen,
        *scored(POINT_SCORES.values()),
    )  # fmt: skip
    caption = (
        f"In %. {notes_of_points()}. Of several seeds the mean, each at its own threshold. "
        f"{resampled(measured)} The threshold stays as it was chosen."
    )
    return Table("operating-points", "At the thresholds", caption, made, tuple(body))


def difference_table(points: OperatingPoints, measured: Measured) -> Table | None:
    """Return students and baselines minus the teacher; None where none can be compared."""
    body = [
        (*compared(one), cases(kind, entry["cases"] + entry["others"]), text(label),
         *(score(entry[name], sign=True) for name in POINT_SCORES))
        for one, blocks in points.to_teacher for kind, block in blocks.items()
        for label, entry in block["per_class"].items()
    ]  # fmt: skip
    if not body:
        return None
    caption = (
        "Percentage points; each network at its own thresholds, both in the same draws. "
        f"{resampled(measured)}"
    )
    made = (LEVEL, COMPARED, CASES, CLASS, *scored(POINT_SCORES.values()))
    title = "At the thresholds: students and baselines minus the teacher"
    return Table("operating-points-minus-teacher", title, caption, made, tuple(body))


def _threshold(row: MethodRow, kind: str, label: str) -> Cell:
    """Return the threshold of a row's only run, or between what values those of its seeds lie."""
    found = thresholds(row, kind, label)
    values = [
        float("inf") if one["threshold"] is None else float(one["threshold"])
        for one in found if one is not None
    ]  # fmt: skip
    if len(found) == 1:
        return Cell(shown_threshold(found[0]), (values[0] if values else None, None, None))
    if not values:
        return Cell(shown_threshold(None), (None, None, None))
    ends = [
        shown_threshold({"threshold": None if end == float("inf") else end})
        for end in (min(values), max(values))
    ]
    return Cell("–".join(dict.fromkeys(ends)), (None, min(values), max(values)))
