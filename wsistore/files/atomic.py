"""Files and folders that are whole or absent, and what killed writers left of them.

What is to be at ``NAME`` is written beside it, at ``.NAME.`` and sixteen hexadecimal digits, and
renamed when it is whole. That name belongs to whoever holds the lock file of the same name with
``.lock``. The system frees a lock when its process ends, however it ends, so that a file or folder
whose lock is free has lost its writer: the next writer of ``NAME`` removes it. Where a file system
has no locks nobody can tell, so nothing is removed there, unless the user says that nobody else
writes.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from wsistore.errors import naming
from wsistore.files.locks import Lock, LockedError, NoLocksError

_LOCK, _FORMER = ".lock", ".former"
_UNFINISHED = re.compile(r"(?P<own>\.(?P<name>.+)\.[0-9a-f]{16})(\.lock|\.former)?", re.DOTALL)


@contextmanager
def aside(target: Path, lock: bool = True) -> Iterator[Path]:
    """Yield where to write a file or a folder, not yet there; what is left there goes afterwards.

    What killed writers of the same target left beside it goes first, see `clear`.

    Args:
        target: where it is to be in the end, see `publish`; its folder exists.
        lock: False where the user has said that nobody else writes there.

    Raises:
        FileNotFoundError: the target's folder is not there; it is never made, for a run that
            another has removed must not come back.
        OSError: nothing can be written beside the target. One of what is written aside names the
            target, see `wsistore.errors.naming`.
    """
    with naming(target), _aside(target, lock) as whole:
        yield whole


@contextmanager
def _aside(target: Path, lock: bool) -> Iterator[Path]:
    if not target.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(target.parent))
    clear(target.parent, target.name, lock)
    whole = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
    file = _beside(whole, _LOCK)
    held = Lock(file, lock)
    # it only keeps others from clearing away, and without locks nobody does that
    with suppress(NoLocksError):
        held.acquire()
    try:
        yield whole
    finally:
        _remove(whole)
        # unlinked while it is held: whoever waits for it finds that it is gone
        file.unlink(missing_ok=True)
        held.release()


def publish(whole: Path, target: Path) -> None:
    """Rename what was written aside into place; a folder that it replaces goes only afterwards.

    What is published in an order is found in that order after a power cut.

    Raises:
        OSError: it cannot be renamed; what was there still is.
    """
    if not target.is_dir():
        whole.replace(target)
        _sync(target.parent)
        return
    former = _beside(whole, _FORMER)
    target.rename(former)
    try:
        whole.rename(target)
    except BaseException:
        former.rename(target)
        raise
    _sync(target.parent)
    shutil.rmtree(former, ignore_errors=True)


def write(path: Path, content: bytes) -> None:
    """Write a file so that it is never seen half-written; see `write_all`."""
    write_all(path.parent, {path.name: content})


def write_all(folder: Path, contents: Mapping[str, bytes], stale: Collection[str] = ()) -> None:
    """Write files that belong together: all aside, to the disk, before the first is renamed.

    So a disk that is full leaves all files that were there. They are renamed in the order given,
    and each rename is on the disk before the next, so that a power cut keeps the order.

    Args:
        folder: where they go; it exists.
        contents: by file name.
        stale: names of files that would not belong to the new ones; they go before the first
            rename, and what is not there is passed over.

    Raises:
        FileNotFoundError: the folder is not there.
        OSError: one cannot be written; it names the file.
    """
    with ExitStack() as stack:
        wholes = {}
        for name, content in contents.items():
            wholes[name] = stack.enter_context(aside(folder / name))
            # the stack ends all of them, and the last would take a nameless error for its own
            with naming(folder / name), wholes[name].open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        for name in stale:
            (folder / name).unlink(missing_ok=True)
        if stale:
            _sync(folder)
        for name, whole in wholes.items():
            with naming(folder / name):
                publish(whole, folder / name)


def clear(folder: Path, name: str | None = None, lock: bool = True) -> None:
    """Remove what killed writers left in a folder, and put back what one was about to replace.

    What another user's writer left, and this one may not remove, stays.

    Args:
        folder: where to look, not below it; it need not exist.
        name: of a file or folder that was to be written there; all by default.
        lock: False where the user has said that nobody else writes there: all of it is removed.

    Raises:
        OSError: what is to be put back cannot be.
    """
    for own, target in _found(folder).items():
        if name not in (None, target):
            continue
        whole = folder / own
        file = _beside(whole, _LOCK)
        held = Lock(file, lock)
        try:
            held.acquire(wait=False)
        except (LockedError, NoLocksError, PermissionError):
            continue  # somebody writes it, or nobody can tell
        try:
            former = _beside(whole, _FORMER)
            if former.exists() and not (folder / target).exists():
                former.rename(folder / target)
            _remove(whole)
            _remove(former)
            file.unlink(missing_ok=True)
        finally:
            held.release()


def unfinished(folder: Path) -> list[str]:
    """Return the names that writers, killed or at work, have in a folder; sorted, without locks."""
    return sorted(_found(folder))


def is_unfinished(name: str) -> bool:
    """Tell the names that things have while they are written aside, and those of their locks."""
    return _UNFINISHED.fullmatch(name) is not None


def _found(folder: Path) -> dict[str, str]:
    """Return names of what is aside in a folder → the name that each was to have."""
    found = {}
    if folder.is_dir():
        with os.scandir(folder) as entries:
            for entry in entries:
                if match := _UNFINISHED.fullmatch(entry.name):
                    found[match["own"]] = match["name"]
    return found


def _beside(whole: Path, ending: str) -> Path:
    return whole.with_name(f"{whole.name}{ending}")


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _sync(folder: Path) -> None:
    """Put a rename on the disk."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
