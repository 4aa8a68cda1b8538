"""Which reader opens a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from wsistore.errors import DamagedSlideError, SlideError, SlideImageError
from wsistore.readers.base import Reader
from wsistore.readers.dicom import WsiDicomReader
from wsistore.readers.openslide import OpenSlideReader
from wsistore.readers.tiff import TiffReader
from wsistore.readers.vips import VipsReader

READERS: dict[str, Callable[[Path], Reader]] = {
    TiffReader.name: TiffReader,
    OpenSlideReader.name: OpenSlideReader,
    VipsReader.name: VipsReader,
    WsiDicomReader.name: WsiDicomReader,
}
"""Readers by name, in the order in which they are tried. They judge by content, not by name."""

AUTO = "auto"


def open_slide(path: Path, reader: str = AUTO) -> Reader:
    """Open a slide with the named reader, or with the first that can.

    Args:
        path: a file, or a folder that holds one DICOM series.
        reader: a key of `READERS`, or ``"auto"``.

    Raises:
        SlideError: it is missing or no reader opens it; the message holds each one's reason.
        DamagedSlideError: a reader knows the format and finds the file damaged.
        SlideImageError: none of the file's images is the slide, or several could be.
    """
    if not path.exists():
        link = "it is a link that leads nowhere" if path.is_symlink() else "there is no such file"
        raise SlideError(link)
    reasons = []
    for name in READERS if reader == AUTO else (reader,):
        try:
            return READERS[name](path)
        except (DamagedSlideError, SlideImageError):
            raise
        except OSError as error:
            # without its folder, which no store keeps
            raise SlideError(f"it cannot be read: {error.strerror or error}") from error
        except SlideError as error:
            reasons.append(f"{name}: {error}")
    raise SlideError(f"it cannot be opened ({'; '.join(reasons)})")
