"""Writing a run: the files of each epoch, and how a killed run is resumed."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from torch import nn
from torch.optim import Optimizer

import wsistore
from distill.errors import RunError, UsageError
from distill.files import encode, publish, read_json, save
from distill.output_folder import own_name, remove_earlier_lock
from distill.runs import curves
from distill.runs.checkpoint import (
    Modules,
    TrainingState,
    load_checkpoint,
    published,
    read_progress,
    save_checkpoint,
)
from distill.runs.resume import resume_differences
from distill.runs.run import CHECKPOINT, check_out, check_resume
from distill.runs.weights import FORMAT, Weights

_CURVES_EVERY = 30.0
"""Seconds between two drawings of the curves; the last epoch is always drawn."""


class Writer(Protocol):
    """Where the loop publishes what it has done, and finds what was done before."""

    def restore(self, parts: Modules, optimizer: Optimizer) -> TrainingState:
        """Put modules and optimiser where the run stands, and return how far that is."""
        ...

    def epoch(
        self,
        record: Mapping[str, Any],
        parts: Modules,
        optimizer: Optimizer,
        progress: TrainingState,
    ) -> None:
        """Publish an epoch."""
        ...

    def end(self, progress: TrainingState) -> None:
        """Publish that the training is over."""
        ...


class RunWriter:
    """A run folder while its network is in training.

    The files of an epoch are published in the order metrics, checkpoint, weights, each in one
    rename. A run that is killed between two of them is made whole by `restore`: metrics of an epoch
    without checkpoint are cut off (the epoch is done again), and weights that should be those of
    the checkpoint's epoch are written from the checkpoint.

    Args:
        path: the folder, which is made; see `check_out` for what may be in the way.
        config: the resolved configuration.
        weights: what will be true of the weights, but for the epoch.
        overwrite: whether a run in that folder is removed first.
        resume: whether to continue the run that is there instead.
        lock: False takes no lock, for a file system that has none.

    Attributes:
        config: config.json as it is on the disk: the one that the run was started with.
        done: complete epochs when the folder was opened.
        begun: whether anything was published by then: an epoch, or the validation of the start.

    Raises:
        UsageError: if the folder is not empty and may not be replaced; or if there is no run to
            resume, it is over, or it was configured otherwise.
        wsistore.UsageError: if another process is at it.
        RunError: if the run to resume is damaged. All that write raise it where the folder is no
            longer this run's.
        wsistore.NoLocksError: if the file system has no locks.
    """

    def __init__(
        self,
        path: Path,
        config: Mapping[str, Any],
        weights: Weights,
        *,
        overwrite: bool = False,
        resume: bool = False,
        lock: bool = True,
    ) -> None:
        self.path = path
        self._weights = weights
        self._lines: list[str] = []
        self._drawn = time.monotonic()
        self.done = 0
        self.begun = False
        self._lock = wsistore.OutputLock(path, lock)
        self._lock.acquire()  # before a run that is there is looked at, or replaced
        try:
            # it may put back a run that a killed command was about to replace
            wsistore.atomic.clear(path.parent, path.name)
            remove_earlier_lock(path, lock)
            if resume:
                check_resume(path)
                _refuse_differences(path, config)
                if (path / CHECKPOINT).exists():
                    self.done = read_progress(path / CHECKPOINT).epoch
                    self.begun = True
            else:
                _make(path, {"format": FORMAT, **config}, overwrite)
            self.config = read_json(path / "config.json")
            self._own = (path / "config.json").read_bytes()
        except BaseException:
            self._lock.release()
            raise

    def restore(self, parts: Modules, optimizer: Optimizer) -> TrainingState:
        """Put modules and optimiser where the run stands, and return how far that is.

        Raises:
            RunError: if the run is damaged, or of other modules.
        """
        for stray in self.path.glob(".*.*.*"):  # what `publish` left when the process was killed
            stray.unlink()
        progress = TrainingState()
        if (self.path / CHECKPOINT).exists():
            progress = load_checkpoint(self.path / CHECKPOINT, parts, optimizer)
            self._lines = _lines(self.path / "metrics.jsonl", progress.first, progress.epoch)
            self._metrics()
            if progress.kept == progress.epoch:
                self._keep(published(parts), progress.kept)
        return progress

    def epoch(
        self,
        record: Mapping[str, Any],
        parts: Modules,
        optimizer: Optimizer,
        progress: TrainingState,
    ) -> None:
        """Publish an epoch: its line of metrics, the checkpoint, and its weights if kept."""
        self._lines.append(json.dumps(record, allow_nan=False) + "\n")
        self._metrics()
        self._require_own()
        save_checkpoint(self.path / CHECKPOINT, parts, optimizer, progress)
        if progress.kept == progress.epoch:
            self._keep(published(parts), progress.kept)
        if time.monotonic() - self._drawn > _CURVES_EVERY:
            self._draw()

    def end(self, progress: TrainingState) -> None:
        """Draw the curves, and write outcome.json: why the training is over, and what was kept."""
        self._draw()
        records = [json.loads(line) for line in self._lines]
        kept = records[progress.kept - progress.first]
        outcome = {
            "epochs": progress.epoch,
            "ended": progress.ended,
            "kept": progress.kept,
            "chosen": self._weights.chosen,
            "figures": {name: kept[name] for name in ("train", "val") if name in kept},
        }
        self._publish("outcome.json", encode(outcome))
        self.close()

    def close(self) -> None:
        """Let others write to the folder."""
        self._lock.release()

    def _require_own(self) -> None:
        """Refuse to write into a folder that another run has taken meanwhile.

        Config.json has an id of each run. The lock keeps other trainings away, but neither people
        nor trainings without lock.

        Raises:
            RunError: it is not this run's any more.
        """
        try:
            held = (self.path / "config.json").read_bytes()
        except OSError:
            held = b""
        if held != self._own:
            raise RunError(
                f"{self.path} was removed or replaced while it was trained (its config.json is "
                "another); this training ends, and writes nothing more there"
            )

    def _publish(self, name: str, content: bytes) -> None:
        self._require_own()
        publish(self.path / name, content)

    def _metrics(self) -> None:
        self._publish("metrics.jsonl", "".join(self._lines).encode())
        self._publish("metrics.csv", curves.table(map(json.loads, self._lines)).encode())

    def _keep(self, network: nn.Module, epoch: int) -> None:
        about = replace(self._weights, epoch=epoch)
        self._require_own()
        save(self.path / "weights.safetensors", network.state_dict(), about.metadata())
        self._publish("weights.json", about.to_json())

    def _draw(self) -> None:
        records = [json.loads(line) for line in self._lines]
        self._publish("curves.png", curves.picture(records, own_name(self.path)))
        self._drawn = time.monotonic()


class NonWritingRank:
    """The run folder as processes other than the first see it: they read, and write nothing."""

    def __init__(self, path: Path, *, resume: bool) -> None:
        self._checkpoint = path / CHECKPOINT
        self._resume = resume

    def restore(self, parts: Modules, optimizer: Optimizer) -> TrainingState:
        """Put modules and optimiser where the run stands, and return how far that is."""
        if self._resume and self._checkpoint.exists():
            return load_checkpoint(self._checkpoint, parts, optimizer)
        return TrainingState()

    def epoch(
        self,
        record: Mapping[str, Any],
        parts: Modules,
        optimizer: Optimizer,
        progress: TrainingState,
    ) -> None:
        """Leave it to the first process."""

    def end(self, progress: TrainingState) -> None:
        """Leave it to the first process."""


def _refuse_differences(path: Path, config: Mapping[str, Any]) -> None:
    # through JSON, as the stored values went
    fresh = json.loads(encode(config))
    if found := resume_differences(read_json(path / "config.json"), fresh):
        raise UsageError(
            f"{path} was started otherwise: {'; '.join(found)}; resume it as it was, "
            f"or start a new run from its weights with --init-from {path} and another --out"
        )


def _make(path: Path, config: Mapping[str, Any], overwrite: bool) -> None:
    """Make a run folder that has its config.json from the moment it is there."""
    check_out(path, overwrite)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with wsistore.atomic.aside(path) as folder:
            folder.mkdir()
            publish(folder / "config.json", encode(config))
            wsistore.atomic.publish(folder, path)
    except (FileExistsError, NotADirectoryError, PermissionError) as error:
        raise UsageError(
            f"{path} cannot be made ({error.strerror}); choose another --out"
        ) from error


def _lines(path: Path, first: int, last: int) -> list[str]:
    """Return the lines of metrics.jsonl from the first epoch, 0 or 1, to the last complete one.

    Raises:
        RunError: if they are not all there.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)[: last + 1 - first]
        numbers = [wsistore.parse_json(line)["epoch"] for line in lines]
    except (OSError, ValueError, KeyError) as error:
        raise RunError(f"{path} cannot be read ({error}), so the run cannot be resumed") from error
    if numbers != list(range(first, last + 1)):
        raise RunError(
            f"{path} does not hold epochs {first} to {last}, so the run cannot be resumed"
        )
    return lines
