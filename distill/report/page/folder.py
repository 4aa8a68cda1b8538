"""The report's folder."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from distill.errors import UsageError
from distill.output_folder import require_replaceable, staged_folder

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
MOST = 24
"""Pictures that a page holds, which carries them within itself."""

PAGE = "index.html"
GENERATOR = "distill report"
"""What the page's head says it was made by; only a folder with such a page is replaced."""
NAMES = (PAGE, "report.md", "tables", "figures", "explained", "mistakes")


def check_report_folder(out: Path, overwrite: bool) -> None:
    """Refuse a place that holds anything, unless it is an earlier report to be replaced.

    Raises:
        UsageError: as `distill.output_folder.require_replaceable`.
    """
    require_replaceable(out, overwrite, "a report", _ours, NAMES)


def _ours(out: Path) -> bool:
    page = out / PAGE
    return page.is_file() and f'content="{GENERATOR}"'.encode() in page.read_bytes()[:2000]


def write_report(out: Path, files: Mapping[str, bytes], overwrite: bool) -> None:
    """Write the files so that the folder appears with all of them, or not at all.

    Args:
        out: the folder.
        files: contents by path in it.
        overwrite: whether an earlier report there is replaced.

    Raises:
        UsageError: as `check_report_folder`.
    """
    check_report_folder(out, overwrite)
    with staged_folder(out) as folder:
        for name, content in files.items():
            place = folder / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)


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
