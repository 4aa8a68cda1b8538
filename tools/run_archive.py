"""Make tests/distill/behavior/format-N.tar.xz: what today's commands write, to be opened later.

python -m tools.run_archive tests/distill/behavior/format-2.tar.xz

One folder, named as the archive, holds a store of small crops, finished runs with evaluations, a
run that was stopped after its first epoch, targets (and targets that were begun), predictions, and
an experiment. All was made by the command lines that `manifest.json` keeps, one after another in
that folder. `tests/distill/behavior/test_old_runs.py` takes every archive there is. Make another
when a format changes, and never replace one: it stands for the folders that people have.

Two things keep the archive at some hundred kilobytes, and neither is seen by what reads it.

- The networks are ResNet-10 as ever. Their initial weights are zero in all but the first two of the
  32 groups of channels. A group of zeros has no deviation and passes no gradient, so that training
  leaves its convolutions at zero: 20 MB of weights and of Adam's moments compress to nothing.
- Where a file names the folder it was made in, the archive has `PLACE`.
"""

from __future__ import annotations

import csv
import hashlib
import json
import platform
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack, chdir
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import tifffile
import torch
import zarr
from numpy.typing import NDArray
from torch import Tensor, nn

from distill.cli.main import main as distill
from distill.kd.targets.writer import TargetsWriter
from distill.networks import ResNet
from distill.networks.build import resnet_of
from distill.networks.registry import Network
from distill.runs.writer import RunWriter
from wsistore.cli.main import main as wsistore

PLACE = "@PLACE@"
"""Stands in texts for the absolute path of the folder."""
TEXTS = (".json", ".jsonl", ".csv", ".md", ".html", ".log", ".toml")
GROUPS, LIVE = 32, 2
CLASSES = {"coarse": 16, "fine": 4}
"""Label → pixels of a side of its squares."""
MISLABELED = (2, 14)
"""Slides with the squares of the other class: of val, so that a temperature fits, and of test."""
CPU = ("--device", "cpu", "--threads", "1")
TRAIN = ("--epochs", "2", "--accumulate", "2", "--select", "last", "--lr", "0.003", *CPU)
TEACH = ("--student-level", "2.5x", "--views", "2", "--attention", *CPU)
DESIGN = """\
store = "store"
teacher = "10x"
students = ["2.5x"]
seeds = 1
views = 1

[train]
epochs = 1
accumulate = 2

[evaluate]
draws = 100
"""
COMMANDS: dict[str, tuple[str, ...]] = {
    "build": (
        *("build", "slides", "--out", "store", "--labels", "labels.csv", "--mpp", "1"),
        *("--levels", "10x,2.5x", "--regions", "whole", "--workers", "1"),
    ),
    "split": ("split", "store", "--name", "main", "--counts", "3/3/2"),
    "same": ("split", "store", "--name", "same", "--counts", "3/3/2"),
    "teacher": (
        "train",
        "teacher",
        "store",
        "--level",
        "10x",
        "--out",
        "runs/teacher",
        *TRAIN,
        *("--epochs", "8"),
    ),
    "student": (
        *("train", "kd", "store", "--level", "2.5x", "--teacher", "runs/teacher"),
        *("--out", "runs/student", *TRAIN),
    ),
    "unfinished": (
        *("train", "kd", "store", "--level", "2.5x", "--teacher", "runs/teacher"),
        *("--out", "runs/unfinished", *TRAIN),
    ),
    "targets": ("teach", "runs/teacher", "store", "--out", "targets", *TEACH),
    "begun": ("teach", "runs/teacher", "store", "--out", "begun", *TEACH),
    "taught": (
        *("train", "kd", "store", "--level", "2.5x", "--targets", "targets"),
        *("--attention-weight", "1", "--out", "runs/taught", *TRAIN),
    ),
    "evaluate": (
        *("evaluate", "runs/teacher", "runs/student", "runs/taught", "store"),
        *("--draws", "200", *CPU),
    ),
    "calibrate": (
        *("evaluate", "runs/teacher", "store", "--split", "same", "--calibrate", "val"),
        *("--draws", "200", *CPU),
    ),
    "predict": (
        *("predict", "runs/teacher", "new.tif", "--mpp", "1", "--out", "predictions", *CPU),
    ),
    "experiment": ("experiment", "design.toml", "--out", "experiment", "--jobs", "1", *CPU),
}
"""What is made, in this order, by `wsistore` (build, split) or `distill`."""


