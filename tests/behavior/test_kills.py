"""Each command, killed at each of its renames and given again, leaves what it leaves undisturbed.

The list of renames is traced, not written down, see ``renames/sitecustomize.py``. An ordinary run
of the tests kills a command once, at a rename that a seed draws; ``make kills`` at each. Commands
that publish as others do, or take long, are killed by ``make kills`` alone: see `Case.late`.
"""

import csv
import itertools
import json
import os
import random
import re
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
            docs/how-to/training.md tells, or the command when it refuses.
        late: whether an ordinary run of the tests leaves it to ``make kills``.
        at: a pattern: the only renames to kill at, by where they go; all by default.
    """

    words: tuple[str, ...]
    needs: tuple[str, ...]
    resume: tuple[str, str] | None = None
    late: bool = False
    at: str = ""


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
    "split --extend": Case(
        ("wsistore", "split", "grown", "--name", "main", "--extend"), ("grown",)
    ),
    "label": Case(
        ("wsistore", "label", "few-store", "--labels", "few/labels.csv"), ("few", "few-store")
    ),
    "sample": Case(
        ("wsistore", "sample", "cohort", "--patients", "2", "--size", "256", "--workers", "1"),
        (), ("cohort", "--overwrite"),
    ),
    "preview": Case(
        ("wsistore", "preview", "few-store", "--out", "seen"), ("few-store",), late=True
    ),
    "preview --overwrite": Case(
        ("wsistore", "preview", "few-store", "--out", "seen", "--size", "300", "--overwrite"),
        ("few-store", "seen"), late=True,
    ),
    "train kd": Case(
        ("distill", "train", "kd", "store", "--level", "2.5x", "--teacher", "run", "--out",
         "student", "--epochs", "1", *MACHINE),
        ("store", "run"), ("student/config.json", "--resume"), late=True,
    ),
    "train finetune": Case(
        ("distill", "train", "finetune", "store", "--student", "run", "--out", "tuned",
         "--epochs", "1", *MACHINE),
        ("store", "run"), ("tuned/config.json", "--resume"), late=True,
    ),
    "explain": Case(
        ("distill", "explain", "run", "store", "--subset", "val", "--out", "explained", *MACHINE),
        ("store", "run"), late=True,
    ),
    "explain --overwrite": Case(
        ("distill", "explain", "run", "store", "--subset", "val", "--out", "explained",
         "--size", "300", "--overwrite", *MACHINE),
        ("store", "run", "explained"), late=True,
    ),
    "predict": Case(
        ("distill", "predict", "run", "few", "--mpp", "1", "--out", "predictions", *MACHINE),
        ("few", "store", "run"), late=True,
    ),
    "predict --overwrite": Case(
        ("distill", "predict", "run", "few", "--mpp", "1", "--out", "predictions",
         "--aggregate", "area", "--overwrite", *MACHINE),
        ("few", "store", "run", "predictions"), late=True,
    ),
    "export": Case(
        ("distill", "export", "run", "--onnx", "--out", "exported/m.onnx"), ("run",), late=True
    ),
    "export --overwrite": Case(
        ("distill", "export", "run", "--onnx", "--out", "exported/m.onnx", "--overwrite",
         "--store", "store"),
        ("store", "run", "exported"), late=True,
    ),
    "cost": Case(
        ("distill", "cost", "run", "--size", "64x64", "--no-measure", "--csv", "cost.csv"),
        ("run",), late=True,
    ),
    "experiment": Case(
        ("distill", "experiment", "design/design.toml", "--out", "runs", "--jobs", "1",
         "--threads", "1", "--device", "cpu"),
        ("store", "design"), late=True, at=r"/(jobs\.json|weights\.json|runs/report)$",
    ),
}  # fmt: skip
DESIGN = """
store = "../store"
teacher = "10x"
students = ["2.5x"]
seeds = 1
distil_on = ["train"]
views = 0
subset = "val"
[train]
epochs = 1
memory = 4
[evaluate]
draws = 20
memory = 4
"""
SLIDES = {"few": range(2), "all": range(8), "late": range(8, 10)}
"""Folders of slides → their numbers."""
SHARES = ("--fractions", "50/25/25")


def build(slides: str, out: str, *more: str) -> tuple[str, ...]:
    """Return the command that builds a store in one process."""
    return ("wsistore", "build", slides, "--out", out, *LEVELS, *more, "--workers", "1")


MADE: dict[str, tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]] = {
    "few-store": (("few",), (build("few", "few-store"),)),
    "store": (
        ("all",),
        (build("all", "store", "--labels", "all/labels.csv"),
         ("wsistore", "split", "store", "--name", "main", *SHARES)),
    ),
    "grown": (
        ("store", "late"),
        (("cp", "store", "grown"), build("late", "grown", "--labels", "late/labels.csv")),
    ),
    "run": (("store",), (CASES["train"].words,)),
    "evaluated/run": (
        ("run", "store"),
        (("cp", "run", "evaluated/run"),
         tuple("evaluated/run" if word == "run" else word for word in CASES["evaluate"].words)),
    ),
    "seen": (CASES["preview"].needs, (CASES["preview"].words,)),
    "explained": (CASES["explain"].needs, (CASES["explain"].words,)),
    "predictions": (CASES["predict"].needs, (CASES["predict"].words,)),
    "exported": (CASES["export"].needs, (CASES["export"].words,)),
}  # fmt: skip
"""What commands need → what is needed to make it, and the commands that do; cp copies a folder."""


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


def write_slides(folder: Path, numbers: range) -> None:
    """Write slides of 1 µm/px, noise of two grains, of two classes in turn, and their labels."""
    folder.mkdir()
    lines = ["slide,patient,label"]
    for number in numbers:
        rng = np.random.default_rng(number)
        grain = (16, 2)[number % 2]
        cells = rng.integers(40, 240, (128 // grain, 96 // grain, 3), dtype=np.uint8)
        pixels = cells.repeat(grain, 0).repeat(grain, 1)
        tifffile.imwrite(folder / f"s{number}.tif", pixels, photometric="rgb", tile=(64, 64))
        lines.append(f"s{number},p{number},{('coarse', 'fine')[number % 2]}")
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")


class Made:
    """A folder with all that the commands need, each made when a command first needs it."""

    def __init__(self, server: Server, home: Path) -> None:
        self._server, self._home = server, home

    def __call__(self, name: str) -> Path:
        """Return where it is."""
        path = self._home / name
        if path.exists():
            return path
        if name in SLIDES:
            write_slides(path, SLIDES[name])
        elif name == "design":
            path.mkdir()
            (path / "design.toml").write_text(DESIGN)
        else:
            needs, commands = MADE[name]
            for need in needs:
                self(need)
            for words in commands:
                if words[0] == "cp":
                    shutil.copytree(self._home / words[1], self._home / words[2])
                else:
                    self._server.done(self._home, words)
        return path


@pytest.fixture(scope="module")
def made(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Made:
    return Made(server, tmp_path_factory.mktemp("made"))


def before(made: Made, case: Case, folder: Path) -> None:
    """Make the folder as it is before a command."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name in case.needs:
        shutil.copytree(made(name), folder / Path(name).name)


