"""The configuration of a training run, resolved: every option, no default left implicit."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from distill.data import VAL
from distill.engine import TrainingSettings
from distill.errors import UsageError
from distill.networks import resolve_device
from distill.runs import environment, location, split_sha256


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
    schedule: TrainingSettings = field(default_factory=TrainingSettings)
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


def gather(given: dict[str, Any]) -> Options:
    """Return the values of `training_options` as one object.

    Raises:
        UsageError: if two of them exclude each other.
    """
    if given["resume"] and given.get("init_from"):
        raise UsageError(
            "--resume continues the run in --out and --init-from starts a new one from weights; "
            "give one of them (a run that was started with --init-from resumes without it)"
        )
    if given["resume"] and given["overwrite"]:
        raise UsageError("--resume continues the run in --out and --overwrite removes it; give one")
    return Options(
        store=given["store"],
        split=given["split"],
        level=given["level"],
        out=given["out"],
        overwrite=given["overwrite"],
        resume=given["resume"],
        no_lock=given["no_lock"],
        init_from=given.get("init_from"),
        log=tuple(dict.fromkeys(given["log"])),
        preset=given["preset"],
        network=given["network"],
        schedule=TrainingSettings(
            epochs=given["epochs"],
            seed=given["seed"],
            accumulate=given["accumulate"],
            lr=given["lr"],
            weight_decay=given["weight_decay"],
            select=given["select"],
            patience=given["patience"],
        ),
        workers=given["workers"],
        read_ahead_mib=given["read_ahead"],
        cache_mib=given["cache"],
        device=given["device"],
        precision=given["precision"],
        memory_gib=given["memory"],
        batch_pixels=given["batch_pixels"],
        threads=given["threads"],
        val_subset=given["val_subset"],
        exclude_class=tuple(given.get("exclude_class", ())),
        merge=tuple(given.get("merge", ())),
    )
