"""The labels table: which patient a slide is of, and its class."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from wsistore.errors import UsageError
from wsistore.quantities import micrometers
from wsistore.user_table import Row, read_user_table

_COLUMNS = (("slide",), ("patient",), ("label",))


@dataclass(frozen=True)
class Label:
    """What is known of a slide. Empty strings where nothing is.

    Attributes:
        patient: the patient's pseudonym.
        label: the class.
        mpp: µm per level-0 pixel, which wins over the file's, or None.
        line: of the labels table, counted from 1; None where it is from none.
    """

    patient: str = ""
    label: str = ""
    mpp: float | None = None
    line: int | None = field(default=None, compare=False)


@dataclass(frozen=True, eq=False)
class Labels(Mapping[str, Label]):
    """A labels table: a mapping from its column ``slide``, as written, to what is known.

    Attributes:
        path: the file.
        rows: the mapping.
        notes: sentences on what had to be guessed when it was read.
    """

    path: Path
    rows: Mapping[str, Label]
    notes: tuple[str, ...] = ()

    def __getitem__(self, slide: str) -> Label:
        return self.rows[slide]

    def __iter__(self) -> Iterator[str]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)


def read_labels(path: Path) -> Labels:
    """Read a table with columns ``slide``, ``patient``, ``label`` and, optionally, ``mpp``.

    Every cell is text: "NA", "001" and "None" are labels and patients like any other. A row that
    repeats another is read once.

    Returns:
        Labels by the slide column as written: a file name, with or without extension.

    Raises:
        UsageError: the file cannot be read as a table or lacks a column, see
            `wsistore.user_table.read_user_table`; two rows disagree about a slide, a row names no
            slide, or holds an mpp that is no positive number.
    """
    table = read_user_table(path, "--labels", _COLUMNS, ["mpp"])
    rows: dict[str, Label] = {}
    for row in table.rows:
        name = row["slide"]
        if not name:
            raise UsageError(f"--labels {path}: line {row.line} names no slide")
        mpp = _mpp(row.cells.get("mpp", ""), row, path)
        label = Label(row["patient"], row["label"], mpp, row.line)
        known = rows.setdefault(name, label)
        if known != label:
            raise UsageError(f"--labels {path}: {disagreement(name, known, label)}")
    return Labels(path, rows, table.notes)


def disagreement(slide: str, one: Label, other: Label) -> str:
    """Return in what two different rows of one slide differ."""
    differ = " and ".join(
        f"{name} {getattr(one, name)!r} and {getattr(other, name)!r}"
        for name in ("patient", "label", "mpp")
        if getattr(one, name) != getattr(other, name)
    )
    return (
        f"lines {one.line} and {other.line} disagree about slide {slide!r}: {differ}; remove one "
        "of them"
    )


def _mpp(text: str, row: Row, path: Path) -> float | None:
    if not text:
        return None
    try:
        return micrometers(text)
    except ValueError as error:
        raise UsageError(
            f"--labels {path}: line {row.line}: slide {row['slide']!r} has mpp {text!r}, which is "
            "no number of µm per pixel"
        ) from error


def label_of(slide: Path, labels: Mapping[str, Label]) -> Label:
    """Return a slide's label by file name or by file name without extension.

    Raises:
        UsageError: there are rows of both names, and they disagree.
    """
    found = [labels[name] for name in dict.fromkeys((slide.name, slide.stem)) if name in labels]
    for other in found[1:]:
        if other != found[0]:
            said = f"--labels {labels.path}: " if isinstance(labels, Labels) else ""
            raise UsageError(said + disagreement(slide.name, found[0], other))
    return found[0] if found else Label()
