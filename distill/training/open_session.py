"""A session: an open store, a device, the processes that compute together, and the crops."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch

import wsistore
from distill.data import (
    VAL,
    ChannelStats,
    StainFigures,
    Subset,
    has_subset,
    left_out_note,
    median_mpp,
    require_apart,
    select,
)
from distill.distributed import DistributedContext, init_distributed
from distill.engine import require
from distill.errors import UsageError
from distill.files import read_json
from distill.networks import BATCH_PIXELS, CropRunner, NetworkSpec, available_gib, resolve_device
from distill.runs import LOWEST, Weights, check_out, check_resume
from distill.training.options import TrainingOptions

Say = Callable[[str], None]


@dataclass(frozen=True)
class Data:
    """The crops of a training: `val` is None where the split has none."""

    train: Subset
    val: Subset | None

    @property
    def subsets(self) -> list[Subset]:
        """Training crops, then validation crops if there are any."""
        return [self.train] if self.val is None else [self.train, self.val]


@dataclass(frozen=True)
class Session:
    """An open store, the device, this process's place among others, and who is spoken to."""

    options: TrainingOptions
    store: wsistore.Store
    device: torch.device
    processes: DistributedContext
    say: Say

    @property
    def look(self) -> CropRunner:
        """How the network that learns is run: within --memory, in batches up to --batch-pixels."""
        return self._look(learns=True)

    @property
    def glance(self) -> CropRunner:
        """How a teacher is run: alike, but no backward pass follows."""
        return self._look(learns=False)

    def _look(self, *, learns: bool) -> CropRunner:
        gib = self.options.memory_gib
        assert self.options.batch_pixels is not None
        memory = None if gib is None else int(gib * 2**30)
        return CropRunner(memory, self.options.batch_pixels, learns=learns)

    def data(
        self,
        levels: Sequence[str],
        smallest: int,
        *,
        labeled: bool,
        classes: wsistore.ClassMap | None = None,
    ) -> Data:
        """Choose the crops to train on and to validate on, and say which are left out.

        Raises:
            UsageError: if --subset or --val-subset has test, or a crop is in both.
            SubsetError: if there is no such set, or none of its crops can be used.
        """
        options = self.options
        split, subset, val = options.split, options.subset, options.val_subset
        if "test" in subset.split("+"):
            raise UsageError(
                f"--subset {subset}: scores are taken on test; train on other sets of the split"
            )
        names = [subset, val]
        if val == VAL and not has_subset(self.store, split, val):
            names.remove(val)
        else:
            require_apart(self.store, split, subset, val)
        found: list[Subset] = []
        for name in names:
            crops = select(
                self.store, split, name, levels, smallest, labeled=labeled, classes=classes
            )
            if crops.left_out:
                self.say(left_out_note(name, crops.left_out))
            found.append(crops)
        return Data(found[0], found[1] if len(found) > 1 else None)

    def weights(
        self,
        network: NetworkSpec,
        classes: list[str],
        level: str,
        standard: ChannelStats,
        data: Data,
        stains: StainFigures | None = None,
    ) -> Weights:
        """Return what weights.json will say, but for the epoch."""
        if self.options.schedule.select == "last":
            chosen = "last epoch"
        elif data.val is None:
            chosen = "last epoch, because the split has no val crops"
        else:
            chosen = LOWEST
        mpp = median_mpp(self.store, data.train.crops, level)
        return Weights(
            network.name, classes, level, mpp, standard.mean, standard.std, 0, chosen,
            network.settings(), stains,
        )  # fmt: skip


@contextmanager
def open_session(options: TrainingOptions, say: Say) -> Iterator[Session]:
    """Check the output folder, join other processes, and open the store.

    Raises:
        DistillError: if an option cannot be met.
        wsistore.WsistoreError: if the store cannot be opened.
    """
    device = resolve_device(options.device)
    if device.type == "cuda":
        torch.cuda.set_device(device)
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    require(options.log)
    if options.batch_pixels is None:
        pixels = _kept(options, "batch_pixels")
        pixels = BATCH_PIXELS[device.type] if pixels is None else pixels
        options = replace(options, batch_pixels=pixels)
    with init_distributed(device) as processes:
        # one number for all: it decides the batches, of which each process takes its share
        memory = options.memory_gib or _kept(options, "memory_gib") or available_gib(device)
        options = replace(options, memory_gib=min(processes.gather(memory)))
        with processes.together():
            if processes.first and options.resume:
                check_resume(options.out)
            elif processes.first:
                check_out(options.out, options.overwrite)
            if processes.first and not options.no_lock:
                wsistore.require_locks(options.out)  # before a folder is made or replaced
        speak = say if processes.first else _silence
        yield Session(options, wsistore.open(options.store), device, processes, speak)


def _kept(options: TrainingOptions, name: str) -> Any:
    """Return what a run that is resumed was begun with, for the same bits; else None."""
    if options.resume and (options.out / "config.json").exists():
        return read_json(options.out / "config.json").get(name)
    return None


def _silence(_: str) -> None:
    """Leave speaking to the first process."""
