"""How pixels come from a process that reads them: in a file in memory, or through the pipe.

Linux makes files in memory, without a name, with `memfd_create`. Unlike shared memory they do not
live in /dev/shm, which is often 64 MB in a container; and as they are written and read, never
mapped, a lack of memory is an error of `write` and no bus error, which would kill the process.
Elsewhere (macOS) pixels are pickled through a pipe, which takes as long as decoding them.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from distill.errors import SubsetError

Pixels = dict[str, NDArray[np.uint8]]
Shapes = dict[str, tuple[int, ...]]


class MemfdHandle(NamedTuple):
    """Where another process finds a file; the inode tells it from a later one of that number."""

    path: Path
    inode: int


class MemfdChannel:
    """A file that another process fills with a crop and this one empties, again and again.

    Used again, it has its pages: to find and to clear them takes longer than to write them.

    Raises:
        SubsetError: if no more files can be open.
    """

    def __init__(self) -> None:
        try:
            self._file = os.fdopen(os.memfd_create("crop"), "w+b", buffering=0)
        except OSError as error:
            raise _no_room(error) from error
        number = self._file.fileno()
        self.place: MemfdHandle | None = MemfdHandle(
            Path(f"/proc/{os.getpid()}/fd/{number}"), os.fstat(number).st_ino
        )

    def fit(self, size: int) -> None:
        """Give back the memory of all bytes from `size` on."""
        self._file.truncate(min(size, os.fstat(self._file.fileno()).st_size))

    def take(self, sent: Pixels | Shapes) -> Pixels:
        """Return the crop that `send` wrote, of these shapes, as arrays of the caller's own."""
        found = {level: np.empty(shape, np.uint8) for level, shape in sent.items()}
        self._file.seek(0)
        # buffered, so that reads that the system cuts short (above 2 GiB) are continued
        with os.fdopen(self._file.fileno(), "rb", closefd=False) as file:
            for values in found.values():
                if file.readinto(values.data) != values.nbytes:
                    raise EOFError("a file in memory is shorter than what was written")
        return found

    def close(self) -> None:
        """Give back all memory."""
        self._file.close()


class PipeChannel:
    """The pipe by which all results come: it brings the pixels themselves."""

    place: MemfdHandle | None = None

    def fit(self, size: int) -> None:
        """Do nothing: nothing is held here."""

    def take(self, sent: Pixels | Shapes) -> Pixels:
        """Return the crop."""
        return {level: np.asarray(values) for level, values in sent.items()}

    def close(self) -> None:
        """Do nothing."""


def channel_type() -> type[MemfdChannel] | type[PipeChannel]:
    """Return how pixels come on this system."""
    try:
        shown = Path("/proc/self").readlink().name
    except OSError:
        return PipeChannel
    # /proc may be an outer container's, with other numbers: a path would lead to
    # another process's file
    return (
        MemfdChannel if hasattr(os, "memfd_create") and shown == str(os.getpid()) else PipeChannel
    )


def send(pixels: Pixels, place: MemfdHandle | None) -> Pixels | Shapes:
    """Write a crop where it shall be taken; return what `take` has to be told.

    Args:
        pixels: level name to uint8, C-contiguous.
        place: where `MemfdChannel.take` or `PipeChannel.take` looks, in another process.

    Raises:
        SubsetError: if memory is short, or the file is no longer there.
    """
    if place is None:
        return pixels
    try:
        with place.path.open("r+b") as file:
            if os.fstat(file.fileno()).st_ino != place.inode:
                raise FileNotFoundError(f"{place.path} is another file by now")
            for values in pixels.values():
                file.write(values.data)
    except OSError as error:
        raise _no_room(error) from error
    return {level: values.shape for level, values in pixels.items()}


def _no_room(error: OSError) -> SubsetError:
    return SubsetError(
        f"a crop that was read ahead cannot be handed over ({error}); "
        "choose a smaller --read-ahead, fewer --workers, or --workers 0"
    )
