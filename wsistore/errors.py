"""Errors a user can meet. Each message is one sentence that names the file and what to change."""

import errno

_ADVICE = {
    errno.ENOSPC: "make room",
    errno.EDQUOT: "make room, the quota is used up",
    errno.EACCES: "get the right to write there",
    errno.EPERM: "get the right to write there",
    errno.EROFS: "mount it for writing, or choose another place",
}


class WsistoreError(Exception):
    """Base of every error that wsistore raises on purpose; the CLI exits 1 on it."""


class UsageError(WsistoreError):
    """The command itself is wrong (an option, a name, a folder in the way); the CLI exits 2."""


class StoreError(WsistoreError):
    """A store is missing, of another format, or does not hold what was asked for."""


class StorageError(StoreError, OSError):
    """A file system of the net refuses, fails or cannot be reached."""


class SlideError(WsistoreError):
    """One slide cannot be used; the others go on."""


class DamagedSlideError(SlideError):
    """A slide's format is known and the file is damaged; no other reader is tried."""


class SlideImageError(SlideError):
    """None of a file's images is the slide, or several could be; no other reader is tried."""


class ResolutionError(SlideError):
    """A slide's µm per pixel is missing, implausible, or cannot give a level."""


def advice(error: OSError) -> str:
    """Return what a user can do about a failed write, as an imperative."""
    return _ADVICE.get(error.errno or 0, "mend that")
