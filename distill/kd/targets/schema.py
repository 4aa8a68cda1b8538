"""The parts of stored teacher targets, as docs/reference/targets-format.md has them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from distill.data import OPERATIONS, AugmentationParams

FORMAT = 1
"""Version of the format; a reader refuses a newer one."""

KEY = "distill_targets"
METADATA = "zarr.json"
CROPS_CSV = "crops.csv"
LOGITS, CONSTANT, HINT, ATTENTION, DRAWS = "logits", "constant", "hint", "attention", "draws"
DRAW_COLUMNS = (
    "plain", "brightness", "contrast", "saturation", "hue",
    "first", "second", "third", "fourth", "hflip", "vflip", "turns",
)  # fmt: skip
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
        resizers: keys of `distill.kd.losses.RESIZERS`, whose mean the hint is.
        logits: whether there are logits.
        attention: whether there are attention maps.
        split: name of the split.
        split_sha256: of the bytes of the split's file.
        pixels_sha256: see `pixels_sha256`.
        draws: where the draws come from, for people; what counts is the array of draws.
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


def encode(draws: Iterable[AugmentationParams | None]) -> NDArray[np.float64]:
    """Return draws as rows of `DRAW_COLUMNS`; a plain view is 1 and then changes nothing."""
    rows = []
    for draw in draws:
        if draw is None:
            rows.append([1.0, 1, 1, 1, 0, 0, 1, 2, 3, 0, 0, 0])
            continue
        order = [OPERATIONS.index(name) for name in draw.order]
        color = [draw.brightness, draw.contrast, draw.saturation, draw.hue]
        rows.append([0.0, *color, *order, draw.hflip, draw.vflip, draw.turns])
    return np.array(rows, np.float64).reshape(-1, len(DRAW_COLUMNS))


def decode(row: NDArray[np.float64], epoch: int = 0) -> AugmentationParams | None:
    """Return one row as a draw, or None for a plain view; `epoch` becomes the draw's.

    Raises:
        ValueError: if the order is none, or a flip or the turns are no such number.
    """
    plain, brightness, contrast, saturation, hue, *rest = (float(value) for value in row)
    order, (hflip, vflip, turns) = [int(value) for value in rest[:4]], rest[4:]
    if (
        sorted(order) != [0, 1, 2, 3]
        or not {plain, hflip, vflip} <= {0, 1}
        or turns not in range(4)
    ):
        raise ValueError(f"{row.tolist()} is no draw")
    if plain:
        return None
    names = tuple(OPERATIONS[number] for number in order)
    chosen = (brightness, contrast, saturation, hue, names, bool(hflip), bool(vflip), int(turns))
    return AugmentationParams(*chosen, epoch=epoch)


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
