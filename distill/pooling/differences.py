"""Differences between two methods over the same folds: differences.json of a pooled evaluation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from distill.errors import RunError, UsageError
from distill.evaluation import BootstrapSettings, Predictions, read_guarded_csv, scoring
from distill.files import read_json
from distill.output_folder import has_format, own_name
from distill.pooling.evaluation import FORMAT, Pooled

DIFFERENCE_FORMAT = "distill-pooled-difference/1"
_SHARED = ("store_sha256", "split", "subset", "aggregate", "bootstrap")


def pooled_differences(
    pooled: Pooled, name: str, minus: Path, how: BootstrapSettings
) -> dict[str, Any]:
    """Return the scores of a pooled evaluation minus those of another, paired in every draw.

    Args:
        pooled: the evaluation.
        name: of its folder.
        minus: folder of the other, of another method over the same folds.
        how: the bootstrap of both.

    Raises:
        UsageError: the folder holds no pooled evaluation, or one of other folds, of another store
            or subset, or evaluated in another way.
        RunError: it is damaged.
        SubsetError: the methods tell other classes apart, or share no labelled crop.
    """
    file = minus / "metrics.json"
    if not has_format(file.name, FORMAT)(minus):
        raise UsageError(f"{minus} holds no pooled evaluation; make one with 'distill pool'")
    report, other = pooled.report, read_json(file)
    for key in _SHARED:
        if other.get(key) != report[key]:
            raise UsageError(f"{minus} is of another {key} than {name}; pool both again")
    if _calibrated(other) != _calibrated(report):
        raise UsageError(f"{minus} is of another calibration than {name}; evaluate both alike")
    if _folds(other, file) != _folds(report, file):
        raise UsageError(f"{minus} is of other folds than {name}; pool both again")
    return {
        "format": DIFFERENCE_FORMAT,
        "run": {"run": name, "network": report["network"], "level": report["level"]},
        "minus": {"run": own_name(minus), "network": other["network"], "level": other["level"]},
        **{key: report[key] for key in _SHARED if key != "bootstrap"},
        "calibrated": report["calibration"] is not None,
        "classes": report["classes"],
        "units": {"scores": f"differences, run minus minus, {scoring.UNITS['scores']}"},
        **scoring.mean_difference(
            pooled.passes.answers,
            _passes(minus / "predictions.csv"),
            how,
            str(report["aggregate"]),
            paper="paper_accuracy" in report["macro"] and "paper_accuracy" in other["macro"],
        ),
    }


def _calibrated(report: dict[str, Any]) -> Any:
    held = report.get("calibration")
    return held.get("subset") if isinstance(held, dict) else None


def _folds(report: dict[str, Any], file: Path) -> set[tuple[str, str]]:
    """Return the folds of a pooled evaluation, with the SHA-256 of each."""
    try:
        return {(str(one["split"]), str(one["split_sha256"])) for one in report["runs"]}
    except (KeyError, TypeError) as error:
        raise RunError(f"{file} is damaged ({error!r}); pool the runs again") from error


def _passes(file: Path) -> list[Predictions]:
    """Read the answers of each pass of a pooled evaluation."""
    try:
        table = read_guarded_csv(file)
        parts = [part for _, part in table.groupby(["repeat", "seed"], sort=False)]
        own = [one.drop(columns=["repeat", "seed", "split"]) for one in parts]
    except (OSError, ValueError, KeyError) as error:
        raise RunError(f"{file} cannot be read ({error}); pool the runs again") from error
    return [Predictions.of_cells(one.reset_index(drop=True), "crop", file) for one in own]
