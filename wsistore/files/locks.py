"""Locks that the system frees when their holder ends, however it ends; no substitute for them.

A lock by a file's mere existence outlives a killed holder, and a copied store brings it along. So a
file system without real locks is an error, and the user decides.
"""

from __future__ import annotations

import errno
import logging
import uuid
from pathlib import Path
from types import TracebackType

from filelock import FileLock, Timeout

from wsistore.errors import StoreError, advice

NO_LOCK_FLAG = "--no-lock"
"""The option of every command that locks: the user promises that nothing else writes there."""
PATIENCE = 5.0
"""Seconds of waiting for another process before it is said."""
_NO_LOCKS = {errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP}
_log = logging.getLogger(__name__)


class LockedError(StoreError):
    """Another process holds the lock."""


class NoLocksError(StoreError):
    """The file system has no locks."""


class Lock:
    """A lock file; a context manager, which waits for whoever holds it.

    Args:
        path: the file, made if it is absent, in a folder that exists; its being there says nothing.
        needed: False takes no lock at all: the user has said that nothing else writes there.
        what: what the lock is for, as the message of a long wait says it.
    """

    def __init__(self, path: Path, needed: bool = True, what: str = "") -> None:
        self._path, self._what = path, what or str(path)
        self._lock = FileLock(path, fallback_to_soft=False) if needed else None

    def acquire(self, wait: bool = True) -> None:
        """Take the lock.

        Args:
            wait: for another process that holds it, for as long as that takes; after `PATIENCE`
                seconds it is said once what is waited for.

        Raises:
            LockedError: another process holds it, and ``wait`` is False.
            NoLocksError: the file system has no locks.
            OSError: the file cannot be made or opened.
        """
        if self._lock is None:
            return
        try:
            try:
                self._lock.acquire(timeout=PATIENCE if wait else 0)
            except Timeout as error:
                if not wait:
                    raise LockedError(f"{self._path} is held by another process") from error
                _log.warning("waiting for %s: another process holds %s", self._what, self._path)
                self._lock.acquire(timeout=-1)
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
            raise NoLocksError(
                f"{self._path.parent}: its file system has no locks ({error.strerror}); run one "
                f"command at a time with {NO_LOCK_FLAG}, or write to another place and move the "
                "result"
            ) from error

    def release(self) -> None:
        """Let others have it; harmless where it is not held."""
        if self._lock is not None:
            self._lock.release()

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()


def is_free(path: Path, needed: bool = True) -> bool:
    """Tell whether nobody holds a lock; always where the user says that nothing else runs.

    Raises:
        NoLocksError, OSError: as `Lock.acquire`.
    """
    lock = Lock(path, needed)
    try:
        lock.acquire(wait=False)
    except LockedError:
        return False
    lock.release()
    return True


def require_locks(place: Path) -> None:
    """Find out whether locks can be had where something is about to be written.

    Args:
        place: a file or folder, which need not exist; the nearest folder that does is tried.

    Raises:
        NoLocksError: its file system has none.
        StoreError: nothing can be written there.
    """
    folder = next(path for path in place.absolute().parents if path.is_dir())
    probe = folder / f".lock.{uuid.uuid4().hex}"
    try:
        try:
            is_free(probe)
        finally:
            probe.unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(f"{folder}: cannot be written to ({error}): {advice(error)}") from error
