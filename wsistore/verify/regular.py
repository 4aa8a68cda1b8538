"""Only regular files below a store count: no link that leads out of it, no pipe to wait at."""

from __future__ import annotations

import errno
import stat
from pathlib import Path


def irregularity(store: Path, file: str) -> str | None:
    """Return why a path below a store is no regular file or folder of it, as part of a sentence.

    Args:
        store: the store's folder, which may itself be reached through a link.
        file: path inside it, with ``/``.

    Returns:
        The reason; None where it is one, or is absent.

    Raises:
        OSError: it cannot be looked at.
    """
    parts = file.split("/")
    for end in range(1, len(parts) + 1):
        try:
            mode = store.joinpath(*parts[:end]).lstat().st_mode
        except (FileNotFoundError, NotADirectoryError):
            return None
        if stat.S_ISLNK(mode):
            link = "/".join(parts[:end])
            return "it is a symbolic link" if end == len(parts) else f"{link} is a symbolic link"
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        return "it is no regular file but a pipe, a socket or a device"
    return None


def read_regular(store: Path, file: str) -> bytes:
    """Return the content of a regular file below a store; see `irregularity`.

    Raises:
        FileNotFoundError: it is absent.
        OSError: it is no regular file, or cannot be read; ``strerror`` says why.
    """
    reason = irregularity(store, file)
    if reason is not None:
        raise OSError(errno.EINVAL, reason)
    return (store / file).read_bytes()
