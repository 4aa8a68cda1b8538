"""Builds that meet Ctrl-C, as a terminal sends it to all processes at once, or another signal."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.events import DEADLINE, ended, let_interrupt, wait_until
from tests.wsistore.build.test_builder import flat_slide, outcomes
from wsistore.cli.console import INTERRUPTED

SLIDES = 12


@pytest.fixture(scope="module")
def slides(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("slides")
    for number in range(SLIDES):
        flat_slide(folder / f"s{number}.tif", size=3000)
    return folder


def workers_of(process: int) -> list[int]:
    """Return the worker processes of a build; what tracks its shared memory is none."""
    found = []
    for child in psutil.Process(process).children():
        try:
            command = " ".join(child.cmdline())
        except psutil.Error:  # it has just ended
            continue
        if "spawn_main" in command:
            found.append(child.pid)
    return found


def begun(process: int, store: Path) -> bool:
    """Whether workers have started; they import for half a second."""
    return len(workers_of(process)) == 2


def writing(process: int, store: Path) -> bool:
    return half_written(store)


def stored(process: int, store: Path) -> bool:
    return any(path.is_dir() for path in (store / "slides").glob("*"))


def half_written(store: Path) -> bool:
    return any(path.is_dir() for path in (store / ".building").glob("s*"))


@contextmanager
def building(
    slides: Path, store: Path, reached: Callable[[int, Path], bool]
) -> Iterator[subprocess.Popen[bytes]]:
    """Start a build with two workers and wait until it has come to a point."""
    let_interrupt()
    with subprocess.Popen(
        command(slides, store), stderr=subprocess.PIPE, start_new_session=True
    ) as process:
        wait_until(lambda: process.poll() is not None or reached(process.pid, store))
        yield process


def command(slides: Path, store: Path) -> list[str]:
    build = ["build", str(slides), "--out", str(store), "--levels", "5x", "--workers", "2"]
    return [sys.executable, "-m", "wsistore.cli.main", *build]


def finish(slides: Path, store: Path) -> None:
    subprocess.run(command(slides, store), check=True, capture_output=True)
    assert list(outcomes(store).values()) == [("ok", "")] * SLIDES
    assert not half_written(store)


@pytest.mark.parametrize("reached", [begun, writing, stored])
def test_ctrl_c_ends_a_build_quietly_and_leaves_nothing_half_written(
    reached: Callable[[int, Path], bool], slides: Path, tmp_path: Path
) -> None:
    store = tmp_path / "store"
    with building(slides, store, reached) as process:
        os.killpg(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=DEADLINE)
    assert process.returncode == INTERRUPTED
    assert "Interrupted; what was finished is kept." in errors.decode()
    assert "Traceback" not in errors.decode()
    assert not half_written(store)
    finish(slides, store)


@pytest.mark.parametrize("reached", [begun, writing])
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGKILL, -9)]
)
def test_workers_end_with_their_build_whatever_ends_it(
    number: int, code: int, reached: Callable[[int, Path], bool], slides: Path, tmp_path: Path
) -> None:
    store = tmp_path / "store"
    with building(slides, store, reached) as process:
        workers = workers_of(process.pid)
        process.send_signal(number)  # to it alone, as a batch system or the kernel does
        _, errors = process.communicate(timeout=DEADLINE)
    assert process.returncode == code
    assert len(workers) == 2
    for worker in workers:
        wait_until(lambda worker=worker: ended(worker), "a worker goes on without its build")
    if number != signal.SIGKILL:
        assert errors.decode().splitlines()[-1] == "Interrupted; what was finished is kept."
        assert "Traceback" not in errors.decode()
        assert not half_written(store)
    finish(slides, store)
