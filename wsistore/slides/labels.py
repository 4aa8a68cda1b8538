"""The labels table: which patient a slide is of, and its class."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from wsistore.errors import UsageError
from wsistore.files import Row, nfc, read_user_table
from wsistore.formatting import micrometers
from wsistore.storage import layout

if TYPE_CHECKING:
    from wsistore.slides.slide import SlideFile

_COLUMNS = (("slide",), ("patient",), ("label",))
_SEPARATOR = re.compile(r"\\(?!x[0-9a-f]{2}|u[0-9a-f]{4})")


@dataclass(frozen=True)
class Label:
    """What is known of a slide. Empty strings where nothing is.

    Attributes:
        patient: the patient's pseudonym.
        label: the class.
        mpp: µm per level-0 pixel, which wins over the file's, or None.
        line: of the labels table, counted from 1; None where it is from none.
        id: the slide's id, where ids are taken from the table.
        site: where the slide is from, such as a hospital; None where the table has no such column.
    """

    patient: str = ""
    label: str = ""
    mpp: float | None = None
    line: int | None = field(default=None, compare=False)
    id: str = ""
    site: str | None = None


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
    """Read a table with columns ``slide``, ``patient``, ``label``, and others if wanted.

    The others are ``mpp``, ``id`` and ``site``.

    Every cell is text: "NA", "001" and "None" are labels and patients like any other. A row that
    repeats another is read once.

    Returns:
        Labels by the slide column, in NFC: see `match_labels` for what it may hold.

    Raises:
        UsageError: the file cannot be read as a table or lacks a column, see
            `wsistore.files.user_table.read_user_table`; two rows disagree about a slide, a row
            names no slide, or holds an mpp that is no positive number.
    """
    table = read_user_table(path, "--labels", _COLUMNS, ["mpp", "id", "site"])
    rows: dict[str, Label] = {}
    sites = "site" in table.columns
    for row in table.rows:
        name = row["slide"]
        if not name:
            raise UsageError(f"--labels {path}: line {row.line} names no slide")
        mpp = _mpp(row.cells.get("mpp", ""), row, path)
        site = row.cells.get("site", "") if sites else None
        own_id = row.cells.get("id", "")
        label = Label(row["patient"], row["label"], mpp, row.line, own_id, site)
        known = rows.setdefault(name, label)
        if known != label:
            raise UsageError(f"--labels {path}: {disagreement(name, known, label)}")
    return Labels(path, rows, table.notes)


def disagreement(slide: str, one: Label, other: Label) -> str:
    """Return in what two different rows of one slide differ."""
    differ = " and ".join(
        f"{name} {getattr(one, name)!r} and {getattr(other, name)!r}"
        for name in ("patient", "label", "mpp", "id", "site")
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


def match_labels(slides: Sequence[SlideFile], labels: Mapping[str, Label]) -> list[Label]:
    """Return the label of each slide, an empty one where no row names it.

    A row names a slide by its id, or by the end of its path in whole parts, with or without
    extension: ``a``, ``a.svs``, ``scanner1/a.svs``. A slide whose id is made of its path is not
    named by its file's name alone, which other slides share.

    Raises:
        UsageError: two rows name one slide and disagree, or one row names two slides.
    """
    said = f"--labels {labels.path}: " if isinstance(labels, Labels) else "--labels: "
    rows: dict[tuple[str, ...], list[str]] = {}
    for text in labels:
        for parts in _readings(text):
            rows.setdefault(parts, []).append(text)
    found, owners = [], dict[str, Path]()
    for slide in slides:
        named = [text for name in sorted(_names(slide)) for text in rows.get(name, ())]
        for text in named:
            if (other := owners.setdefault(text, slide.path)) != slide.path:
                raise UsageError(
                    f"{said}the row {text!r} names {other} and {slide.path}; write the folder "
                    f"too, as {slide.path.parent.name}/{slide.path.name}"
                )
            if _bare(slide, text, labels[text]):
                raise UsageError(
                    f"{said}the row {text!r} names {slide.path} by its file's name alone; with "
                    f"this --id write {slide.path.parent.name}/{slide.path.name}, or {slide.slide}"
                )
            if labels[text] != labels[named[0]]:
                raise UsageError(
                    f"{said}the rows {named[0]!r} and {text!r} both name {slide.path}: "
                    f"{disagreement(slide.file, labels[named[0]], labels[text])}"
                )
        found.append(labels[named[0]] if named else Label())
    return found


def unmatched(slides: Sequence[SlideFile], labels: Mapping[str, Label]) -> list[str]:
    """Return the rows that name none of the slides, as written."""
    names = {name for slide in slides for name in _names(slide)}
    return [text for text in labels if names.isdisjoint(_readings(text))]


def _readings(text: str) -> set[tuple[str, ...]]:
    r"""Return the parts of a path as a table holds it, in NFC.

    Windows writes ``\\`` between them; in a name that is not UTF-8 it begins an escape.
    """
    return {_parts(nfc(text).replace("\\", "/")), _parts(_SEPARATOR.sub("/", nfc(text)))}


def _parts(text: str) -> tuple[str, ...]:
    return tuple(part for part in text.split("/") if part not in ("", "."))


def _names(slide: SlideFile) -> set[tuple[str, ...]]:
    """Return all that a table may call a slide."""
    ends = {slide.file, slide.own_name}
    tails = (slide.folders[start:] for start in range(len(slide.folders) + 1))
    return {(*tail, end) for tail in tails for end in ends} | {(slide.slide,)}


def _bare(slide: SlideFile, text: str, label: Label) -> bool:
    """Tell a file's name for a slide whose id is its path.

    A slide of that name in another folder would get the same row by another build.
    """
    ids = {layout.slide_id(slide.path), *layout.earlier_ids(slide.path), label.id, ""}
    alone = min(map(len, _readings(text))) == 1
    return alone and slide.slide not in ids and nfc(text) != slide.slide
