"""Several methods over the same folds in one Markdown page, and as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from distill.errors import RunError
from distill.evaluation import ScoreTable, score_columns
from distill.files import read_json
from distill.pooling.output import DIFFERENCES, METRICS
from distill.report import markdown, markdown_table
from wsistore import texts

SUMMARY = ("report.md", "methods.csv", "differences.csv", "folds.csv")
Cells = list[str]


def summary_files(folders: Sequence[Path]) -> dict[str, bytes]:
    """Return name → content of a page on pooled evaluations, and of its tables.

    Args:
        folders: of pooled evaluations of the same folds, at least one; named by the method.

    Raises:
        RunError: one is damaged.
    """
    reports = {folder.name: read_json(folder / METRICS) for folder in folders}
    found = {one: folder / DIFFERENCES for folder in folders if (one := folder.name)}
    differences = {name: read_json(file) for name, file in found.items() if file.exists()}
    try:
        tables = {
            "methods.csv": _methods(reports),
            "differences.csv": _differences(differences),
            "folds.csv": _folds(reports),
        }
        text = _page(next(iter(reports.values())), tables)
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(f"{folders[0].parent}: an evaluation is damaged ({error!r})") from error
    files = {name: _csv(rows) for name, rows in tables.items()}
    return {"report.md": text.encode(), **files}


def _methods(reports: Mapping[str, Mapping[str, Any]]) -> list[Cells]:
    columns = score_columns(ScoreTable.MACRO, reports.values())
    rows = [["method", "level", "gmac_per_crop", *_spread_names(columns)]]
    for name, report in reports.items():
        cells = [name, report["level"], f"{report['cost']['gmac_per_crop']['mean']:.4g}"]
        for score in columns.values():
            held = report["spread"]["folds"][score.group][score.name]
            cells += [*_entry(score.entry(report)), _number(held["standard_deviation"])]
        rows.append(cells)
    return rows


def _differences(reports: Mapping[str, Mapping[str, Any]]) -> list[Cells]:
    columns = score_columns(ScoreTable.DIFFERENCES, [one["crops"] for one in reports.values()])
    names = [part for name in columns for part in (name, f"{name} low", f"{name} high")]
    rows = [["method", "minus", *names]]
    for name, report in reports.items():
        cells = [name, str(report["minus"]["run"])]
        for score in columns.values():
            cells += _entry(score.entry(report["crops"]))
        rows.append(cells)
    return rows


def _folds(reports: Mapping[str, Mapping[str, Any]]) -> list[Cells]:
    columns = score_columns(ScoreTable.MACRO, reports.values())
    rows = [["method", "split", "site", "seed", "crops", "patients", *columns]]
    for name, report in reports.items():
        for fold in report["per_fold"]:
            scored = fold["scored"]
            about = [name, fold["split"], fold.get("site", ""), str(fold["seed"])]
            numbers = [_number(fold[s.group][s.name]) for s in columns.values()]
            rows.append([*about, str(scored["crops"]), str(scored["patients"]), *numbers])
    return rows


def _spread_names(columns: Iterable[str]) -> Cells:
    ends = ("", " low", " high", " between folds")
    return [f"{name}{end}" for name in columns for end in ends]


def _entry(entry: Mapping[str, Any]) -> Cells:
    low, high = entry["interval"] or (None, None)
    return [_number(entry["value"]), _number(low), _number(high)]


def _number(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.2f}"


def _csv(rows: Sequence[Cells]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([[_guarded(c) for c in row] for row in rows])
    return text.getvalue().encode()


def _guarded(cell: str) -> str:
    """Return a cell that no spreadsheet runs; a number may begin with a sign."""
    try:
        float(cell)
    except ValueError:
        return texts.csv_cell(cell)
    return cell


def _page(report: Mapping[str, Any], tables: Mapping[str, list[Cells]]) -> str:
    scored, about = report["scored"], report["bootstrap"]
    passes = f"repeats {_listed(report['repeats'])}, seeds {_listed(report['seeds'])}"
    parts = [
        f"# Cross-validation {markdown(report['split'])}",
        f"{scored['patients']} patients, {scored['crops']} crops, each tested once in every repeat "
        f"with every seed ({passes}). All scores are over crops, means over classes, in percent; "
        f"low and high are the ends of {about['confidence']:.0%} intervals: percentile bootstrap "
        f"over {about['unit']}s, {about['draws']:,} draws, the same for all methods.",
        "## Pooled",
        "Between folds: standard deviation of the folds' own scores, each the mean over seeds.",
        markdown_table(tables["methods.csv"]),
    ]
    if len(tables["differences.csv"]) > 1:
        parts += [
            "## Differences",
            "Percentage points, paired: both methods see the same patients in every draw.",
            markdown_table(tables["differences.csv"]),
        ]
    parts += [
        "## Folds",
        "Few patients each, so without intervals.",
        markdown_table(tables["folds.csv"]),
    ]
    return "\n\n".join(parts) + "\n"


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(str(number) for number in numbers)
