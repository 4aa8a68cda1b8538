"""A build on a Dask cluster of separate processes, one of which is killed."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner
from distributed import Client

from tests.events import DEADLINE, wait_for_file
from tests.wsistore.build.test_builder import flat_slide
from tests.wsistore.same_store import assert_same, content
from wsistore.cli.main import main

WORKERS = 2
RENAMES = Path(__file__).resolve().parents[2] / "behavior" / "renames"


@dataclass(frozen=True)
class Cluster:
    """A scheduler on loopback and workers, each a process.

    Attributes:
        address: of the scheduler.
        doomed: the worker that is killed before its first rename below a store.
        log: what that rename is.
        store: that store.
    """

    address: str
    doomed: subprocess.Popen[bytes]
    log: Path
    store: Path


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    file, log, store = (tmp_path / name for name in ("scheduler.json", "log", "store"))
    place = ["--scheduler-file", str(file), "--no-dashboard"]
    worker = ["--no-nanny", "--nthreads", "1", "--local-directory", str(tmp_path)]
    paths = os.pathsep.join([str(RENAMES), *sys.path])
    kill = {"RENAMES_LOG": log, "RENAMES_BELOW": store, "RENAMES_KILL": 1}
    doom = {"PYTHONPATH": paths, **{name: str(value) for name, value in kill.items()}}
    commands = [
        (["dask_scheduler", *place, "--host", "127.0.0.1", "--port", "0"], {}),
        (["dask_worker", *place, *worker], doom),
        *[(["dask_worker", *place, *worker], {})] * (WORKERS - 1),
    ]
    # groups of their own: that is what is killed
    running = [
        subprocess.Popen(
            [sys.executable, "-m", f"distributed.cli.{name}", *options], env=os.environ | more,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )
        for (name, *options), more in commands
    ]  # fmt: skip
    try:
        wait_for_file(file, running[0])
        with Client(scheduler_file=str(file)) as client:
            client.wait_for_workers(WORKERS, timeout=DEADLINE)
            yield Cluster(client.scheduler.address, running[1], log, store)
    finally:
        for process in running:
            process.kill()
            process.wait()


def test_a_killed_worker_costs_nothing(cluster: Cluster, tmp_path: Path) -> None:
    folder = tmp_path / "slides"
    folder.mkdir()
    for i in range(5):
        flat_slide(folder / f"s{i}.tif", size=900 + 40 * i)
    store, local = cluster.store, tmp_path / "local"
    command = [f"{sys.prefix}/bin/wsistore", "build", str(folder), "--out"]
    with Client(cluster.address) as client:
        done = subprocess.run(
            [*command, str(store), "--scheduler", cluster.address], timeout=DEADLINE
        )
        assert done.returncode == 0
        assert cluster.doomed.wait(DEADLINE) == -signal.SIGKILL
        assert len(client.scheduler_info()["workers"]) == WORKERS - 1
    # it was killed in the midst of writing a slide
    ((_, _, target),) = [line.split("\t") for line in cluster.log.read_text().splitlines()]
    assert Path(target).is_relative_to(store / ".building")
    whole = CliRunner().invoke(main, ["build", str(folder), "--out", str(local), "--workers", "1"])
    assert whole.exit_code == 0
    # what the dead worker left behind is cleared by the next build
    again = CliRunner().invoke(main, ["build", str(folder), "--out", str(store), "--workers", "1"])
    assert again.exit_code == 0
    assert again.stderr.count("stored before") == 5
    assert_same(store, content(local))


def test_no_scheduler_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wsistore.parallel.executor.SCHEDULER_SECONDS", 0.1)
    slide = flat_slide(tmp_path / "s.tif")
    result = CliRunner().invoke(
        main, ["build", str(slide), "--out", str(tmp_path / "store"), "--scheduler", "tcp://127.0.0.1:9"]
    )  # fmt: skip
    assert result.exit_code == 2
    assert "--scheduler tcp://127.0.0.1:9: no Dask scheduler answers" in result.stderr
