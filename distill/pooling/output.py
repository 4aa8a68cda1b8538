"""The folder of a pooled evaluation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from distill.evaluation import Predictions, guarded_csv
from distill.files import encode
from distill.output_folder import has_format, require_replaceable
from distill.pooling.evaluation import FORMAT, Pooled

METRICS, DIFFERENCES = "metrics.json", "differences.json"
TABLES = {"crop": "predictions.csv", "slide": "slides.csv", "patient": "patients.csv"}
FILES = (*TABLES.values(), DIFFERENCES, METRICS)


def check_pool_folder(out: Path, overwrite: bool) -> None:
    """Refuse a folder that holds anything, unless it is a pooled evaluation to be replaced.

    Raises:
        UsageError: as `distill.output_folder.require_replaceable`.
    """
    ours: Callable[[Path], bool] = has_format(METRICS, FORMAT)
    require_replaceable(out, overwrite, "a pooled evaluation", ours, FILES)


def pooled_files(pooled: Pooled, differences: Mapping[str, Any] | None = None) -> dict[str, bytes]:
    """Return name → content of the folder's files; docs/reference/evaluation.md has the columns.

    Args:
        pooled: the evaluation.
        differences: from `distill.pooling.pooled_differences`, or None.
    """
    passes, aggregate = pooled.passes, str(pooled.report["aggregate"])
    files = {}
    for kind, name in TABLES.items():
        tables = []
        for key, answers in zip(passes.keys, passes.answers, strict=True):
            shown = answers if kind == "crop" else answers.by(kind, aggregate)
            fold = {
                str(unit): one.fold.split
                for one in passes.runs
                if (one.fold.repeat, one.seed) == key
                for unit in one.answers.table[kind].unique()
            }
            tables.append(_table(shown, key, fold))
        files[name] = guarded_csv(pd.concat(tables, ignore_index=True))
    if differences is not None:
        files[DIFFERENCES] = encode(differences)
    files[METRICS] = encode(pooled.report)
    return files


def _table(answers: Predictions, key: tuple[int, int], fold: dict[str, str]) -> pd.DataFrame:
    """Return the answers of a pass with repeat, seed and split in front."""
    repeat, seed = key
    splits = answers.table[answers.kind].astype(str).map(fold)
    left = pd.DataFrame({"repeat": repeat, "seed": seed, "split": splits})
    names = np.array(answers.classes, dtype=object)
    right = {"predicted": names[answers.predicted]}
    right |= {f"p_{name}": answers.probabilities[:, k] for k, name in enumerate(names)}
    return pd.concat([left, answers.table, pd.DataFrame(right, index=left.index)], axis=1)
