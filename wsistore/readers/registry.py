"""Which reader opens a file."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from wsistore.errors import DamagedSlideError, SlideError, SlideImageError
from wsistore.readers.declared import require_sizes, require_within_limits

if TYPE_CHECKING:
    from wsistore.readers.base import Reader

READERS = {
    "tiffslide": "wsistore.readers.tiff.reader:TiffReader",
    "openslide": "wsistore.readers.openslide:OpenSlideReader",
    "vips": "wsistore.readers.vips:VipsReader",
    "wsidicom": "wsistore.readers.dicom.reader:WsiDicomReader",
}
"""Readers by name, in the order in which they are tried. They judge by content, not by name.

Each is imported when it is tried: its library takes a tenth of a second or more.
"""

AUTO = "auto"


def open_slide(path: Path, reader: str = AUTO) -> Reader:
    """Open a slide with the named reader, or with the first that can.

    Args:
        path: a file, or a folder that holds one DICOM series.
        reader: a key of `READERS`, or ``"auto"``.

    Raises:
        SlideError: it is missing or no reader opens it (the message holds each one's reason), or it
            declares more than `wsistore.files.limits` lets pass.
        DamagedSlideError: a reader knows the format and finds the file damaged.
        SlideImageError: none of the file's images is the slide, or several could be.
    """
    if not path.exists():
        link = "it is a link that leads nowhere" if path.is_symlink() else "there is no such file"
        raise SlideError(link)
    try:
        require_within_limits(path)
    except OSError as error:
        raise SlideError(f"it cannot be read: {error.strerror or error}") from error
    reasons = []
    for name in READERS if reader == AUTO else (reader,):
        module, kind = READERS[name].split(":")
        opens = getattr(import_module(module), kind)
        try:
            opened: Reader = _within_limits(opens(path))
        except (DamagedSlideError, SlideImageError):
            raise
        except OSError as error:
            # without its folder, which no store keeps
            raise SlideError(f"it cannot be read: {error.strerror or error}") from error
        except SlideError as error:
            reasons.append(f"{name}: {error}")
        else:
            return opened
    raise SlideError(f"it cannot be opened ({'; '.join(reasons)})")


def _within_limits(reader: Reader) -> Reader:
    try:
        require_sizes(tuple(reader.level_sizes), getattr(reader, "frame_size", None))
    except SlideError:
        reader.close()
        raise
    return reader
