"""Each command, killed at each of its renames and given again, leaves what it leaves undisturbed.

The list of renames is traced, not written down, see ``renames/sitecustomize.py``. An ordinary run
of the tests kills each command once, at a rename that a seed draws; ``make kills`` at each.
"""

import csv
import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

EVERY = "EVERY_RENAME"
"""The environment variable by which each command is killed at each of its renames."""
HERE = Path(__file__).resolve().parent
MACHINE = ("--device", "cpu", "--threads", "1", "--memory", "4")
LEVELS = ("--levels", "10x,2.5x", "--regions", "whole", "--mpp", "1")
CONFIG = "run/config.json"


@dataclass(frozen=True)
class Case:
    """A command.

    Attributes:
        words: the command line.
        needs: files and folders that it works with, made by the commands before.
        resume: what to add when it is given again and a file of that name is there: the way that
            docs/training.md tells.
    """

    words: tuple[str, ...]
    needs: tuple[str, ...]
    resume: tuple[str, str] | None = None


CASES = {
    "build": Case(
        ("wsistore", "build", "few", "--out", "made", *LEVELS, "--workers", "2"), ("few",)
    ),
    "build --overwrite": Case(
        ("wsistore", "build", "few", "--out", "few-store", *LEVELS, "--workers", "1",
         "--overwrite"),
        ("few", "few-store"),
    ),
    "split": Case(("wsistore", "split", "store", "--name", "cv", "--folds", "3"), ("store",)),
    "split --overwrite": Case(
        ("wsistore", "split", "store", "--name", "main", "--folds", "3", "--overwrite"), ("store",)
    ),
    "train": Case(
        ("distill", "train", "teacher", "store", "--level", "10x", "--out", "run", "--epochs", "1",
         *MACHINE),
        ("store",), (CONFIG, "--resume"),
    ),
    "train --overwrite": Case(
        ("distill", "train", "teacher", "store", "--level", "10x", "--out", "run", "--epochs", "1",
         "--seed", "7", "--overwrite", *MACHINE),
        ("store", "run"),
    ),
    "teach": Case(
        ("distill", "teach", "run", "store", "--student-level", "2.5x", "--out", "targets",
         "--views", "1", *MACHINE),
        ("store", "run"),
    ),
    "evaluate": Case(
        ("distill", "evaluate", "run", "store", "--subset", "val", "--draws", "20", *MACHINE),
        ("store", "run"),
    ),
    "report": Case(
        ("distill", "report", "run", "store", "--subset", "val", "--out", "report"),
        ("store", "evaluated/run"),
    ),
}  # fmt: skip


class Server:
    """Runs commands in a folder, each a group of processes of its own."""

    def __init__(self, home: Path) -> None:
        paths = [str(HERE / "renames"), str(HERE.parents[1])]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.behavior.command_server"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=HERE.parents[1],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        self._output, self._log = home / "output", home / "log"

    def run(self, folder: Path, words: tuple[str, ...], kill: int = 0) -> tuple[int, list[str]]:
        """Run a command; return its exit code, or -9, and its renames, the last not done if -9."""
        self._log.write_text("")
        about = {"RENAMES_LOG": self._log, "RENAMES_BELOW": folder, "RENAMES_KILL": kill}
        request = {
            "words": words,
            "folder": str(folder),
            "output": str(self._output),
            "environment": {name: str(value) for name, value in about.items()},
        }
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps(request), file=self._process.stdin, flush=True)
        code = int(self._process.stdout.readline())
        return code, self._log.read_text().splitlines()

    def done(self, folder: Path, words: tuple[str, ...], where: str = "") -> list[str]:
        """Run a command that must succeed, and return its renames."""
        code, renames = self.run(folder, words)
        assert code == 0, f"{words} {where}: {self._output.read_text()}"
        return renames

    def close(self) -> None:
        """Let it end."""
        self._process.communicate()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("server"))
    yield server
    server.close()


