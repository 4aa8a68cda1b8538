"""Slides are written aside and published whole; what killed builds left behind is cleared away.

A folder below ``.building/`` belongs to whoever holds the lock file beside it. The system frees a
lock when its process ends, however it ends, so a folder whose lock is free has lost its writer.

A store behind a URL has neither: slides are written in a temporary folder of the machine that does
the work, and go up object by object (`wsistore.storage.upload`).
"""

from __future__ import annotations

import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, cast

from wsistore.errors import StoreError, advice
from wsistore.files import Lock, LockedError, is_free
from wsistore.storage import layout
from wsistore.storage.base import LocalRoot, StoreLike, StoreRoot
from wsistore.storage.locate import open_root

if TYPE_CHECKING:
    from wsistore.storage.remote import RemoteRoot

_LOCK, _REPLACED = ".lock", ".replaced"


@contextmanager
def aside(store: StoreLike, slide: str, lock: bool = True) -> Iterator[Path]:
    """Yield a path to write a slide at, not yet a folder; what is left there goes afterwards.

    Args:
        store: the store.
        slide: the slide's id.
        lock: False where the user has said that no other build runs, here and below.

    Raises:
        NoLocksError: the file system has no locks, and ``lock`` is True; here and below.
        OSError: the lock cannot be taken.
    """
    place = open_root(store)
    if not isinstance(place, LocalRoot):
        # private: a slide is not for everybody's eyes
        with tempfile.TemporaryDirectory(prefix="wsistore-") as temporary:
            yield Path(temporary) / slide
        return
    folder = place.folder / layout.STAGING / f"{slide}.{uuid.uuid4().hex}"
    file = Path(f"{folder}{_LOCK}")
    with Lock(file, lock):
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            file.unlink(missing_ok=True)


def publish(whole: Path, target: StoreLike, overwrite: bool) -> None:
    """Rename a whole slide into place; the one it replaces goes only when it is there.

    Behind a URL nothing can be renamed: see `wsistore.storage.upload.publish`.

    Raises:
        FileExistsError: a slide is there already and is not to be replaced.
        OSError: it cannot be renamed; the slide that was there still is.
    """
    there = open_root(target)
    if not isinstance(there, LocalRoot):
        from wsistore.storage import upload  # here: it brings file systems of the net

        upload.publish(whole, cast("RemoteRoot", there), overwrite)
        return
    place = there.folder
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


def require_store_locks(store: StoreLike) -> None:
    """Find out at once, before a slide is read, whether a store's file system has locks.

    Raises:
        NoLocksError: it has none.
        StoreError: lock files cannot be written there.
    """
    home = open_root(store)
    if not isinstance(home, LocalRoot):
        return
    try:
        is_free(_index_file(home))
    except OSError as error:
        raise StoreError(f"{home}: no build can write there ({error}): {advice(error)}") from error


def clear_leftovers(store: StoreLike, lock: bool = True) -> None:
    """Remove what killed builds left, and put back a slide that one was about to replace.

    Behind a URL there is nothing to do: a slide's leavings go when it is uploaded again.
    """
    home = open_root(store)
    if not isinstance(home, LocalRoot):
        return
    staging = home.folder / layout.STAGING
    folders = {path for path in staging.iterdir() if path.is_dir()}
    locks = {*staging.glob(f"*{_LOCK}"), *map(_lock_of, folders)}
    # that of the tables is waited for, and stays
    for file in sorted(locks - {_index_file(home)}):
        held = Lock(file, lock)
        try:
            held.acquire(wait=False)
        except LockedError:
            continue
        try:
            folder = file.with_name(file.name.removesuffix(_LOCK))
            replaced = Path(f"{folder}{_REPLACED}")
            place = home.folder / layout.SLIDES / folder.name.rpartition(".")[0]
            if replaced.exists() and not place.exists():
                replaced.rename(place)
            shutil.rmtree(folder, ignore_errors=True)
            shutil.rmtree(replaced, ignore_errors=True)
            # unlinked while it is held: a build that waits for it takes another
            file.unlink(missing_ok=True)
        finally:
            held.release()


def _lock_of(folder: Path) -> Path:
    return Path(f"{str(folder).removesuffix(_REPLACED)}{_LOCK}")


def _index_file(home: StoreRoot) -> Path:
    return home.folder / layout.STAGING / f"index{_LOCK}"


@contextmanager
def index_lock(store: StoreLike, lock: bool = True) -> Iterator[None]:
    """Hold the right to write the tables; other builds into the store wait for it.

    Behind a URL there is no lock.
    """
    home = open_root(store)
    if not isinstance(home, LocalRoot):
        yield
        return
    with Lock(_index_file(home), lock, f"the tables of {home}"):
        yield
