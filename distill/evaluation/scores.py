"""What an evaluation's files hold: its format, its tables, and each score's name and place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

FORMAT = "distill-evaluation/2"
TABLES = ("crops.csv", "levels.csv")
"""Files whose SHA-256 stand for the store; levels.csv holds exact sums of every crop's pixels."""

KINDS = ("crops", "slides", "patients")
MACRO = {
    "accuracy": ("macro", "one_vs_rest_accuracy"),
    "F1": ("macro", "f1"),
    "precision": ("macro", "precision"),
    "recall": ("macro", "recall"),
}
PAPER = {"paper's accuracy": ("macro", "paper_accuracy")}
OVERALL = {
    "right": ("overall", "accuracy"),
    "balanced": ("overall", "balanced_accuracy"),
    "AUROC": ("macro", "auroc"),
    "ECE": ("overall", "expected_calibration_error"),
}
DIFFERENCES = {name: MACRO[name] for name in ("accuracy", "F1")} | {
    name: OVERALL[name] for name in ("AUROC", "ECE")
}
Report = Mapping[str, Any]
Columns = Mapping[str, tuple[str, str]]


def percent(entry: Mapping[str, Any], sign: str = "") -> str:
    """Return an entry of a report as "value\\nlow–high" in %, "–" for what is not defined."""
    if entry["value"] is None:
        return "–"
    value = f"{100 * entry['value']:{sign}.2f}"
    if entry["interval"] is None:
        return f"{value}\n–"
    low, high = (f"{100 * end:{sign}.2f}" for end in entry["interval"])
    return f"{value}\n{low}{' to ' if sign else '–'}{high}"
