"""Slides among files and folders."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from wsistore.errors import UsageError
from wsistore.files import absolute, file_name, hidden
from wsistore.slides.ids import BY_NAME, identify
from wsistore.slides.labels import Label
from wsistore.slides.slide import SlideFile
from wsistore.slides.slide_files import is_dicom, named_images

EXTENSIONS = {
    ".svs", ".tif", ".tiff", ".ndpi", ".scn", ".bif", ".qptiff", ".gtiff", ".btf",
    ".mrxs", ".vms", ".vmu", ".czi", ".svslide", ".png", ".jpg", ".jpeg", ".webp",
}  # fmt: skip
"""Extensions taken from a folder, and ``.dcm``; a file named outright may have any."""


def find_slides(
    paths: Iterable[Path], rule: str = BY_NAME, labels: Mapping[str, Label] | None = None
) -> list[SlideFile]:
    """Return the slides among files and folders (searched recursively), without repeats.

    A folder with DICOM files right in it is one slide, named by the folder. Linked folders are
    searched too, each once; what systems hide in folders is passed over. See
    docs/reference/slide-names.md.

    Args:
        paths: files and folders.
        rule: how slides get their ids, one of `wsistore.slides.ids.ID_RULES`.
        labels: the labels table, whose ids the rule ``"column"`` takes.

    Raises:
        UsageError: a path does not exist, a folder holds no slide or cannot be read, or two slides
            share an id; or several DICOM files of one folder are named, which may be one slide;
            or the labels give a slide no id.
    """
    found: dict[tuple[str, str], tuple[Path, Path]] = {}
    dicom: dict[str, Path] = {}
    for path in paths:
        home = absolute(path)
        if path.is_dir():
            slides = list(_below(home))
            if not slides:
                known = " ".join(sorted(EXTENSIONS | {".dcm"}))
                raise UsageError(f"{path}: holds no slide ({known})")
        elif path.exists():
            slides = [home]
            other = dicom.setdefault(os.path.realpath(home.parent), path)
            if is_dicom(path) and other != path and is_dicom(other):
                raise UsageError(f"{path} and {other} may be one slide; name their folder instead")
        elif path.is_symlink():
            slides = [home]  # it fails, by its own name, when it is opened
        else:
            raise UsageError(f"{path}: there is no such file or folder")
        for slide in slides:
            # in its own folder (or right as it) a slide is named by that folder and its own name
            above = home.parent if slide != home else slide.parent.parent
            found.setdefault(_same(slide), (slide, above))
    return identify(found.values(), rule, labels)


def _same(path: Path) -> tuple[str, str]:
    """Return what two ways to one slide have in common: the real place, and the name."""
    return os.path.realpath(path), file_name(path.name)


def _below(folder: Path) -> Iterator[Path]:
    """Yield the slides in a folder and below, in order of path; of several ways to one, one."""
    ways: dict[tuple[str, str], Path] = {}
    for path in _entries(folder):
        ways.setdefault(_same(path), path)
    files = sorted(ways.values())
    parts = set().union(
        *(named_images(path) for path in files if path.suffix.lower() in (".vms", ".vmu"))
    )
    for path in files:
        if path.is_dir():
            if any(_named_dicom(file) for file in _inside(path)):
                yield path
        elif path.suffix.lower() in EXTENSIONS and path not in parts:
            yield path


def _entries(folder: Path) -> Iterator[Path]:
    """Yield a folder and all in it; what is reached over fewer linked folders comes first.

    Each real folder is entered once, so that links may lead in circles.
    """
    entered: set[str] = set()
    level = [folder]
    while level:
        linked: list[Path] = []
        while level:
            each = level.pop()
            yield each
            if (real := os.path.realpath(each)) in entered:
                continue
            entered.add(real)
            folders = []
            for path in _inside(each):
                if not path.is_dir():
                    yield path
                elif path.is_symlink():
                    linked.append(path)
                else:
                    folders.append(path)
            level += reversed(folders)
        level = sorted(linked, reverse=True)


def _inside(folder: Path) -> list[Path]:
    """Return what is right in a folder, by name, but for what systems hide there.

    Raises:
        UsageError: it cannot be read.
    """
    try:
        return sorted(path for path in folder.iterdir() if not hidden(path.name))
    except OSError as error:
        raise UsageError(f"{folder}: cannot be read: {error.strerror}") from error


def _named_dicom(path: Path) -> bool:
    """Tell a DICOM file by its extension, or by its content where it has none (``1.2.840.7``)."""
    if path.suffix.lower() == ".dcm":
        return path.is_file()
    return not path.suffix[1:].isalpha() and is_dicom(path)
