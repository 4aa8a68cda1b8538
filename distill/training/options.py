"""The configuration of a training run, resolved: every option, no default left implicit."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from distill.data.subsets import VAL
from distill.engine.settings import Schedule
from distill.networks.execution.device import resolve_device
from distill.runs.provenance import environment, location, split_sha256


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
