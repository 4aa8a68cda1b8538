"""What a learning curve is asked for, and where its runs lie; plain data that loads nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

ALL = "all"
"""In place of a number of labelled patients: every training patient."""
LABELED = "labeled"
"""In place of a set to distil on: the crops of the labelled patients alone."""
SCORE = "f1"
"""The score that the picture and the sentences are about, unless another is named."""
TEACHER, BASELINE = "teacher", "baseline"


@dataclass(frozen=True)
class CurveRun:
    """A run of a learning curve.

    Attributes:
        path: its folder.
        patients: number of labelled patients, or `ALL`.
        seed: of its training, and the draw of its labelled patients.
        method: `TEACHER`, `BASELINE`, or what the folder of another baseline or student says.
        level: its level.
    """

    path: Path
    patients: int | str
    seed: int
    method: str
    level: str


def labeled_set(patients: int | str, seed: int) -> str:
    """Return the set of a split that holds the labelled patients of a seed: L10, L10-1, or train.

    Seed N takes draw N of 'wsistore split --labeled-draws'.
    """
    if patients == ALL:
        return "train"
    return f"L{patients}-{seed}" if seed else f"L{patients}"


def folder_name(patients: int | str) -> str:
    """Return the folder of the runs with so many labelled patients: L10, or all."""
    return ALL if patients == ALL else f"L{patients}"
