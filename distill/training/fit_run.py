"""Fitting: trains a task on the crops of a session and records it in a run folder."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence, Sized
from contextlib import ExitStack
from typing import Any, Protocol, TypeVar

from distill.data import (
    BatchingPolicy,
    CropDataset,
    Sample,
    SampleCache,
    SampleLoader,
    Subset,
    by_size,
    one_by_one,
)
from distill.engine import (
    TRACKERS,
    Callback,
    CallbackList,
    ComputeSettings,
    Console,
    Task,
    TrainingSettings,
    fit,
)
from distill.errors import UsageError
from distill.runs import NonWritingRank, RunWriter, TrainingState, Weights, Writer
from distill.training.open_session import Data, Session
from distill.training.options import TrainingOptions
from distill.training.run_record import data_record, run_config, tracked

S = TypeVar("S", bound=Sample)


class Fitting(Protocol):
    """How a task is fitted: `distill.engine.fit`, or what stands for it."""

    def __call__(
        self,
        task: Any,
        train: SampleLoader[Any],
        val: SampleLoader[Any] | None,
        schedule: TrainingSettings,
        writer: Writer,
        observer: Callback,
        setting: ComputeSettings,
        *,
        trained: bool,
    ) -> TrainingState:
        """Fit, publish every epoch, and return how it ended."""
        ...


def fit_run(
    here: Session,
    task: Task[S],
    crops: Callable[[Subset], CropDataset[S]],
    weights: Weights,
    phase: Mapping[str, Any],
    data: Data,
    *,
    trained: bool,
    balance: Sequence[int] | None = None,
    cut: BatchingPolicy | None = None,
    fitting: Fitting | None = None,
) -> TrainingState:
    """Train and write the run; return how it ended.

    Args:
        here: where.
        task: what to train.
        crops: makes the data set of a subset.
        weights: what will be true of the weights, but for the epoch.
        phase: what config.json says beside the options; "command" at least.
        data: the crops.
        trained: whether the network starts from trained weights; see `distill.engine.trainer.fit`.
        balance: class numbers of the training crops, if each class shall come equally often.
        cut: how an update is cut into batches; None for what suits a network that sees images.
        fitting: how the task is fitted; None for `distill.engine.fit`.

    Raises:
        UsageError: if an option asks for crops, or for work, that are not there.
        TrainingError: if a loss is not finite, or memory is short.
    """
    options, schedule = here.options, here.options.schedule
    _require_work(here, data)
    about = data_record(options, here.store, data.subsets, task.levels, weights.level)
    train, val = crops(data.train), crops(data.val) if data.val else None
    processes = here.processes.world
    config = run_config(
        options,
        here.store,
        phase,
        weights,
        about,
        processes=processes,
        identity=uuid.uuid4().hex,
    )
    with ExitStack() as stack:
        writer: Writer = NonWritingRank(options.out, resume=options.resume)
        observers: list[Callback] = []
        with here.processes.together():
            if here.processes.first:
                writer = run = _writer(options, config, weights)
                stack.callback(run.close)
                here.say(_announcement(config, task, schedule.epochs, run.done))
                observers += _observers(options, run, stack, train, val, trained=trained)
        room = SampleCache(options.cache_mib * 2**20)
        progress = (fitting or fit)(
            task,
            _samples(options, train, schedule.seed, room, balance),
            _samples(options, val, None, room) if val else None,
            schedule,
            writer,
            CallbackList(observers),
            ComputeSettings(here.processes, cut or _batches(here, task), options.precision),
            trained=trained,
        )
    _report(here, progress)
    return progress


def _require_work(here: Session, data: Data) -> None:
    options, schedule = here.options, here.options.schedule
    if schedule.patience is not None and data.val is None:
        raise UsageError(
            f"--patience needs validation crops, and there are none of {options.val_subset} "
            f"(split {options.split}) to train with"
        )
    if schedule.accumulate < here.processes.world:
        raise UsageError(
            f"--accumulate {schedule.accumulate} is less than the {here.processes.world} "
            "processes, some of which would have nothing to do"
        )


def _writer(options: TrainingOptions, config: dict[str, Any], weights: Weights) -> RunWriter:
    return RunWriter(
        options.out,
        config,
        weights,
        overwrite=options.overwrite,
        resume=options.resume,
        lock=not options.no_lock,
    )


def _observers(
    options: TrainingOptions,
    run: RunWriter,
    stack: ExitStack,
    train: Sized,
    val: Sized | None,
    *,
    trained: bool,
) -> list[Callback]:
    """Return the console and the trackers asked for; the stack ends them."""
    crops = len(train) + (len(val) if val else 0)
    start = len(val) if trained and val and not run.begun else 0
    console = Console(options.schedule.epochs, crops, done=run.done, start=start)
    observers: list[Callback] = [stack.enter_context(console)]
    last = run.done if run.begun else None
    for name in options.log:
        tracker = TRACKERS[name](run.path, run.config["id"], tracked(run.config), last)
        stack.callback(tracker.close)
        observers.append(tracker)
    return observers


def _batches(here: Session, task: Task[S]) -> BatchingPolicy:
    """Return batches that suit the network, and that leave work for every process.

    All levels of a batch are in memory at once, so --read-ahead bounds them as it does crops
    that wait.
    """
    limit = here.look.limit(task.network)
    most = max(1, here.options.schedule.accumulate // here.processes.world)
    held = here.options.read_ahead_mib * 2**20
    padding = here.look.padding(task.network)
    return by_size(limit, most, held, padding) if limit else one_by_one


def _samples(
    options: TrainingOptions,
    crops: CropDataset[S],
    seed: int | None,
    room: SampleCache,
    balance: Sequence[int] | None = None,
) -> SampleLoader[S]:
    ahead = options.read_ahead_mib * 2**20
    return SampleLoader(crops, seed, options.workers, ahead, room, balance)


def _announcement(config: Mapping[str, Any], task: Task[S], epochs: int, done: int) -> str:
    counts = " and ".join(f"{count} {name}" for name, count in config["crops"].items())
    levels = " and ".join(dict.fromkeys(task.levels))
    beside = f" in {config['processes']} processes" if config["processes"] > 1 else ""
    resumed = f"; resuming after epoch {done}" if done else ""
    return (
        f"{config['command']}: {counts} crops at {levels}, {epochs} epochs on "
        f"{config['device']}{beside}; keeping the {config['chosen']}{resumed}"
    )


def _report(here: Session, progress: TrainingState) -> None:
    """Say how the training ended, and whose weights were kept."""
    options = here.options
    if progress.epoch < options.schedule.epochs:
        here.say(f"stopped after epoch {progress.epoch}: {progress.ended}")
    which = "" if progress.kept else ", the start: no epoch had a lower validation loss"
    here.say(f"{options.out}: weights of epoch {progress.kept}{which}")
