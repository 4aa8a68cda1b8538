"""Writing vectors: batch after batch, whole shards only, resumable, published in one rename.

Everything goes to `EMB.part` beside the final place. `progress.safetensors` there says how many
vectors are done and holds those that are not in a shard yet. It is replaced in one rename after
each shard and at least once a minute.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
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
from distill.embeddings import schema
from distill.embeddings.schema import EmbeddedCrop, EmbeddingsMetadata
from distill.errors import DistillError, UsageError
from distill.files import load, publish, save
from distill.output_folder import (
    UnfinishedFolder,
    has_attribute,
    require_artifact_replaceable,
)

CHUNK_BYTES = 2**18
SHARD_BYTES = 32 * 2**20
SECONDS = 60.0


class EmbeddingsWriter:
    """Takes the vectors of all tiles, in order, and makes the artifact of them.

    A context manager. Left by an exception, it keeps what is done for the next time.

    Args:
        path: the artifact to make.
        about: what is true of all vectors.
        crops: where the vectors go.
        overwrite: whether embeddings at `path` are replaced, once the new ones are whole.
        lock: False takes no lock, for a file system that has none.

    Attributes:
        done: vectors that are there.
        total: vectors that there will be.

    Raises:
        UsageError: if `path` holds something that may not be replaced, or what was begun there was
            begun with something else.
        wsistore.UsageError: if another process is writing it.
        wsistore.NoLocksError: if the file system has no locks.
    """

    def __init__(
        self,
        path: Path,
        about: EmbeddingsMetadata,
        crops: Sequence[EmbeddedCrop],
        *,
        overwrite: bool = False,
        lock: bool = True,
    ) -> None:
        self.path = path
        self.done = self._written = 0
        self.total = schema.count(crops, about.views)
        self._about, self._crops = about, tuple(crops)
        self._folder = UnfinishedFolder(path)
        self._aside = self._folder.path
        self._chunk = max(1, CHUNK_BYTES // (4 * about.channels))
        self._shard = max(1, SHARD_BYTES // (4 * about.channels) // self._chunk) * self._chunk
        self._tail = Tail(np.empty((0, about.channels), np.float32))
        self._lock = wsistore.OutputLock(path, lock)
        self._lock.acquire()
        try:
            check_out(path, overwrite)
            self._aside.mkdir(parents=True, exist_ok=True)
            with wsistore.naming(path):
                self._begin()
        except BaseException:
            self._lock.release()
            raise
        self._saved = time.monotonic()

    def __enter__(self) -> EmbeddingsWriter:
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

    def add(self, vectors: NDArray[np.float32]) -> None:
        """Take the next vectors, (n, D).

        Raises:
            DistillError: if a value is not finite.
            ValueError: if they are of another length, or more than there are tiles.
        """
        if vectors.shape[1:] != self._tail.width or self.done + len(vectors) > self.total:
            raise ValueError(f"{vectors.shape} after {self.done} of {self.total} vectors")
        wrong = ~np.isfinite(vectors).all(1)
        if wrong.any():
            crop = self._crop(self.done + int(wrong.argmax()))
            raise DistillError(
                f"the network gives a tile of crop {crop} a vector that is not finite; try "
                "--precision fp32, or other --weights"
            )
        self._tail.append(vectors)
        self.done += len(vectors)
        with wsistore.naming(self.path):
            if self._flush(self._shard) or time.monotonic() - self._saved >= SECONDS:
                self._save()

    def _crop(self, number: int) -> str:
        firsts = [crop.first for crop in self._crops]
        return self._crops[int(np.searchsorted(firsts, number, "right")) - 1].crop

    def _begin(self) -> None:
        """Make the array, or take up what was begun."""
        if (self._aside / schema.PROGRESS).exists():
            self._resume()
            return
        self._folder.begin()
        zarr.create_group(store=str(self._aside), attributes={schema.KEY: self._attributes()})
        publish(self._aside / schema.CROPS_CSV, schema.crops_csv(self._crops))
        width = self._tail.width
        shard = min(self._shard, -(-self.total // self._chunk) * self._chunk)
        create(
            self._aside / schema.VECTORS,
            (self.total, *width),
            "float32",
            ("tile", "channel"),
            (self._chunk, *width),
            (shard, *width),
        )
        self._save()

    def _attributes(self) -> dict[str, Any]:
        value = {"format": schema.FORMAT, **asdict(self._about)}
        plain: dict[str, Any] = json.loads(json.dumps(value))
        return plain

    def _resume(self) -> None:
        held: Any = dict(zarr.open_group(str(self._aside), mode="r").attrs)[schema.KEY]
        for key, value in self._attributes().items():
            if held.get(key) != value:
                self._refuse(f"{key} {held.get(key)}, not {value}")
        if (self._aside / schema.CROPS_CSV).read_bytes() != schema.crops_csv(self._crops):
            self._refuse("other crops, or crops with other pixels")
        self._folder.resume()
        tensors, metadata = load(self._aside / schema.PROGRESS)
        self.done, self._written = int(metadata["done"]), int(metadata["written"])
        self._tail = Tail(tensors["tail"].numpy())

    def _refuse(self, difference: str) -> None:
        raise UsageError(
            f"{self._aside} was begun with {difference}; remove it or choose another --out"
        )

    def _flush(self, least: int) -> bool:
        """Write what is there in whole shards, or all of it if `least` is 1."""
        flushed = False
        while len(self._tail) >= least:
            self._folder.require_own()
            place = str(self._aside / schema.VECTORS)
            array = zarr.open_array(place, mode="r+", config=EMPTY_TOO)
            rows = self._tail.take(self._shard)
            array[self._written : self._written + len(rows)] = rows
            self._written += len(rows)
            flushed = True
        return flushed

    def _save(self) -> None:
        tail = torch.from_numpy(np.ascontiguousarray(self._tail.joined()))
        metadata = {"done": str(self.done), "written": str(self._written)}
        self._folder.require_own()
        save(self._aside / schema.PROGRESS, {"tail": tail}, metadata)
        self._saved = time.monotonic()

    def _finish(self) -> None:
        if self.done != self.total:
            self._save()
            raise ValueError(f"{self.done} of {self.total} tiles have vectors")
        self._flush(1)
        self._folder.finish(schema.PROGRESS)


def check_out(path: Path, overwrite: bool) -> None:
    """Refuse a place that holds something, unless it is embeddings that may be replaced.

    What a killed command left beside it goes first, and embeddings that it was about to replace
    are put back.

    Raises:
        UsageError: if `path` is a file, or a folder that may not be replaced.
    """
    require_artifact_replaceable(path, overwrite, "embeddings", is_embeddings)


def is_embeddings(path: Path) -> bool:
    """Say whether a folder holds embeddings."""
    return has_attribute(path / schema.METADATA, schema.KEY)
