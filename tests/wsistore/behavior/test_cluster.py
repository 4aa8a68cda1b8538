"""A build on a Dask cluster of separate processes, one of which is killed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from distributed import Client

from tests.wsistore.build.test_builder import flat_slide
from tests.wsistore.same_store import assert_same, content
from wsistore.cli.main import main

WORKERS = 2


def until(done: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """The address of a scheduler with two workers, each a process, on loopback."""
    file = tmp_path / "scheduler.json"
    place = ["--scheduler-file", str(file), "--no-dashboard"]
    worker = ["--no-nanny", "--nthreads", "1", "--local-directory", str(tmp_path)]
    commands = [
        ["dask_scheduler", *place, "--host", "127.0.0.1", "--port", "0"],
        *[["dask_worker", *place, *worker]] * WORKERS,
    ]
    running = [
        subprocess.Popen(
            [sys.executable, "-m", f"distributed.cli.{name}", *options],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        for name, *options in commands
    ]  # fmt: skip
    try:
        until(file.exists)
        with Client(scheduler_file=str(file)) as client:
            client.wait_for_workers(WORKERS, timeout=60)
            yield client.scheduler.address
    finally:
        for process in running:
            process.kill()
            process.wait()


def test_a_killed_worker_costs_nothing(address: str, tmp_path: Path) -> None:
    folder = tmp_path / "slides"
    folder.mkdir()
    for i in range(5):
        flat_slide(folder / f"s{i}.tif", size=2000 + 40 * i)
    store, local = tmp_path / "store", tmp_path / "local"
    command = [f"{sys.prefix}/bin/wsistore", "build", str(folder), "--out"]
    build = subprocess.Popen([*command, str(store), "--scheduler", address])
    with Client(address) as client:
        pids = client.run(os.getpid)
        until(lambda: len([p for p in store.glob(".building/*") if p.is_dir()]) == WORKERS)
        os.kill(next(iter(pids.values())), signal.SIGKILL)
        assert build.wait(timeout=120) == 0
        assert len(client.scheduler_info()["workers"]) == WORKERS - 1
    whole = CliRunner().invoke(main, ["build", str(folder), "--out", str(local), "--workers", "1"])
    assert whole.exit_code == 0
    # what the dead worker left behind is cleared by the next build
    again = CliRunner().invoke(main, ["build", str(folder), "--out", str(store), "--workers", "1"])
    assert again.exit_code == 0
    assert again.stderr.count("stored before") == 5
    assert_same(store, content(local))


def test_no_scheduler_there(tmp_path: Path) -> None:
    slide = flat_slide(tmp_path / "s.tif")
    result = CliRunner().invoke(
        main, ["build", str(slide), "--out", str(tmp_path / "store"), "--scheduler", "tcp://127.0.0.1:9"]
    )  # fmt: skip
    assert result.exit_code == 2
    assert "--scheduler tcp://127.0.0.1:9: no Dask scheduler answers" in result.stderr
