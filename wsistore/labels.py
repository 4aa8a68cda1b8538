"""The labels table: which patient a slide is of, and its class."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from wsistore.errors import UsageError


@dataclass(frozen=True)
class Label:
    """What is known of a slide. Empty strings where nothing is.

    Attributes:
        patient: the patient's pseudonym.
        label: the class.
        mpp: µm per level-0 pixel, which wins over the file's, or None.
    """

    patient: str = ""
    label: str = ""
    mpp: float | None = None


def read_labels(path: Path) -> dict[str, Label]:
    """Read a CSV with columns ``slide``, ``patient``, ``label`` and, optionally, ``mpp``.

    Returns:
        Labels by the slide column as written: a file name, with or without extension.

    Raises:
        UsageError: the file is missing, no CSV, lacks a column, names a slide twice, or holds an
            mpp that is no positive number.
    """
    # imported here: a build worker reads no table and need not wait for pandas
    import pandas as pd

    try:
        # every cell is text: "NA", "001" and "None" are labels and patients like any other
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise UsageError(f"--labels {path}: cannot be read as CSV: {error}") from error
    missing = [column for column in ("slide", "patient", "label") if column not in table]
    if missing:
        raise UsageError(f"--labels {path}: lacks the column {' and '.join(missing)}")
    table = table.apply(lambda column: column.str.strip())
    twice = table["slide"][table["slide"].duplicated()]
    if len(twice):
        raise UsageError(f"--labels {path}: names slide {twice.iloc[0]!r} twice")
    return {
        row["slide"]: Label(row["patient"], row["label"], _mpp(row.get("mpp", ""), row, path))
        for row in table.to_dict("records")
    }


def _mpp(text: str, row: dict[str, str], path: Path) -> float | None:
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not value > 0:
        raise UsageError(f"--labels {path}: slide {row['slide']!r} has mpp {text!r}, not a number")
    return value


def label_of(slide: Path, labels: dict[str, Label]) -> Label:
    """Return a slide's label by file name or by file name without extension."""
    return labels.get(slide.name) or labels.get(slide.stem) or Label()
