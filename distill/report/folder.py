"""The report's folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from distill.output_folder import aside, check_place

PAGE = "index.html"
GENERATOR = "distill report"
"""What the page's head says it was made by; only a folder with such a page is replaced."""
NAMES = (PAGE, "report.md", "tables", "figures", "explained")


def check_out(out: Path, overwrite: bool) -> None:
    """Refuse a place that holds anything, unless it is an earlier report to be replaced.

    Raises:
        UsageError: as `distill.output_folder.check_place`.
    """
    check_place(out, overwrite, "a report", _ours, NAMES)


def _ours(out: Path) -> bool:
    page = out / PAGE
    return page.is_file() and f'content="{GENERATOR}"'.encode() in page.read_bytes()[:2000]


def write(out: Path, files: Mapping[str, bytes], overwrite: bool) -> None:
    """Write the files so that the folder appears with all of them, or not at all.

    Args:
        out: the folder.
        files: contents by path in it.
        overwrite: whether an earlier report there is replaced.

    Raises:
        UsageError: as `check_out`.
    """
    check_out(out, overwrite)
    with aside(out) as folder:
        for name, content in files.items():
            place = folder / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
