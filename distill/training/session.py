"""What the training commands share: a store, a device, other processes, and a run to write."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn

import wsistore
from distill.data import (
    VAL,
    BatchingPolicy,
    ChannelStats,
    CropDataset,
    Sample,
    SampleCache,
    SampleLoader,
    Subset,
    by_size,
    has_subset,
    left_out_note,
    measure_colors,
    median_mpp,
    one_by_one,
    require_apart,
    select,
)
from distill.engine import (
    TRACKERS,
    Callback,
    CallbackList,
    ComputeSettings,
    Console,
    DistributedContext,
    Task,
    fit,
    init_distributed,
    require,
)
from distill.errors import UsageError
from distill.files import read_json
from distill.networks import BATCH_PIXELS, CropRunner, available_gib, resolve_device
from distill.runs import (
    CHECKPOINT,
    LOWEST,
    NonWritingRank,
    RunWriter,
    TrainingState,
    Weights,
    Writer,
    check_out,
    check_resume,
    crops_sha256,
    settings_sha256,
    slide_fingerprints,
    start_from,
)
from distill.training.options import Options
from distill.training.presets import PRESETS

S = TypeVar("S", bound=Sample)
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

    options: Options
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
        subset: str = "train",
        classes: wsistore.ClassMap | None = None,
    ) -> Data:
        """Choose the crops to train on and to validate on, and say which are left out.

        Raises:
            UsageError: if --val-subset is test, or holds a crop that is trained on.
            SubsetError: if there is no such set, or none of its crops can be used.
        """
        split, val = self.options.split, self.options.val_subset
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
        self, network: str, classes: list[str], level: str, standard: ChannelStats, data: Data
    ) -> Weights:
        """Return what weights.json will say, but for the epoch."""
        if self.options.schedule.select == "last":
            chosen = "last epoch"
        elif data.val is None:
            chosen = "last epoch, because the split has no val crops"
        else:
            chosen = LOWEST
        mpp = median_mpp(self.store, data.train.crops, level)
        return Weights(network, classes, level, mpp, standard.mean, standard.std, 0, chosen)

    def fit(
        self,
        task: Task[S],
        crops: Callable[[Subset], CropDataset[S]],
        weights: Weights,
        extra: Mapping[str, Any],
        data: Data,
        *,
        trained: bool,
    ) -> TrainingState:
        """Train and write the run; return how it ended.

        Args:
            task: what to train.
            crops: makes the data set of a subset.
            weights: what will be true of the weights, but for the epoch.
            extra: what config.json says beside the options; "command" at least.
            data: the crops.
            trained: whether the network starts from trained weights; see
            `distill.engine.trainer.fit`.
        """
        options, schedule = self.options, self.options.schedule
        if schedule.patience is not None and data.val is None:
            raise UsageError(
                f"--patience needs validation crops, and there are none of {options.val_subset} "
                f"(split {options.split}) to train with"
            )
        if schedule.accumulate < self.processes.world:
            raise UsageError(
                f"--accumulate {schedule.accumulate} is less than the {self.processes.world} "
                "processes, some of which would have nothing to do"
            )
        config = self._config(task, weights, extra, data)
        with ExitStack() as stack:
            writer: Writer = NonWritingRank(options.out, resume=options.resume)
            observers: list[Callback] = []
            with self.processes.together():
                if self.processes.first:
                    writer = run = RunWriter(
                        options.out,
                        config,
                        weights,
                        overwrite=options.overwrite,
                        resume=options.resume,
                        lock=not options.no_lock,
                    )
                    stack.callback(run.close)
                    self.say(_announcement(config, task, schedule.epochs, run.done))
                    first = len(data.val) if trained and data.val and not run.begun else 0
                    observers += self._observers(run, stack, sum(map(len, data.subsets)), first)
            room = SampleCache(options.cache_mib * 2**20)
            progress = fit(
                task,
                self._samples(crops(data.train), schedule.seed, room),
                self._samples(crops(data.val), None, room) if data.val else None,
                schedule,
                writer,
                CallbackList(observers),
                ComputeSettings(self.processes, self._cut(task), options.precision),
                trained=trained,
            )
        if progress.epoch < schedule.epochs:
            self.say(f"stopped after epoch {progress.epoch}: {progress.ended}")
        which = "" if progress.kept else ", the start: no epoch had a lower validation loss"
        self.say(f"{options.out}: weights of epoch {progress.kept}{which}")
        return progress

    def start(self, network: nn.Module, name: str, classes: list[str]) -> dict[str, Any] | None:
        """Fill a new network as --init-from says; return what config.json records of it.

        A run that is resumed starts from what it was started from, if it has no checkpoint yet.
        """
        out, source = self.options.out, self.options.init_from
        if self.options.resume:
            stored: dict[str, Any] | None = read_json(out / "config.json").get("init_from")
            if stored is None or (out / CHECKPOINT).exists():
                return stored
            source = Path(stored["file"])
        return start_from(source, network, name, classes) if source else None

    def _cut(self, task: Task[S]) -> BatchingPolicy:
        """Return batches that suit the network, and that leave work for every process.

        All levels of a batch are in memory at once, so --read-ahead bounds them as it does crops
        that wait.
        """
        limit = self.look.limit(task.network)
        most = max(1, self.options.schedule.accumulate // self.processes.world)
        held = self.options.read_ahead_mib * 2**20
        return by_size(limit, most, held) if limit else one_by_one

    def _samples(
        self, crops: CropDataset[S], seed: int | None, room: SampleCache
    ) -> SampleLoader[S]:
        ahead = self.options.read_ahead_mib * 2**20
        return SampleLoader(crops, seed, self.options.workers, ahead, room)

    def _observers(
        self, run: RunWriter, stack: ExitStack, crops: int, start: int
    ) -> list[Callback]:
        """Return the console and the trackers asked for; the stack ends them."""
        epochs = self.options.schedule.epochs
        console = Console(epochs, crops, done=run.done, start=start)
        observers: list[Callback] = [stack.enter_context(console)]
        for name in self.options.log:
            tracker = TRACKERS[name](run.path, run.config, run.done if run.begun else None)
            stack.callback(tracker.close)
            observers.append(tracker)
        return observers

    def _config(
        self, task: Task[S], weights: Weights, extra: Mapping[str, Any], data: Data
    ) -> dict[str, Any]:
        subsets, levels = data.subsets, task.levels
        colors = measure_colors(self.store.levels, data.train.crops, weights.level)
        config = {
            **extra,
            **self.options.resolved(),
            "network": weights.network,
            "level": weights.level,
            "mpp": weights.mpp,
            "classes": weights.classes,
            "mean": weights.mean,
            "std": weights.std,
            "chosen": weights.chosen,
            "crops": {subset.name: len(subset) for subset in subsets},
            "left_out": {subset.name: dict(subset.left_out) for subset in subsets},
            "data": {
                "settings_sha256": settings_sha256(self.options.store),
                "crops_sha256": {
                    subset.name: crops_sha256(self.store, subset.crops, levels)
                    for subset in subsets
                },
                "store_settings": self.store.settings,
                "colours": colors.record() if colors else None,
                "fingerprints": {
                    subset.name: self._fingerprints(subset.crops) for subset in subsets
                },
            },
            "processes": self.processes.world,
            "id": uuid.uuid4().hex,
        }
        preset = self.options.preset
        config["preset_departures"] = PRESETS[preset].departures(config) if preset else {}
        return config

    def _fingerprints(self, crops: Sequence[str]) -> list[str]:
        """Return those of the slides of some crops, sorted: what prediction knows them by."""
        rows = self.store.split(self.options.split)
        slides = set(rows["slide"][rows["crop"].isin(list(crops))])
        known = slide_fingerprints(self.store)
        return sorted({known[slide] for slide in slides if slide in known})


@contextmanager
def session(options: Options, say: Say) -> Iterator[Session]:
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


def _kept(options: Options, name: str) -> Any:
    """Return what a run that is resumed was begun with, for the same bits; else None."""
    if options.resume and (options.out / "config.json").exists():
        return read_json(options.out / "config.json").get(name)
    return None


def _silence(_: str) -> None:
    """Leave speaking to the first process."""


def _announcement(config: Mapping[str, Any], task: Task[S], epochs: int, done: int) -> str:
    counts = " and ".join(f"{count} {name}" for name, count in config["crops"].items())
    levels = " and ".join(dict.fromkeys(task.levels))
    beside = f" in {config['processes']} processes" if config["processes"] > 1 else ""
    resumed = f"; resuming after epoch {done}" if done else ""
    return (
        f"{config['command']}: {counts} crops at {levels}, {epochs} epochs on "
        f"{config['device']}{beside}; keeping the {config['chosen']}{resumed}"
    )
