"""The folder of predictions: written aside, and published in one step."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from distill.errors import RunError, UsageError
from distill.predict.report import FORMAT
from distill.weights import read_json

REPORT, CROPS, SLIDES, OVERLAYS = "predictions.json", "predictions.csv", "slides.csv", "overlays"


def check_place(out: Path, overwrite: bool) -> None:
    """Refuse a folder that holds anything, unless it is predictions to be replaced.

    Raises:
        UsageError: it does, or it is no folder.
    """
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise UsageError(f"{out} is not a folder; choose another --out")
    if not out.exists() or not any(out.iterdir()):
        return
    try:
        ours = read_json(out / REPORT).get("format") == FORMAT
    except RunError:
        ours = False
    if not ours:
        raise UsageError(f"{out} is not empty and holds no predictions; choose another --out")
    if not overwrite:
        raise UsageError(f"{out} holds predictions; choose another --out or give --overwrite")


@contextmanager
def published(out: Path) -> Iterator[Path]:
    """Give a folder to write in, which takes the place of ``out`` when all went well.

    Raises:
        UsageError: no folder can be made there.
    """
    aside = out.with_name(f".{out.name}.{os.getpid()}")
    former = out.with_name(f".{out.name}.{os.getpid()}.former")
    try:
        (aside / OVERLAYS).mkdir(parents=True)
    except OSError as error:
        raise UsageError(
            f"{out} cannot be made ({error.strerror}); choose another --out"
        ) from error
    try:
        yield aside
        if out.exists():
            out.rename(former)
        try:
            aside.rename(out)
        except OSError:
            if former.exists():
                former.rename(out)
            raise
        shutil.rmtree(former, ignore_errors=True)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
