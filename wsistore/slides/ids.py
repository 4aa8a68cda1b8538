"""Which slide is which: the ids of slides, by a rule that the user chooses.

docs/reference/slide-names.md has the rule in words. Build, plan, verify and predict all use it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from wsistore.errors import UsageError
from wsistore.files import file_name, nfc
from wsistore.formatting import visible
from wsistore.slides.labels import Label, match_labels
from wsistore.slides.slide import SEPARATOR, SlideFile
from wsistore.storage import layout

if TYPE_CHECKING:
    from wsistore.tables import SlideRow

ID_RULES = ("name", "relative-path", "column")
"""What `--id` takes: how the id of a slide is made."""
BY_NAME, BY_RELATIVE_PATH, BY_COLUMN = ID_RULES
"""An id is the name; or the given folder's name and the path below it; or a column's value."""


def another_file(row: SlideRow) -> str:
    """Return what to do where another file is stored by a slide's id, so that neither is lost."""
    return (
        f"another file is stored as slide {row.slide!r} ({row.file}, {row.bytes} bytes): if this "
        "is another version of that slide, replace it with --overwrite; if it is another slide, "
        "rename it or choose another --id"
    )


def identify(
    found: Iterable[tuple[Path, Path]], rule: str, labels: Mapping[str, Label] | None
) -> list[SlideFile]:
    """Give slides their ids.

    Args:
        found: the absolute path of each slide, and the folder that its relative path begins in.
        rule: one of `ID_RULES`.
        labels: the labels table; needed for ``"column"``.

    Raises:
        UsageError: two slides would have one id, or the labels do not give each slide one.
    """
    pairs = list(found)
    if rule == BY_COLUMN:
        files = _by_column([path for path, _ in pairs], labels)
    elif rule == BY_RELATIVE_PATH:
        files = [SlideFile(path, _relative_id(path, above)) for path, above in pairs]
    elif rule == BY_NAME:
        files = [SlideFile.named(path) for path, _ in pairs]
    else:
        raise UsageError(f"--id {rule!r} is none of {', '.join(ID_RULES)}")
    return distinct(files)


def distinct(files: Iterable[SlideFile]) -> list[SlideFile]:
    """Return slides without repeats.

    Raises:
        UsageError: two slides have one id.
    """
    found: dict[str, SlideFile] = {}
    for file in files:
        other = found.setdefault(file.slide, file)
        if os.path.realpath(other.path) != os.path.realpath(file.path):
            raise UsageError(
                f"{file.path} and {other.path} would both be slide {file.slide!r}; rename one, "
                f"name the files that you mean, or choose another --id ({', '.join(ID_RULES)})"
            )
    return list(found.values())


def _relative_id(path: Path, above: Path) -> str:
    parts = path.relative_to(above).parts[:-1]
    names = (*(file_name(part) for part in parts if part != os.sep), layout.own_name(path))
    return SEPARATOR.join(layout.safe_name(name) for name in names)


def _by_column(paths: list[Path], labels: Mapping[str, Label] | None) -> list[SlideFile]:
    if not any(label.id for label in (labels or {}).values()):
        raise UsageError("--id column needs --labels with a column 'id'")
    files = [SlideFile(path, "") for path in paths]
    known = match_labels(files, labels or {})
    for file, label in zip(files, known, strict=True):
        if not label.id:
            raise UsageError(
                f"--id column: the labels give {file.path} no id; add a row, or name the slides "
                "that you mean"
            )
        if layout.safe_name(label.id) != label.id:
            raise UsageError(
                f"--id column: {label.id!r} cannot be the id of {file.path}; "
                f"{layout.safe_name(label.id)!r} could"
            )
    return [replace(file, slide=label.id) for file, label in zip(files, known, strict=True)]


def stored_as(file: SlideFile, stored: Mapping[str, str | None]) -> str:
    """Return the id that a store has a slide by.

    That is its id; but a slide whose name a Mac wrote, or is not UTF-8, got another id from earlier
    versions, which it keeps, so that it is not stored twice and splits go on.

    Args:
        file: the slide.
        stored: id → file name of the slides that the store knows; None where that is not known.
    """
    if file.slide in stored or file.slide != layout.slide_id(file.path):
        return file.slide
    for earlier in layout.earlier_ids(file.path):
        if earlier in stored and visible(nfc(stored[earlier] or file.file)) == file.file:
            return earlier
    return file.slide
