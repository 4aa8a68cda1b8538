"""Errors a user can meet. Each message is one sentence that names the file and what to change."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_ADVICE = {
    errno.ENOSPC: "make room",
    errno.EDQUOT: "make room, the quota is used up",
    errno.EACCES: "get the right to write there",
    errno.EPERM: "get the right to write there",
    errno.EROFS: "mount it for writing, or choose another place",
    errno.EFBIG: "raise the limit on the size of files (ulimit -f), or choose another place",
    errno.EIO: "look at the disk, it fails",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.EMFILE: "raise the limit on open files (ulimit -n)",
    errno.ENFILE: "end other programs, the system has too many files open",
    errno.ENOTDIR: "choose another place, a part of the path is a file",
    errno.EISDIR: "choose another name, this one is a folder's",
    errno.ESTALE: "mount the file system of the net again",
}


LONGEST = 500
"""Characters of what is said of a slide, at most. More are for nobody: a decoder's, of many."""

LONGEST_COMMAND = 2000
"""Characters of any other message: one that names many runs, and a command to give, stays whole."""


def shortened(text: str, longest: int = LONGEST) -> str:
    """Return a text of at most so many characters; a count of all stands for what is left out.

    The beginning says what is wrong with which file, the end what to do.
    """
    if len(text) <= longest:
        return text
    note = f" … ({len(text):,} characters) … "
    end = (longest - len(note)) // 3
    return text[: longest - len(note) - end] + note + text[-end:]


class WsistoreError(Exception):
    """Base of every error that wsistore raises on purpose; the CLI exits 1 on it.

    Its message is `shortened`, whatever it quotes.

    Attributes:
        longest: characters of a message.
    """

    longest = LONGEST_COMMAND

    def __str__(self) -> str:
        return shortened(super().__str__(), self.longest)


class UsageError(WsistoreError):
    """The command itself is wrong (an option, a name, a folder in the way); the CLI exits 2."""


class StoreError(WsistoreError):
    """A store is missing, of another format, or does not hold what was asked for."""


class StorageError(StoreError, OSError):
    """A file system of the net refuses, fails or cannot be reached."""


class SlideError(WsistoreError):
    """One slide cannot be used; the others go on."""

    longest = LONGEST


class DamagedSlideError(SlideError):
    """A slide's format is known and the file is damaged; no other reader is tried."""


class SlideImageError(SlideError):
    """None of a file's images is the slide, or several could be; no other reader is tried."""


class ResolutionError(SlideError):
    """A slide's µm per pixel is missing, implausible, or cannot give a level."""


@contextmanager
def naming(path: Path | str) -> Iterator[None]:
    """Have an OSError of writing a file or folder name it as the user knows it.

    A write that fails names nothing, and what is written aside first has a name that nobody gave
    it: ``.NAME.…`` beside the place. Errors that name any other file are left as they are.
    """
    try:
        yield
    except OSError as error:
        parts = Path(os.fsdecode(error.filename or "")).parts
        # a read that fails names nothing either, and never for want of room
        nameless = not parts and error.errno not in (None, errno.EIO)
        if nameless or any(part.startswith(f".{Path(path).name}.") for part in parts):
            error.filename, error.filename2 = str(path), None
        raise


def refusal(error: OSError) -> str:
    """Return in one sentence what the machine refused and what to do; empty if it refused nothing.

    An error that no disk, right or limit is to blame for is a fault of the program: its traceback
    is wanted.
    """
    if error.errno not in _ADVICE:
        return ""
    named = f"{error.filename}: " if error.filename is not None else ""
    said = error.strerror or str(error)
    return f"{named}{said}; {advice(error)} and run the same command again"


def advice(error: OSError) -> str:
    """Return what a user can do about a failed write, as an imperative."""
    return _ADVICE.get(error.errno or 0, "mend that")
