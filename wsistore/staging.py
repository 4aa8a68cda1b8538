"""Slides are written aside and published whole; what killed builds left behind is cleared away.

A folder below ``.building/`` belongs to whoever holds the lock file beside it. The system frees a
lock when its process ends, however it ends, so a folder whose lock is free is nobody's.
"""

from __future__ import annotations

import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from wsistore import layout

_LOCK, _REPLACED = ".lock", ".replaced"
_SECONDS = 60.0


@contextmanager
def aside(store: Path, slide: str) -> Iterator[Path]:
    """Yield a path below ``.building/`` to write a slide at; what is left there goes afterwards."""
    folder = store / layout.STAGING / f"{slide}.{uuid.uuid4().hex}"
    lock = Path(f"{folder}{_LOCK}")
    with FileLock(lock):
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            lock.unlink(missing_ok=True)


def publish(whole: Path, place: Path, overwrite: bool) -> None:
    """Rename a whole slide into place; the one it replaces goes only when it is there.

    Raises:
        FileExistsError: a slide is there already and is not to be replaced.
        OSError: it cannot be renamed; the slide that was there still is.
    """
    if place.exists() and not overwrite:
        raise FileExistsError(f"{place} exists")
    replaced = Path(f"{whole}{_REPLACED}")
    if place.exists():
        place.rename(replaced)
    try:
        whole.rename(place)
    except OSError:
        if replaced.exists() and not place.exists():
            replaced.rename(place)
        raise
    shutil.rmtree(replaced, ignore_errors=True)


def clear(store: Path) -> None:
    """Remove what killed builds left, and put back a slide that one was about to replace."""
    staging = store / layout.STAGING
    for folder in sorted(path for path in staging.iterdir() if path.is_dir()):
        lock = Path(f"{str(folder).removesuffix(_REPLACED)}{_LOCK}")
        if not _free(lock):
            continue
        place = store / layout.SLIDES / lock.name.removesuffix(_LOCK).rpartition(".")[0]
        if folder.name.endswith(_REPLACED) and not place.exists():
            folder.rename(place)
        shutil.rmtree(folder, ignore_errors=True)
        lock.unlink(missing_ok=True)
    for lock in staging.glob(f"*{_LOCK}"):
        # a young one may be about to be locked
        if time.time() - lock.stat().st_mtime > _SECONDS and _free(lock):
            lock.unlink(missing_ok=True)


def _free(lock: Path) -> bool:
    try:
        with FileLock(lock, timeout=0):
            return True
    except Timeout:
        return False


@contextmanager
def index_lock(store: Path) -> Iterator[None]:
    """Hold the right to write the tables; other builds into the store wait for it."""
    with FileLock(store / layout.STAGING / f"index{_LOCK}"):
        yield