def tree(folder: Path) -> dict[str, Any]:
    """Return what is in a folder, by path: of files their content, of folders nothing."""
    found: dict[str, Any] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        found[name] = (
            None
            if path.is_dir()
            else OWN.get(path.name, OWN.get(path.suffix, bytes))(path.read_bytes())
        )
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


def _nothing(_: bytes) -> None:
    """What a command said in its log: the seconds that it took, and those of the killed one."""


OWN: dict[str, Callable[[bytes], Any]] = {
    "metrics.jsonl": _untimed_lines,
    "metrics.csv": _untimed_rows,
    "config.json": _nameless,
    ".log": _nothing,
}
"""The files that hold what each run has of its own, the seconds of an epoch and the id that was
drawn for it: name or ending → how the rest of it is read."""


def renames_to_kill_at(name: str, renames: list[str]) -> Iterator[int]:
    """Yield numbers of renames, from 1: all and on, or one that is drawn by the command's name."""
    fit = [n for n, line in enumerate(renames, 1) if re.search(CASES[name].at, line)]
    if not os.environ.get(EVERY):
        yield random.Random(name).choice(fit)
    elif CASES[name].at:
        yield from fit
    else:
        yield from itertools.count(1)


@pytest.mark.parametrize(
    "name", [name for name, case in CASES.items() if os.environ.get(EVERY) or not case.late]
)
def test_killed_and_given_again(name: str, made: Made, server: Server, tmp_path: Path) -> None:
    case, folder = CASES[name], tmp_path / "work"
    before(made, case, folder)
    renames = server.done(folder, case.words)
    undisturbed = tree(folder)
    killed = 0
    for number in renames_to_kill_at(name, renames):
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
