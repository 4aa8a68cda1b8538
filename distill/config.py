"""The configuration of a training run, resolved: every option, no default left implicit."""

from __future__ import annotations

import hashlib
import platform
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from distill.errors import DistillError, UsageError
from distill.loop import Schedule

PACKAGES = ("resolution-distillation", "torch", "torchvision", "numpy", "zarr", "safetensors")


@dataclass(frozen=True)
class Options:
    """What every training command takes; see `distill train teacher --help` for each."""

    store: Path
    split: str
    level: str
    out: Path
    overwrite: bool = False
    network: str = "resnet10"
    schedule: Schedule = field(default_factory=Schedule)
    workers: int = 0
    device: str = "auto"
    threads: int | None = None

    def resolved(self) -> dict[str, Any]:
        """Return every option as config.json records it, in the units of the command line."""
        return {
            "store": str(self.store.resolve()),
            "split": self.split,
            "split_sha256": sha256(self.store / "splits" / f"{self.split}.csv"),
            "level": self.level,
            "network": self.network,
            "epochs": self.schedule.epochs,
            "seed": self.schedule.seed,
            "accumulate": self.schedule.accumulate,
            "lr": self.schedule.lr,
            "weight_decay": self.schedule.weight_decay,
            "select": self.schedule.select,
            "workers": self.workers,
            "device": str(resolve_device(self.device)),
            "threads": torch.get_num_threads(),
            "versions": versions(),
        }


def resolve_device(name: str) -> torch.device:
    """Return the device for "auto" (CUDA if there is any, else the CPU), "cpu" or "cuda".

    Raises:
        UsageError: if "cuda" is asked for and torch finds none.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise UsageError("--device cuda: torch finds no CUDA device; use --device cpu or auto")
    return torch.device(name)


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal.

    Raises:
        DistillError: if the file cannot be read.
    """
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise DistillError(f"{path} cannot be read ({error.strerror})") from error


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that decide what a run computes."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    found["torch"] = str(torch.__version__)  # with its build, e.g. +cpu or +cu130
    return found
