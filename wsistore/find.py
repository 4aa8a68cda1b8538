"""Slides among files and folders."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from wsistore import layout
from wsistore.errors import UsageError
from wsistore.files import is_dicom

EXTENSIONS = {
    ".svs", ".tif", ".tiff", ".ndpi", ".scn", ".bif", ".qptiff", ".gtiff", ".btf",
    ".mrxs", ".vms", ".vmu", ".czi", ".svslide", ".png", ".jpg", ".jpeg", ".webp",
}  # fmt: skip
"""Extensions taken from a folder, and ``.dcm``; a file named outright may have any."""


def find_slides(paths: Iterable[Path]) -> list[Path]:
    """Return the slides among files and folders (searched recursively), without repeats.

    A folder with DICOM files right in it is one slide, named by the folder.

    Raises:
        UsageError: a path does not exist, a folder holds no slide, or two slides share an id; or
            several DICOM files of one folder are named, which may be one slide.
    """
    found: dict[str, Path] = {}
    folders: dict[Path, Path] = {}
    for path in paths:
        if path.is_dir():
            files = list(_below(path))
            if not files:
                known = " ".join(sorted(EXTENSIONS | {".dcm"}))
                raise UsageError(f"{path}: holds no slide ({known})")
        elif path.exists():
            files = [path]
            if is_dicom(path) and folders.setdefault(path.parent.resolve(), path) != path:
                raise UsageError(
                    f"{path} and {folders[path.parent.resolve()]} may be one slide; "
                    "name their folder instead"
                )
        else:
            raise UsageError(f"{path}: there is no such file or folder")
        for file in files:
            other = found.setdefault(layout.slide_id(file), file)
            if other.resolve() != file.resolve():
                raise UsageError(
                    f"{file} and {other} would both be slide {layout.slide_id(file)!r}; rename "
                    "one, or name the files that you mean"
                )
    return list(found.values())


def _below(folder: Path) -> Iterator[Path]:
    """Yield the slides in a folder and below, in order of path."""
    files = sorted(path for path in [folder, *folder.rglob("*")])
    parts = set().union(
        *(_parts(path) for path in files if path.suffix.lower() in (".vms", ".vmu"))
    )
    for path in files:
        if path.is_dir():
            if any(_named_dicom(file) for file in path.iterdir()):
                yield path
        elif path.suffix.lower() in EXTENSIONS and path not in parts:
            yield path


def _named_dicom(path: Path) -> bool:
    """Tell a DICOM file by its extension, or by its content where it has none (``1.2.840.7``)."""
    if path.suffix.lower() == ".dcm":
        return path.is_file()
    return not path.suffix[1:].isalpha() and is_dicom(path)


def _parts(index: Path) -> set[Path]:
    """Return the images that a Hamamatsu VMS or VMU index names: parts of that slide."""
    text = index.read_text(encoding="utf-8", errors="replace")
    return {file for file in index.parent.iterdir() if file != index and file.name in text}
