"""The configuration of a training run, resolved: every option, no default left implicit."""

from __future__ import annotations

import hashlib
import os
import platform
import re
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from distill.errors import DistillError, UsageError
from distill.fingerprint import location, split_sha256
from distill.loop import Schedule
from distill.subsets import VAL

PACKAGES = ("resolution-distillation", "torch", "torchvision", "numpy", "zarr", "safetensors")


@dataclass(frozen=True)
class Options:
    """What every training command takes; see `distill train teacher --help` for each.

    `store` is passed on to `wsistore.open` as it is.
    """

    store: str | Path
    split: str
    level: str
    out: Path
    overwrite: bool = False
    resume: bool = False
    no_lock: bool = False
    init_from: Path | None = None
    log: tuple[str, ...] = ()
    preset: str | None = None
    network: str = "resnet10"
    schedule: Schedule = field(default_factory=Schedule)
    workers: int = 0
    read_ahead_mib: int = 1024
    cache_mib: int = 1024
    device: str = "auto"
    precision: str = "fp32"
    memory_gib: float | None = None
    batch_pixels: int | None = None
    threads: int | None = None
    val_subset: str = VAL
    exclude_class: tuple[str, ...] = ()
    merge: tuple[str, ...] = ()

    def resolved(self) -> dict[str, Any]:
        """Return every option as config.json records it, in the units of the command line."""
        return {
            "store": location(self.store),
            "split": self.split,
            "split_sha256": split_sha256(self.store, self.split),
            "val_subset": self.val_subset,
            "level": self.level,
            "network": self.network,
            "epochs": self.schedule.epochs,
            "seed": self.schedule.seed,
            "accumulate": self.schedule.accumulate,
            "lr": self.schedule.lr,
            "weight_decay": self.schedule.weight_decay,
            "select": self.schedule.select,
            "patience": self.schedule.patience,
            "preset": self.preset,
            "workers": self.workers,
            "read_ahead_mib": self.read_ahead_mib,
            "cache_mib": self.cache_mib,
            "device": resolve_device(self.device).type,
            "precision": self.precision,
            "memory_gib": self.memory_gib,
            "batch_pixels": self.batch_pixels,
            "threads": torch.get_num_threads(),
            "log": list(self.log),
            "environment": environment(),
        }


def resolve_device(name: str) -> torch.device:
    """Return the device for "auto" (CUDA if there is any, else the CPU), "cpu", "cuda", "cuda:N".

    Under torchrun, "cuda" is the device numbered by LOCAL_RANK.

    Raises:
        UsageError: if CUDA is asked for and torch finds none, or too few.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if not re.fullmatch(r"cpu|cuda(:\d+)?", name):
        raise UsageError(f"--device {name} is none of auto, cpu, cuda, cuda:N")
    if name == "cpu":
        return torch.device(name)
    if not torch.cuda.is_available():
        raise UsageError(f"--device {name}: torch finds no CUDA device; use --device cpu or auto")
    if name == "cuda" and "LOCAL_RANK" in os.environ:
        name = f"cuda:{os.environ['LOCAL_RANK']}"
    device = torch.device(name)
    if (device.index or 0) >= (there := torch.cuda.device_count()):
        raise UsageError(f"--device {name}: torch finds {there} CUDA devices, numbered from 0")
    return device


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal.

    Raises:
        DistillError: if the file cannot be read.
    """
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise DistillError(f"{path} cannot be read ({error.strerror})") from error


def environment() -> dict[str, Any]:
    """Return what a run was computed by: versions, system, processor, and the accelerator if any.

    The machine's name and the user's stay out of it.
    """
    accelerators = [
        torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())
    ]
    return {
        **versions(),
        "system": platform.platform(),
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "accelerators": accelerators,
    }


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
