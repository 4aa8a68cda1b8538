"""Files that are whole or absent, and the files that make a slide."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

_SAMPLE = 1 << 20


def write_atomic(path: Path, text: str) -> None:
    """Write a text file aside and rename it into place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, aside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        # mkstemp makes private files; a store is shared like any other file of its owner
        umask = os.umask(0)
        os.umask(umask)
        Path(aside).chmod(0o666 & ~umask)
        Path(aside).replace(path)
    except BaseException:
        Path(aside).unlink(missing_ok=True)
        raise


def slide_files(path: Path) -> list[Path]:
    """Return the files that a slide consists of, the one it is named by first.

    A folder is the DICOM files in it; a MIRAX slide (``.mrxs``) has a folder of its own name.
    """
    if path.is_dir():
        return dicom_files(path)
    beside = path.with_suffix("")
    if path.suffix.lower() == ".mrxs" and beside.is_dir():
        return [path, *sorted(file for file in beside.iterdir() if file.is_file())]
    return [path]


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
    """Return the DICOM files right in a folder, by name."""
    return sorted(file for file in folder.iterdir() if is_dicom(file))


def strangers(files: Iterable[Path], uid: str) -> list[Path]:
    """Return the DICOM files whose first MiB does not name a series."""
    found = []
    for file in files:
        with file.open("rb") as opened:
            if uid.encode() not in opened.read(_SAMPLE):
                found.append(file)
    return found


def fingerprint(path: Path) -> str:
    """Return a quick identity of a slide: SHA-256 of its size, first, middle and last MiB.

    A slide of several GB is told from another, or from a longer or re-scanned version of itself,
    without reading all of it. One of several files gives each of them in turn.
    """
    digest = hashlib.sha256()
    for part in slide_files(path):
        size = part.stat().st_size
        digest.update(str(size).encode())
        with part.open("rb") as file:
            for start in sorted({0, max(size // 2 - _SAMPLE // 2, 0), max(size - _SAMPLE, 0)}):
                file.seek(start)
                digest.update(file.read(_SAMPLE))
    return digest.hexdigest()
