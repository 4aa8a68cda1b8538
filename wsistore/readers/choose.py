"""Which reader opens a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from wsistore.errors import SlideError
from wsistore.readers.base import Reader
from wsistore.readers.tiff import TiffReader

READERS: dict[str, Callable[[Path], Reader]] = {TiffReader.name: TiffReader}
"""Readers by name, in the order in which they are tried."""


def open_slide(path: Path) -> Reader:
    """Open a slide with the first reader that can.

    Raises:
        SlideError: the file is missing or no reader opens it; the message holds each one's reason.
    """
    if not path.is_file():
        raise SlideError("there is no such file")
    reasons = []
    for make in READERS.values():
        try:
            return make(path)
        except SlideError as error:
            reasons.append(str(error))
    raise SlideError("; ".join(reasons))
