"""A slide as it was given, or as a store knows it: its id and its file."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from wsistore.files import absolute, file_name, nfc
from wsistore.storage import layout

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
        return slide_text(self.slide, self.file)


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


def slide_text(slide: str, file: str) -> str:
    """Return a slide as people read it: its file's name, and its id where that is another."""
    own = {layout.safe_name(nfc(name)) for name in (file, Path(file).stem)}
    return file if slide in own else f"{slide} ({file})"
