"""The parts of stored teacher targets, as docs/reference/targets-format.md has them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from distill.data import AugmentationParams

FORMAT = 2
"""Version of the format of new targets; in format 1 the draws are an array of numbers."""
FORMATS = (1, FORMAT)
"""Versions that are read; targets that were begun in one are finished in it."""
DRAWS_SHA256 = "draws_sha256"
"""Attribute: SHA-256 of the bytes of draws.csv; targets of format 1 have none."""

KEY = "distill_targets"
METADATA = "zarr.json"
CROPS_CSV = "crops.csv"
LOGITS, CONSTANT, HINT, ATTENTION = "logits", "constant", "hint", "attention"
PROGRESS = "progress.safetensors"
"""Is there as long as targets are being written."""


@dataclass(frozen=True)
class TargetsMetadata:
    """What is true of all targets of an artifact; kept in the root group's attributes.

    Attributes:
        level: the level that the teacher looked at.
        mpp: µm per pixel of that level, the median over the crops.
        student_level: the level of the students that can learn from it.
        stride: of the student: H × W px of it have ⌈H / stride⌉ × ⌈W / stride⌉ cells.
        classes: names of the classes, in the order of the logits.
        channels: of the hint; None if there is none.
        hint_dtype: "float32" or "float16"; None if there is none.
        resizers: keys of `distill.kd.maps.RESIZERS`, whose mean the hint is.
        logits: whether there are logits.
        attention: whether there are attention maps.
        split: name of the split.
        split_sha256: of the bytes of the split's file.
        pixels_sha256: see `pixels_sha256`.
        draws: where the draws come from, for people; what counts is draws.csv.
        teacher: whatever identifies the teacher; a run has run, weights_sha256, level, mpp, epoch.
    """

    level: str
    mpp: float
    student_level: str
    stride: int
    classes: list[str]
    channels: int | None
    hint_dtype: str | None
    resizers: list[str]
    logits: bool
    attention: bool
    split: str
    split_sha256: str
    pixels_sha256: str
    draws: dict[str, Any] = field(default_factory=dict)
    teacher: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class CropTargets:
    """One crop to teach, with its views.

    Attributes:
        crop: its id.
        rows: of the student's feature map, without augmentation.
        columns: of the student's feature map, without augmentation.
        draws: one per view; None is the crop as it is.
    """

    crop: str
    rows: int
    columns: int
    draws: tuple[AugmentationParams | None, ...]

    @property
    def cells(self) -> int:
        """Cells of one view; turning a crop does not change how many there are."""
        return self.rows * self.columns


def shape(rows: int, columns: int, draw: AugmentationParams | None) -> tuple[int, int]:
    """Return rows and columns of a view: swapped by an odd number of quarter turns."""
    return (columns, rows) if draw is not None and draw.turns % 2 else (rows, columns)


def table(lessons: Sequence[CropTargets]) -> pd.DataFrame:
    """Return crops.csv: crop, rows, columns, views, and where its views and its cells begin."""
    views = np.array([len(lesson.draws) for lesson in lessons], np.int64)
    cells = np.array([lesson.cells for lesson in lessons], np.int64)
    return pd.DataFrame(
        {
            "crop": [lesson.crop for lesson in lessons],
            "rows": [lesson.rows for lesson in lessons],
            "columns": [lesson.columns for lesson in lessons],
            "views": views,
            "first_view": np.cumsum(views) - views,
            "first_cell": np.cumsum(views * cells) - views * cells,
        }
    )


def crops_csv(lessons: Sequence[CropTargets]) -> bytes:
    """Return the content of crops.csv."""
    return table(lessons).to_csv(index=False, lineterminator="\n").encode()


def pixels_sha256(levels: pd.DataFrame, crops: Sequence[str], names: Sequence[str]) -> str:
    """Return a hash of the pixels of some crops, from the store's exact sums: no pixel is read.

    SHA-256 of one line `crop,level,height,width,sum_r,sum_g,sum_b,sumsq_r,sumsq_g,sumsq_b` and a
    newline for each crop, sorted, and for each of its levels in the order of `names`.

    Args:
        levels: `store.levels`.
        crops: ids; each must have the levels.
        names: names of the levels.
    """
    columns = ["height", "width"]
    columns += [f"{kind}_{channel}" for kind in ("sum", "sumsq") for channel in "rgb"]
    rows = levels[levels["level"].isin(list(names)) & levels["crop"].isin(list(crops))]
    values = rows.set_index(["crop", "level"])[columns].to_dict("index")
    digest = hashlib.sha256()
    for crop in sorted(crops):
        for name in names:
            numbers = ",".join(str(int(value)) for value in values[crop, name].values())
            digest.update(f"{crop},{name},{numbers}\n".encode())
    return digest.hexdigest()
