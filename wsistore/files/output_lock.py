"""A lock beside an output: one process at a time makes or replaces it."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from wsistore.errors import UsageError, advice
from wsistore.files.locks import Lock, LockedError, NoLocksError


class OutputLock:
    """Keeps a place for this process: the folder or file that it makes, or is about to replace.

    The lock is the file ``.NAME.lock`` beside the place, so that it stays where the place is,
    whatever is renamed there or away. It is removed at the end; one that a killed process has left
    stands in nobody's way. A context manager.

    Args:
        place: folder or file; it need not exist. The folder that it is to lie in is made, and
            removed again at the end if nothing is in it.
        needed: False takes no lock: the user has said that nothing else writes there. None takes
            one where the file system has locks: enough for what is published in one rename.
        option: what the user can give otherwise, for messages; None if there is no such option.

    Raises:
        UsageError: another process makes or replaces what is there, or nothing can be written
            beside the place; here and on entering the context, as all below.
        NoLocksError: the file system has no locks, and ``needed`` is True.
    """

    def __init__(
        self, place: Path, needed: bool | None = True, option: str | None = "--out"
    ) -> None:
        self._place, self._needed = place, needed
        self._other = f" or choose another {option}" if option else ""
        whole = place.resolve()
        self._file = whole.with_name(f".{whole.name}.lock")
        self._lock = Lock(self._file, needed is not False)
        self._held = False
        self._made: list[Path] = []

    def acquire(self) -> None:
        """Keep the place, at once or not at all."""
        if self._needed is False:
            return
        try:
            self._make_parents()
            self._lock.acquire(wait=False)
            self._held = True
        except LockedError as error:
            raise UsageError(
                f"{self._place} is in use by another process, which holds {self._file.name} beside "
                f"it; wait for it{self._other}"
            ) from error
        except NoLocksError:
            self._file.unlink(missing_ok=True)
            if self._needed:
                raise
        except OSError as error:
            raise UsageError(
                f"{self._place} cannot be made ({error.strerror}): {advice(error)}{self._other}"
            ) from error
        finally:
            if not self._held:
                self._remove_parents()

    def release(self) -> None:
        """Let others have the place; harmless where it is not held."""
        if self._held:
            self._held = False
            if os.name == "posix":
                # unlinked while it is held: whoever opened it finds that it is gone
                self._file.unlink(missing_ok=True)
            self._lock.release()
        self._remove_parents()

    def _make_parents(self) -> None:
        for folder in reversed(self._file.parents):
            if not folder.is_dir():
                folder.mkdir(exist_ok=True)
                self._made.insert(0, folder)

    def _remove_parents(self) -> None:
        while self._made:
            with suppress(OSError):  # something is in it
                self._made.pop(0).rmdir()

    def __enter__(self) -> OutputLock:
        self.acquire()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()


def in_use(place: Path) -> bool:
    """Tell whether another process keeps a place, and leave nothing beside it.

    Where the file system has no locks, nobody does.
    """
    whole = place.resolve()
    file = whole.with_name(f".{whole.name}.lock")
    if not file.exists():
        return False
    lock = Lock(file)
    try:
        lock.acquire(wait=False)
    except LockedError:
        return True
    except NoLocksError:
        return False
    lock.release()
    return False
