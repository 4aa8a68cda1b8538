"""Builds that meet Ctrl-C, as a terminal sends it: to all processes at once."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.wsistore.test_build import flat_slide, outcomes
from wsistore.console import INTERRUPTED

SLIDES = 12


@pytest.fixture(scope="module")
def slides(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("slides")
    for number in range(SLIDES):
        flat_slide(folder / f"s{number}.tif", size=3000)
    return folder


def begun(store: Path) -> bool:
    """Whether a build has come to the point where workers start; they import for half a second."""
    return (store / ".building").is_dir()


def writing(store: Path) -> bool:
    return any(path.is_dir() for path in (store / ".building").glob("s*"))


def stored(store: Path) -> bool:
    return any(path.is_dir() for path in (store / "slides").glob("*"))


@pytest.mark.parametrize("reached", [begun, writing, stored])
def test_ctrl_c_ends_a_build_quietly_and_leaves_nothing_half_written(
    reached: Callable[[Path], bool], slides: Path, tmp_path: Path
) -> None:
    store = tmp_path / "store"
    build = ["build", str(slides), "--out", str(store), "--levels", "5x", "--workers", "2"]
    command = [sys.executable, "-m", "wsistore.cli", *build]
    with subprocess.Popen(command, stderr=subprocess.PIPE, start_new_session=True) as process:
        deadline = time.monotonic() + 60
        while not reached(store) and time.monotonic() < deadline:
            time.sleep(0.002)
        time.sleep(0.3 if reached is begun else 0.02)
        os.killpg(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == INTERRUPTED
    assert "Interrupted; what was finished is kept." in errors.decode()
    assert "Traceback" not in errors.decode()
    assert not writing(store)
    subprocess.run(command, check=True, capture_output=True)
    assert list(outcomes(store).values()) == [("ok", "")] * SLIDES
