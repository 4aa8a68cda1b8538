"""The report's folder: written aside, whole, then put in place by a rename."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Mapping
from pathlib import Path

from distill.errors import UsageError

PAGE = "index.html"
GENERATOR = "distill report"
"""What the page's head says it was made by; only a folder with such a page is replaced."""


def check_out(out: Path, overwrite: bool) -> None:
    """Refuse a place that holds anything, unless it is an earlier report to be replaced.

    Raises:
        UsageError: it does, or is a file or a link.
    """
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise UsageError(f"{out} is not a folder; choose another --out")
    if not out.exists() or not any(out.iterdir()):
        return
    page = out / PAGE
    if not (page.is_file() and f'content="{GENERATOR}"'.encode() in page.read_bytes()[:2000]):
        raise UsageError(f"{out} is not empty and is no report; choose another --out")
    if not overwrite:
        raise UsageError(
            f"{out} already holds a report; choose another --out, or replace it with --overwrite"
        )


def write(out: Path, files: Mapping[str, bytes], overwrite: bool) -> None:
    """Write the files so that the folder appears with all of them, or not at all.

    Args:
        out: the folder.
        files: contents by path in it.
        overwrite: whether an earlier report there is replaced, with all that is in its folder.

    Raises:
        UsageError: as `check_out`.
    """
    check_out(out, overwrite)
    whole = out.resolve()
    whole.parent.mkdir(parents=True, exist_ok=True)
    aside = whole.with_name(f".{whole.name}.{uuid.uuid4().hex}")
    former = aside.with_name(f"{aside.name}.former")
    try:
        for name, content in files.items():
            place = aside / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
        if whole.exists():
            whole.rename(former)
        try:
            aside.rename(whole)
        except OSError:
            if former.exists():
                former.rename(whole)
            raise
        shutil.rmtree(former, ignore_errors=True)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
