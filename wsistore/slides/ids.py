"""Which slide is which: the ids of slides, by a rule that the user chooses.

The rule in words is docs/slide-names.md; building, planning, verifying and predicting come by here.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from wsistore.errors import UsageError
from wsistore.files.paths import absolute, file_name, nfc
from wsistore.formatting.texts import visible
from wsistore.slides.labels import Label, match_labels
from wsistore.storage import layout

if TYPE_CHECKING:
    from wsistore.tables.records import SlideRow

NAME, RELATIVE_PATH, COLUMN = RULES = ("name", "relative-path", "column")
"""An id is the name; or the given folder's name and the path below it; or a column's value."""

SEPARATOR = "--"
"""Between the parts of an id that is made of a path."""


@dataclass(frozen=True)
class SlideFile:
    """A slide as it was given: a file, or a folder with one DICOM series.

    Attributes:
        path: absolute, links not followed.
        slide: its id.
    """

    path: Path
    slide: str

    @classmethod
    def named(cls, path: Path) -> SlideFile:
        """Return a slide whose id is its name."""
        return cls(absolute(path), layout.slide_id(path))

    @property
    def file(self) -> str:
        """The name of its file or folder, see `wsistore.files.paths.file_name`."""
        return file_name(self.path.name)

    @property
    def folders(self) -> tuple[str, ...]:
        """The names of the folders that it lies in, outermost first."""
        return tuple(file_name(part) for part in self.path.parts[1:-1])

    @property
    def own_name(self) -> str:
        """Its name: a file's without extension, a folder's whole."""
        return layout.own_name(self.path)

    def __str__(self) -> str:
        """Return what people read: the file's name, and the id where that is another."""
        return shown(self.slide, self.file)


class StoredSlide(SlideFile):
    """A slide as a store knows it: by its id, and by its file's name without a folder.

    Where the id was made of a path, its parts stand for the folders.
    """

    @property
    def file(self) -> str:
        """The name of its file or folder, as the store has it, in NFC."""
        return nfc(self.path.name)

    @property
    def folders(self) -> tuple[str, ...]:
        """What its id tells of the folders that it lay in."""
        return self.path.parts[1:-1]

    @classmethod
    def of(cls, slide: str, file: str) -> StoredSlide:
        """Return a slide by its id and its file's name."""
        *folders, _ = slide.split(SEPARATOR)
        return cls(Path(os.sep, *folders, file), slide)

    @property
    def own_name(self) -> str:
        """Its name: whole, where the id shows that it is a folder's."""
        last = self.slide.split(SEPARATOR)[-1]
        return self.file if last == layout.safe_name(self.file) else nfc(self.path.stem)


def shown(slide: str, file: str) -> str:
    """Return a slide as people read it: its file's name, and its id where that is another."""
    own = {layout.safe_name(nfc(name)) for name in (file, Path(file).stem)}
    return file if slide in own else f"{slide} ({file})"


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
        rule: one of `RULES`.
        labels: the labels table; needed for ``"column"``.

    Raises:
        UsageError: two slides would have one id, or the labels do not give each slide one.
    """
    pairs = list(found)
    if rule == COLUMN:
        files = _by_column([path for path, _ in pairs], labels)
    elif rule == RELATIVE_PATH:
        files = [SlideFile(path, _relative_id(path, above)) for path, above in pairs]
    elif rule == NAME:
        files = [SlideFile.named(path) for path, _ in pairs]
    else:
        raise UsageError(f"--id {rule!r} is none of {', '.join(RULES)}")
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
                f"name the files that you mean, or choose another --id ({', '.join(RULES)})"
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
