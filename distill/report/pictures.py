"""Pictures from a folder, such as class activation maps: PNG files, shown as they are."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from pathlib import Path

from distill.errors import UsageError

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
MOST = 24
"""Pictures that a page holds, which carries them within itself."""


@dataclass(frozen=True)
class Overlay:
    """A picture.

    Attributes:
        caption: where it lay in the folder, without ending.
        name: of its copy beside the page, a number.
        png: the file.
        size: width and height in pixels.
    """

    caption: str
    name: str
    png: bytes
    size: tuple[int, int]

    @property
    def data(self) -> str:
        """The picture as a data URI."""
        return f"data:image/png;base64,{base64.b64encode(self.png).decode()}"


def overlays(folder: Path) -> tuple[list[Overlay], int]:
    """Return the first `MOST` PNG files in a folder and below, by name, and how many there are.

    Raises:
        UsageError: there is none, or one of them is no PNG file.
    """
    files = sorted((file for file in folder.rglob("*.png") if file.is_file()), key=_natural)
    if not files:
        raise UsageError(f"{folder} holds no PNG file; name another --explain, or leave it out")
    found = []
    for number, file in enumerate(files[:MOST], start=1):
        png = file.read_bytes()
        if not png.startswith(_SIGNATURE) or len(png) < 24:
            raise UsageError(f"{file} is no PNG file; name another --explain")
        size = (int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big"))
        caption = file.relative_to(folder).with_suffix("").as_posix()
        found.append(Overlay(caption, f"{number:03}.png", png, size))
    return found, len(files)


def _natural(file: Path) -> list[tuple[int, str]]:
    parts = re.split(r"(\d+)", str(file))
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]
