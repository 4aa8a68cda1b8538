"""Writing teacher targets: view after view, whole shards only, resumable, published in one rename.

Everything goes to `TARGETS.part` beside the final place. `progress.safetensors` there says how many
views are done and holds what is not in a shard yet. It is replaced in one rename after each shard
and at least once a minute, so a killed process loses a minute, and a shard that was written after
the last progress is simply written again, with the same content.
"""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import torch
import zarr
from numpy.typing import NDArray

import wsistore
from distill.arrays import EMPTY_TOO, Tail, create
from distill.errors import DistillError, UsageError
from distill.files import load, publish, save
from distill.kd.targets import schema
from distill.kd.targets.arrays import check_targets_out, differs
from distill.kd.targets.draws import DRAWS_CSV, draws_csv
from distill.kd.targets.schema import CropTargets, TargetsMetadata
from distill.kd.targets.target import TeacherOutput
from distill.output_folder import UnfinishedFolder, remove_earlier_lock

CHUNK = 64
"""Cells of a chunk: a student of 250 × 250 px has as many."""
SHARD_BYTES = 32 * 2**20
SECONDS = 60.0


class TargetsWriter:
    """Takes what a teacher says of each view, in order, and makes the artifact of it.

    A context manager. Left by an exception, it keeps what is done for the next time.

    Args:
        path: the artifact to make.
        about: what is true of all targets.
        lessons: the crops and their views.
        overwrite: whether targets at `path` are replaced, once the new ones are whole.
        lock: False takes no lock, for a file system that has none.

    Raises:
        UsageError: if `path` holds something that may not be replaced, or what was begun there was
            begun with something else.
        wsistore.UsageError: if another process is writing it.
        wsistore.NoLocksError: if the file system has no locks.
    """

    def __init__(
        self,
        path: Path | str,
        about: TargetsMetadata,
        lessons: Sequence[CropTargets],
        *,
        overwrite: bool = False,
        lock: bool = True,
    ) -> None:
        self.path = path = Path(path)
        self.about = about
        self.lessons = tuple(lessons)
        self.views = [(lesson, draw) for lesson in lessons for draw in lesson.draws]
        self.done = 0
        self._folder = UnfinishedFolder(path)
        self._aside = self._folder.path
        self._format: dict[str, Any] = {"format": schema.FORMAT}
        self._lock = wsistore.OutputLock(path, lock)
        self._lock.acquire()
        try:
            check_targets_out(path, overwrite)
            self._aside.mkdir(parents=True, exist_ok=True)
            remove_earlier_lock(self._aside, lock)
            self._prepare(about, lessons)
        except BaseException:
            self._lock.release()
            raise
        self._saved = time.monotonic()

    def _prepare(self, about: TargetsMetadata, lessons: Sequence[CropTargets]) -> None:
        width = (about.channels or 0) * np.dtype(about.hint_dtype or "float32").itemsize + 4
        self._shard = max(1, SHARD_BYTES // width // CHUNK) * CHUNK
        self._cells = sum(len(lesson.draws) * lesson.cells for lesson in lessons)
        classes = len(about.classes) if about.logits else 0
        self._logits = np.full((len(self.views), classes), np.nan, np.float32)
        self._constant = np.full(len(self.views), np.nan, np.float64)
        self._tail: dict[str, Tail] = {}
        if about.hint_dtype is not None:
            self._tail[schema.HINT] = Tail(np.empty((0, about.channels or 0), about.hint_dtype))
        if about.attention:
            self._tail[schema.ATTENTION] = Tail(np.empty((0,), np.float32))
        self._written = 0
        with wsistore.naming(self.path):
            self._begin(lessons)

    def __enter__(self) -> TargetsWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            with wsistore.naming(self.path):
                if error is None:
                    self._finish()
                else:
                    self._save()
        finally:
            self._lock.release()

    def pending(self) -> Iterator[tuple[CropTargets, Any]]:
        """Yield (lesson, draw) of each view that is still to be taught; answer each with `add`."""
        while self.done < len(self.views):
            number = self.done
            yield self.views[number]
            if self.done != number + 1:
                raise ValueError(f"view {number} was not answered")

    def add(self, taught: TeacherOutput) -> None:
        """Take the answer for the next view.

        Raises:
            DistillError: if a value is not finite, or too large for the hint's data type.
            ValueError: if the answer is not of the shape that the view has.
        """
        lesson, draw = self.views[self.done]
        rows, columns = schema.shape(lesson.rows, lesson.columns, draw)
        if self.about.logits:
            assert taught.logits is not None
            self._logits[self.done] = self._finite(taught.logits.reshape(-1), lesson, "logit")
        if schema.HINT in self._tail:
            (hint,) = taught.maps
            if hint.shape != (1, self.about.channels, rows, columns):
                raise ValueError(
                    f"crop {lesson.crop}: hint {tuple(hint.shape)} where "
                    f"{(1, self.about.channels, rows, columns)} is wanted"
                )
            assert taught.constant is not None
            self._constant[self.done] = self._finite(taught.constant, lesson, "constant")
            cells = self._finite(hint[0].permute(1, 2, 0).flatten(0, 1), lesson, "hint")
            self._extend(schema.HINT, cells, lesson)
        if schema.ATTENTION in self._tail:
            assert taught.attention is not None
            if taught.attention.shape != (1, rows, columns):
                raise ValueError(f"crop {lesson.crop}: attention {tuple(taught.attention.shape)}")
            cells = self._finite(taught.attention.reshape(-1), lesson, "attention")
            self._extend(schema.ATTENTION, cells, lesson)
        self.done += 1
        with wsistore.naming(self.path):
            flushed = self._flush(self._shard)
            if flushed or time.monotonic() - self._saved >= SECONDS:
                self._save()

    def _extend(self, name: str, cells: NDArray[Any], lesson: CropTargets) -> None:
        tail = self._tail[name]
        with np.errstate(over="ignore"):
            cast = cells.astype(tail.dtype)
        if not np.isfinite(cast).all():
            raise DistillError(
                f"crop {lesson.crop}: a value of the {name} is too large for {tail.dtype}; "
                "use --hint float32"
            )
        tail.append(cast)

    def _finite(self, tensor: torch.Tensor, lesson: CropTargets, name: str) -> NDArray[Any]:
        values = tensor.detach().cpu().numpy()
        if not np.isfinite(values).all():
            raise DistillError(f"the teacher gives crop {lesson.crop} a {name} that is not finite")
        return np.asarray(values)

    def _begin(self, lessons: Sequence[CropTargets]) -> None:
        """Make the arrays, or take up what was begun."""
        if (self._aside / schema.PROGRESS).exists():
            self._resume(lessons)
            return
        self._folder.begin()
        table = draws_csv(draw for _, draw in self.views)
        self._format[schema.DRAWS_SHA256] = hashlib.sha256(table).hexdigest()
        attributes = {schema.KEY: self._attributes()}
        zarr.create_group(store=str(self._aside), attributes=attributes)
        publish(self._aside / schema.CROPS_CSV, schema.crops_csv(lessons))
        publish(self._aside / DRAWS_CSV, table)
        for name, tail in self._tail.items():
            axes = ("cell", "channel") if tail.width else ("cell",)
            full, chunk = (self._cells, *tail.width), (CHUNK, *tail.width)
            shard = min(self._shard, -(-self._cells // CHUNK) * CHUNK)
            shards = (shard, *tail.width)
            create(self._aside / name, full, str(tail.dtype), axes, chunk, shards)
        self._save()

    def _attributes(self) -> dict[str, Any]:
        return {**self._format, **asdict(self.about)}

    def _resume(self, lessons: Sequence[CropTargets]) -> None:
        if difference := differs(self._aside, self.about, lessons):
            raise UsageError(
                f"{self._aside} was begun with {difference}; remove it or choose another --out"
            )
        self._folder.resume()
        # they, or the teacher, may lie elsewhere than when this was begun
        group = zarr.open_group(str(self._aside), mode="r+")
        held: Any = group.attrs[schema.KEY]
        # its draws are there already, and are finished in the format that they are in
        names = ("format", schema.DRAWS_SHA256)
        self._format = {name: held[name] for name in names if name in held}
        group.attrs[schema.KEY] = self._attributes()
        tensors, metadata = load(self._aside / schema.PROGRESS)
        self.done, self._written = int(metadata["views"]), int(metadata["cells"])
        self._logits, self._constant = (
            tensors[schema.LOGITS].numpy(),
            tensors[schema.CONSTANT].numpy(),
        )
        self._tail = {name: Tail(tensors[f"tail/{name}"].numpy()) for name in self._tail}

    def _flush(self, least: int) -> bool:
        """Write what is there in whole shards, or all of it if `least` is 1."""
        flushed = False
        while self._tail and len(next(iter(self._tail.values()))) >= least:
            self._folder.require_own()
            for name, tail in self._tail.items():
                array = zarr.open_array(str(self._aside / name), mode="r+", config=EMPTY_TOO)
                rows = tail.take(self._shard)
                array[self._written : self._written + len(rows)] = rows
            self._written += len(rows)
            flushed = True
        return flushed

    def _save(self) -> None:
        tensors = {schema.LOGITS: self._logits, schema.CONSTANT: self._constant}
        tensors |= {f"tail/{name}": tail.joined() for name, tail in self._tail.items()}
        held = {name: torch.from_numpy(np.ascontiguousarray(a)) for name, a in tensors.items()}
        metadata = {"views": str(self.done), "cells": str(self._written)}
        self._folder.require_own()
        save(self._aside / schema.PROGRESS, held, metadata)
        self._saved = time.monotonic()

    def _finish(self) -> None:
        if self.done != len(self.views):
            self._save()
            raise ValueError(f"{self.done} of {len(self.views)} views were answered")
        self._flush(1)
        if self.about.logits:
            self._replace(schema.LOGITS, self._logits, ("view", "class"))
        if schema.HINT in self._tail:
            self._replace(schema.CONSTANT, self._constant, ("view",))
        self._folder.finish(schema.PROGRESS)

    def _replace(self, name: str, values: NDArray[Any], axes: tuple[str, ...]) -> None:
        shutil.rmtree(self._aside / name, ignore_errors=True)
        create(self._aside / name, values.shape, str(values.dtype), axes)[:] = values
