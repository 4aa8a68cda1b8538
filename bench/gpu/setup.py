"""What the measurements share: how much there is to do, where, and with which data."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, TypeVar

import torch
from safetensors.torch import save_file

import wsistore
from bench.kd_data import HIGH, LOW, stored, teacher_run
from distill.data import ChannelStats, channel_stats
from distill.networks import NetworkSettings, NetworkSpec, build_encoder

PRECISIONS = ("fp32", "bf16")
T = TypeVar("T")


@dataclass(frozen=True)
class Scale:
    """How much there is to do.

    Attributes:
        crops: of the store, each of about side² pixels at 10×.
        side: see `crops`.
        rounds: of each measurement; medians are shown.
        repeat: times that an epoch of a student passes over the crops.
        views: of each crop, when a teacher teaches.
        workers: processes that read ahead.
        encoder: network that tiles are embedded with.
        tile: pixels a side of a tile.
        squares: sides of the crops whose memory is measured.
        epochs: of the trainings in one process and in two.
    """

    crops: int = 16
    side: int = 1500
    rounds: int = 3
    repeat: int = 8
    views: int = 4
    workers: int = 4
    encoder: str = "timm/vit_base_patch16_224"
    tile: int = 224
    squares: tuple[int, ...] = (1024, 4096)
    epochs: int = 4


QUICK = Scale(
    crops=2, side=400, rounds=1, repeat=1, views=1, workers=0, encoder="timm/test_vit", tile=160,
    squares=(128,), epochs=2,
)  # fmt: skip


class Rate(NamedTuple):
    """How fast something is done.

    Attributes:
        what: is done.
        precision: "fp32" or "bf16".
        unit: what is counted.
        per_second: how many, the median of the rounds.
        waiting: share of the time that the loop waits for data, of all rounds.
        rounds: how often it was measured.
    """

    what: str
    precision: str
    unit: str
    per_second: float
    waiting: float
    rounds: int


@dataclass
class Clock:
    """Adds up how long a loop waits for samples."""

    waited: float = 0.0

    def __call__(self, samples: Iterable[T], total: int) -> Iterator[T]:
        """Pass samples on; the form that `distill` takes to show progress."""
        coming = iter(samples)
        while True:
            began = time.perf_counter()
            sample = next(coming, None)
            self.waited += time.perf_counter() - began
            if sample is None:
                return
            yield sample


@dataclass(frozen=True)
class Setup:
    """Where to compute, and the data, which is made once.

    Attributes:
        device: where.
        scale: how much.
        folder: for the data and what is written.
    """

    device: torch.device
    scale: Scale
    folder: Path
    said: list[str] = field(default_factory=list)

    @cached_property
    def store(self) -> Path:
        """A store of generated crops at 10× and 1.25×."""
        scale = self.scale
        return stored(self.folder / f"{scale.crops}-of-{scale.side}", scale.crops, scale.side)

    @cached_property
    def crops(self) -> list[str]:
        """Ids of its crops."""
        return [str(crop) for crop in wsistore.open(self.store).crops["crop"]]

    @cached_property
    def slides(self) -> list[Path]:
        """The slides that the crops are of, of 1 µm/px."""
        return sorted((self.store.parent / "slides").glob("*.tif"))

    def standard(self, level: str) -> ChannelStats:
        """Return mean and deviation of the crops at a level."""
        return channel_stats(wsistore.open(self.store).levels, self.crops, level)

    @cached_property
    def teacher(self) -> Path:
        """A run of random weights at 10×: it takes the time of a trained one."""
        return teacher_run(self.store.parent, self.standard(HIGH))

    @cached_property
    def encoder(self) -> tuple[Path, NetworkSettings]:
        """A weights file of random numbers, and what network it is of."""
        spec = NetworkSpec(self.scale.encoder)
        file = self.folder / f"{self.scale.encoder.partition('/')[2]}.safetensors"
        if not file.exists():
            save_file(dict(build_encoder(spec).backbone.network.state_dict()), file)
        return file, NetworkSettings.of(spec)

    @contextmanager
    def emptied(self, name: str) -> Iterator[Path]:
        """Give the name of a folder that is not there, and remove it afterwards."""
        path = self.folder / name
        shutil.rmtree(path, ignore_errors=True)
        yield path
        shutil.rmtree(path, ignore_errors=True)

    def wait(self) -> None:
        """Wait until the device has done what it was given."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


__all__ = ["HIGH", "LOW", "PRECISIONS", "QUICK", "Clock", "Rate", "Scale", "Setup"]
