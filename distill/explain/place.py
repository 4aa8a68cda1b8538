"""A folder that is whole or not there."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def aside(out: Path) -> Iterator[Path]:
    """Yield a folder to write in; it takes the place of `out`, and of what is there, at the end.

    Where the work fails or is interrupted nothing of it stays, and `out` is as it was.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    folder = out.with_name(f".{out.name}.{uuid.uuid4().hex}")
    replaced = folder.with_name(f"{folder.name}.replaced")
    folder.mkdir()
    try:
        yield folder
        try:
            if out.exists():
                out.rename(replaced)
            folder.rename(out)
        except BaseException:
            if replaced.exists() and not out.exists():
                replaced.rename(out)
            raise
        shutil.rmtree(replaced, ignore_errors=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
