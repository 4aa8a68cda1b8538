"""Slides whose opening crashes or hangs, in worker processes alone, as a damaged file does."""

import os
from pathlib import Path

import pytest

SHIM = '''
"""Run by every Python process that starts; the names of slides say what opening them does."""
import ctypes
import os
import signal
import time

import wsistore.readers
import wsistore.readers.registry

really = wsistore.readers.open_slide


def open_slide(path, *more, **options):
    what = path.name.partition("-")[0]
    if what == "abort":
        os.abort()
    if what == "segv":
        ctypes.string_at(0)
    if what == "memory":
        os.kill(os.getpid(), signal.SIGKILL)
    while what == "hang":
        time.sleep(60)
    return really(path, *more, **options)


wsistore.readers.open_slide = wsistore.readers.registry.open_slide = open_slide
'''


def crash_in_workers(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let slides named ``abort-…``, ``segv-…``, ``memory-…`` and ``hang-…`` do so in workers."""
    shim = folder / "shim"
    shim.mkdir()
    (shim / "sitecustomize.py").write_text(SHIM)
    here = os.environ.get("PYTHONPATH", "")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(shim), str(Path.cwd()), here]))


ENDS = {
    "abort": "its worker was ended by signal 6 (Aborted)",
    "segv": "its worker was ended by signal 11 (Segmentation fault)",
    "memory": "its worker was ended by signal 9 (Killed); out of memory?",
}
"""How a slide's outcome begins, by what its name begins with."""
