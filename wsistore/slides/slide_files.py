"""The files that make a slide."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from wsistore.errors import SlideError
from wsistore.files import hidden

_SAMPLE = 1 << 20


def slide_files(path: Path) -> list[Path]:
    """Return the files that a slide consists of, the one it is named by first.

    A folder is the DICOM files in it; a MIRAX slide (``.mrxs``) has a folder of its own name.
    """
    if path.is_dir():
        return dicom_files(path)
    beside = data_path(path).with_suffix("")
    if path.suffix.lower() == ".mrxs" and beside.is_dir():
        return [path, *sorted(f for f in beside.iterdir() if f.is_file() and not hidden(f.name))]
    return [path]


def data_path(path: Path) -> Path:
    """Return where to open a slide that may be a link: its other files must lie beside it.

    That is the path as given, unless the folder of a MIRAX slide, the images of a VMS or VMU
    slide, or the other files of a DICOM series lie beside the link's target only. It is for
    opening: what it is called is no name of the slide.
    """
    if not path.is_symlink() or path.is_dir():
        return path
    real, kind = Path(os.path.realpath(path)), path.suffix.lower()
    if kind == ".mrxs":
        whole = path.with_suffix("").is_dir()
    elif kind in (".vms", ".vmu"):
        whole = bool(named_images(path))
    elif is_dicom(path):
        whole = len(dicom_files(real.parent)) == 1
    else:
        whole = True
    return path if whole else real


def named_images(index: Path) -> set[Path]:
    """Return the images beside a Hamamatsu VMS or VMU index that it names: parts of that slide."""
    if not index.is_file():
        return set()  # a link that leads nowhere
    text = index.read_text(encoding="utf-8", errors="replace")
    beside = (file for file in index.parent.iterdir() if file != index and not hidden(file.name))
    return {file for file in beside if file.name in text}


def is_dicom(path: Path) -> bool:
    """Tell whether a file starts as DICOM files do, directories of media aside."""
    if path.name == "DICOMDIR" or not path.is_file():
        return False
    try:
        with path.open("rb") as file:
            return file.read(132)[128:] == b"DICM"
    except PermissionError:
        # a reader will say so; that it is DICOM is not known
        return False


def dicom_files(folder: Path) -> list[Path]:
    """Return the DICOM files right in a folder, by name; not what systems hide there."""
    return sorted(file for file in folder.iterdir() if not hidden(file.name) and is_dicom(file))


def files_of_other_series(files: Iterable[Path], uid: str) -> list[Path]:
    """Return the DICOM files whose first MiB does not name a series."""
    found = []
    for file in files:
        with file.open("rb") as opened:
            if uid.encode() not in opened.read(_SAMPLE):
                found.append(file)
    return found


def slide_bytes(path: Path) -> int:
    """Return the bytes of all files of a slide.

    Raises:
        SlideError: one of them is not there.
    """
    with _reading(path):
        return sum(file.stat().st_size for file in slide_files(path))


def fingerprint(path: Path) -> str:
    """Return a quick identity of a slide: SHA-256 of its size, first, middle and last MiB.

    A slide of several GB is told from another, or from a longer or re-scanned version of itself,
    without reading all of it. One of several files gives each of them in turn. Names have no part
    in it.

    Raises:
        SlideError: a file cannot be read.
    """
    digest = hashlib.sha256()
    with _reading(path):
        for part in slide_files(path):
            size = part.stat().st_size
            digest.update(str(size).encode())
            with part.open("rb") as file:
                for start in sorted({0, max(size // 2 - _SAMPLE // 2, 0), max(size - _SAMPLE, 0)}):
                    file.seek(start)
                    digest.update(file.read(_SAMPLE))
    return digest.hexdigest()


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Say without folders what cannot be read: a store keeps no place, and no link's target."""
    try:
        yield
    except OSError as error:
        name = Path(str(error.filename or path)).name
        part = f" {name}" if Path(name).stem != data_path(path).stem and name != path.name else ""
        raise SlideError(f"it cannot be read:{part} {error.strerror or error}") from error
