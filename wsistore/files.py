"""Files that are whole or absent."""

from __future__ import annotations

import hashlib
import os
import tempfile
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


def fingerprint(path: Path) -> str:
    """Return a quick identity of a file: SHA-256 of its size, first, middle and last MiB.

    A slide of several GB is told from another, or from a longer or re-scanned version of itself,
    without reading all of it.
    """
    size = path.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with path.open("rb") as file:
        for start in sorted({0, max(size // 2 - _SAMPLE // 2, 0), max(size - _SAMPLE, 0)}):
            file.seek(start)
            digest.update(file.read(_SAMPLE))
    return digest.hexdigest()