def processor() -> dict[str, str]:
    """Return what the bits of a training depend on beside the code: this machine and its torch."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return {
        "torch": torch.__version__,
        "numpy": np.__version__,
        "machine": platform.machine(),
        "processor": models[0] if models else platform.processor(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
    }


def sums(targets: Path) -> dict[str, str]:
    """Return the SHA-256 of the bytes of each array of targets, by name."""
    found = {}
    for place in sorted(path.parent for path in targets.glob("*/zarr.json")):
        values: NDArray[Any] = np.asarray(zarr.open_array(str(place), mode="r")[:])
        found[place.name] = hashlib.sha256(values.tobytes()).hexdigest()
    return found


def make(out: Path) -> None:
    """Write the archive.

    Raises:
        FileExistsError: it is there.
        RuntimeError: a command did not end as it should.
    """
    if out.exists():
        raise FileExistsError(f"{out} is there; archives stand for folders that people have")
    commit = _said("git", "rev-parse", "--short", "HEAD")
    name = out.name.removesuffix(".tar.xz")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary).resolve() / name
        folder.mkdir()
        with chdir(folder), thin():
            _fill(folder)
        _place(folder)
        manifest = {
            "commit": commit,
            "commands": COMMANDS,
            "arrays": sums(folder / "targets"),
            "made_on": processor(),
        }
        text = json.dumps(manifest, indent=1) + "\n"
        (folder / "manifest.json").write_text(text, encoding="utf-8")
        out.parent.mkdir(parents=True, exist_ok=True)
        with tarfile.open(out, "w:xz", preset=9) as archive:
            archive.add(folder, name, filter=_nobody)
    print(f"{out}: {out.stat().st_size:,} bytes")


def thin() -> ExitStack:
    """Return a context in which new networks of the commands have few weights that are not zero."""
    stack = ExitStack()
    stack.enter_context(patch("distill.networks.build.resnet_of", _thinned(resnet_of)))
    return stack


def _thinned(whole: Callable[[Network, int], ResNet]) -> Callable[[Network, int], ResNet]:
    def made(about: Network, classes: int) -> ResNet:
        network = whole(about, classes)
        with torch.no_grad():
            for module in network.modules():
                if isinstance(module, nn.Conv2d):
                    _clear(module.weight, 0)
                    if module.in_channels >= GROUPS:  # all but the first, which sees R, G, B
                        _clear(module.weight, 1)
            _clear(network.head.weight, 1)
        return network

    return made


def _clear(weight: Tensor, axis: int) -> None:
    live = weight.shape[axis] * LIVE // GROUPS
    weight.narrow(axis, live, weight.shape[axis] - live).zero_()


def _fill(folder: Path) -> None:
    (folder / "slides").mkdir()
    rows = []
    for number in range(16):
        label = list(CLASSES)[number % 2]
        shown = list(CLASSES)[(number + (number in MISLABELED)) % 2]
        _slide(folder / "slides" / f"s{number:02}.tif", shown, number)
        rows.append((f"s{number:02}", f"p{number:02}", label))
    _slide(folder / "new.tif", "fine", 16)
    with (folder / "labels.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("slide", "patient", "label"), *rows])
    (folder / "design.toml").write_text(DESIGN, encoding="utf-8")
    for name, words in COMMANDS.items():
        print("$", *words)
        if name == "unfinished":
            with patch.object(RunWriter, "epoch", _stopped_after_one(RunWriter.epoch)):
                _run(words, 130)
        elif name == "begun":
            with patch.object(TargetsWriter, "add", _stopped_at(5, TargetsWriter.add)):
                _run(words, 130)
        elif name == "experiment":
            # its jobs are processes; they come by `main` below, for networks as thin
            jobs = (sys.executable, __file__, "job")
            modules = ("distill.cli.experiment.runner", "distill.cli.experiment.command")
            with patch(f"{modules[0]}.DISTILL", jobs), patch(f"{modules[1]}.DISTILL", jobs):
                _run(words, 0)
        else:
            _run(words, 0)


def _slide(path: Path, label: str, seed: int) -> None:
    """Write random squares as a slide of 1 µm/px."""
    rng = np.random.default_rng(seed)
    height, width = 144 + 8 * (seed % 3), 160 - 8 * (seed % 2)
    side = CLASSES[label]
    cells = rng.integers(40, 240, (-(-height // side), -(-width // side), 3), dtype=np.uint8)
    pixels = cells.repeat(side, 0).repeat(side, 1)[:height, :width]
    tifffile.imwrite(path, pixels, photometric="rgb", tile=(64, 64), compression="deflate")


def _run(words: tuple[str, ...], code: int) -> None:
    command = wsistore if words[0] in ("build", "split") else distill
    try:
        command(words)
    except SystemExit as end:
        if (end.code or 0) != code:
            raise RuntimeError(f"{' '.join(words)} ended with {end.code}, not {code}") from end


def _stopped_after_one(epoch: Callable[..., None]) -> Callable[..., None]:
    def stopped(self: RunWriter, record: Mapping[str, Any], *more: Any) -> None:
        epoch(self, record, *more)
        raise KeyboardInterrupt

    return stopped


def _stopped_at(views: int, add: Callable[..., None]) -> Callable[..., None]:
    def stopped(self: TargetsWriter, taught: Any) -> None:
        if self.done == views:
            raise KeyboardInterrupt
        add(self, taught)

    return stopped


def _place(folder: Path) -> None:
    """Put PLACE where a text names the folder."""
    for path in folder.rglob("*"):
        if path.suffix in TEXTS and path.is_file():
            content = path.read_bytes()
            path.write_bytes(content.replace(str(folder).encode(), PLACE.encode()))
    written = [path for path in folder.rglob("*") if path.is_file()]
    left = [path for path in written if str(folder).encode() in path.read_bytes()]
    if left:
        raise RuntimeError(f"{', '.join(map(str, left))}: still of the folder it was made in")


def _nobody(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry


def _said(*words: str) -> str:
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    return done.stdout.strip()


if __name__ == "__main__":
    if sys.argv[1:2] == ["job"]:
        with thin():
            distill(sys.argv[2:])
    else:
        make(Path(sys.argv[1]))