def write_slides(folder: Path, count: int) -> None:
    """Write slides of 1 µm/px, noise of two grains, of two classes in turn, and their labels."""
    folder.mkdir()
    lines = ["slide,patient,label"]
    for number in range(count):
        rng = np.random.default_rng(number)
        grain = (16, 2)[number % 2]
        cells = rng.integers(40, 240, (128 // grain, 96 // grain, 3), dtype=np.uint8)
        pixels = cells.repeat(grain, 0).repeat(grain, 1)
        tifffile.imwrite(folder / f"s{number}.tif", pixels, photometric="rgb", tile=(64, 64))
        lines.append(f"s{number},p{number},{('coarse', 'fine')[number % 2]}")
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def made(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All that the commands need, each made by the commands before it."""
    home = tmp_path_factory.mktemp("made")
    write_slides(home / "few", 2)
    write_slides(home / "all", 8)
    for folder, out in (("few", "few-store"), ("all", "store")):
        labels = ("--labels", f"{folder}/labels.csv") if folder == "all" else ()
        words = ("build", folder, "--out", out, *LEVELS, *labels, "--workers", "1")
        server.done(home, ("wsistore", *words))
    shares = ("--fractions", "50/25/25")
    server.done(home, ("wsistore", "split", "store", "--name", "main", *shares))
    server.done(home, CASES["train"].words)
    shutil.copytree(home / "run", home / "evaluated" / "run")
    server.done(
        home,
        tuple("evaluated/run" if word == "run" else word for word in CASES["evaluate"].words),
    )
    return home


def before(made: Path, case: Case, folder: Path) -> None:
    """Make the folder as it is before a command."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name in case.needs:
        shutil.copytree(made / name, folder / Path(name).name)


def tree(folder: Path) -> dict[str, Any]:
    """Return what is in a folder, by path: of files their content, of folders nothing."""
    found: dict[str, Any] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        found[name] = None if path.is_dir() else OWN.get(path.name, bytes)(path.read_bytes())
    return found


def _untimed_lines(content: bytes) -> Any:
    records = [json.loads(line) for line in content.splitlines()]
    assert all(record.pop("seconds") > 0 for record in records)
    return records


def _untimed_rows(content: bytes) -> Any:
    rows = list(csv.DictReader(content.decode().splitlines()))
    assert all(float(row.pop("seconds")) > 0 for row in rows)
    return rows


def _nameless(content: bytes) -> Any:
    config = json.loads(content)
    assert len(config.pop("id")) == 32
    return config


OWN: dict[str, Callable[[bytes], Any]] = {
    "metrics.jsonl": _untimed_lines,
    "metrics.csv": _untimed_rows,
    "config.json": _nameless,
}
"""The files that hold what each run has of its own, the seconds of an epoch and the id that was
drawn for it: name → how the rest of it is read."""


def renames_to_kill_at(name: str, count: int) -> Iterator[int]:
    """Yield numbers of renames, from 1: all and on, or one that is drawn by the command's name."""
    if os.environ.get(EVERY):
        yield from itertools.count(1)
    yield random.Random(name).randint(1, count)


@pytest.mark.parametrize("name", CASES)
def test_killed_and_given_again(name: str, made: Path, server: Server, tmp_path: Path) -> None:
    case, folder = CASES[name], tmp_path / "work"
    before(made, case, folder)
    renames = server.done(folder, case.words)
    undisturbed = tree(folder)
    killed = 0
    for number in renames_to_kill_at(name, len(renames)):
        before(made, case, folder)
        code, done = server.run(folder, case.words, number)
        if code == 0:
            # a slow build writes its tables more often; now there was no such rename
            assert len(done) < number
            break
        assert (code, len(done)) == (-signal.SIGKILL, number)
        where = f"{name}, killed at rename {number}: {done[-1]}"
        words = case.words
        if case.resume and (folder / case.resume[0]).exists():
            words += case.resume[1:]
        server.done(folder, words, where)
        after = tree(folder)
        assert sorted(after) == sorted(undisturbed), where
        assert [path for path in after if after[path] != undisturbed[path]] == [], where
        killed += 1
    assert killed or not os.environ.get(EVERY)
    if os.environ.get(EVERY):
        print(f"{name}: killed at {killed} renames")
