"""The folder of a learning curve: a page, its tables as CSV, and the picture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from distill.evaluation import guarded_csv
from distill.learning.equivalence import ABOVE, BELOW
from distill.learning.figure import NAME, curve_figure
from distill.learning.measure import MeasuredCurve
from distill.learning.page import page
from distill.report import ends

FOLDER = "learning-curve"
"""Below an experiment's folder."""
FILES = (
    "report.md", "curve.csv", "differences.csv", "steps.csv", "needed.csv",
    f"{NAME}.svg", f"{NAME}.png",
)  # fmt: skip
_ENTRY = ["score", "value", "low", "high"]
COLUMNS = {
    "curve.csv": [
        "labeled_patients", "labeled_crops", "method", "level", *_ENTRY,
        "seeds", "seeds_standard_deviation", "seeds_least", "seeds_most",
    ],
    "differences.csv": ["labeled_patients", "method", "minus", "level", *_ENTRY],
    "steps.csv": ["from_patients", "to_patients", "doublings", "method", "level", *_ENTRY],
    "needed.csv": [
        "labeled_patients", "method", "level", "score", "baseline_needs", "low", "high",
    ],
}  # fmt: skip
"""Of the tables; there where a table has no row, too."""
Row = dict[str, Any]


def curve_files(measured: MeasuredCurve) -> dict[str, bytes]:
    """Return name → content of the folder's files; docs/how-to/learning-curves.md has the columns.

    Numbers in the CSV files are fractions of 1, unrounded.
    """
    tables = {
        "curve.csv": _curve(measured),
        "differences.csv": _differences(measured),
        "steps.csv": _steps(measured),
        "needed.csv": _needed(measured),
    }
    csv = {name: guarded_csv(pd.DataFrame(rows, columns=COLUMNS[name]))
           for name, rows in tables.items()}  # fmt: skip
    return {"report.md": page(measured).encode(), **csv, **curve_figure(measured)}


def _entries(block: Mapping[str, Any]) -> list[tuple[tuple[str, str], Row]]:
    """Return group and name of every score of a block that is no class's own, and its cells."""
    found = []
    for group in ("overall", "macro"):
        for name, entry in block[group].items():
            low, high = ends(entry) or (None, None)
            cells = {"score": f"{group}_{name}", "value": entry["value"], "low": low, "high": high}
            found.append(((group, name), cells))
    return found


def _curve(measured: MeasuredCurve) -> list[Row]:
    rows = []
    for one in measured.scored:
        for key, cells in _entries(one.block):
            seeds = np.array([values[key] for values in one.seeds])
            known = seeds[~np.isnan(seeds)]
            several = len(known) > 1
            rows.append(
                {
                    "labeled_patients": one.point.patients,
                    "labeled_crops": one.point.crops,
                    "method": one.line.method,
                    "level": one.line.level,
                    **cells,
                    "seeds": len(known),
                    "seeds_standard_deviation": known.std(ddof=1) if several else None,
                    "seeds_least": known.min() if several else None,
                    "seeds_most": known.max() if several else None,
                }
            )
    return rows


def _differences(measured: MeasuredCurve) -> list[Row]:
    return [
        {
            "labeled_patients": one.patients,
            "method": one.line.method,
            "minus": "baseline",
            "level": one.line.level,
            **cells,
        }
        for one in measured.differences
        for _, cells in _entries(one.block)
    ]


def _steps(measured: MeasuredCurve) -> list[Row]:
    return [
        {
            "from_patients": one.few,
            "to_patients": one.many,
            "doublings": one.doublings,
            "method": one.line.method,
            "level": one.line.level,
            **cells,
        }
        for one in measured.steps
        for _, cells in _entries(one.block)
    ]


def _needed(measured: MeasuredCurve) -> list[Row]:
    numbers = measured.curve.numbers

    def cell(value: float | None) -> str:
        if value is None:
            return ""
        if value == BELOW:
            return f"<={numbers[0]}"
        return f">{numbers[-1]}" if value == ABOVE else f"{value:.4g}"

    return [
        {
            "labeled_patients": one.patients,
            "method": one.line.method,
            "level": one.line.level,
            "score": f"{measured.score.group}_{measured.score.name}",
            "baseline_needs": cell(one.value),
            "low": cell(one.interval[0] if one.interval else None),
            "high": cell(one.interval[1] if one.interval else None),
        }
        for one in measured.needed
    ]
