"""Writing vectors: by one process or several, resumable, published in one rename.

Everything goes to `EMB.part` beside the final place. While vectors are made, its folder `progress`
holds those that are there, see `distill.embeddings.pieces`: each process adds a piece whenever it
has enough for a shard, and at least once a minute. When none is left, the first process writes the
array from the pieces.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

import wsistore
from distill.arrays import EMPTY_TOO, Tail, create
from distill.distributed import ALONE, DistributedContext
from distill.embeddings import schema
from distill.embeddings.pieces import Pieces, shares
from distill.embeddings.schema import EmbeddedCrop, EmbeddingsMetadata
from distill.errors import DistillError, UsageError
from distill.files import publish
from distill.output_folder import (
    UnfinishedFolder,
    has_attribute,
    require_artifact_replaceable,
)

CHUNK_BYTES = 2**18
SHARD_BYTES = 32 * 2**20
SECONDS = 60.0


class EmbeddingsWriter:
    """Takes the vectors of all tiles, of one process or several, and makes the artifact of them.

    A context manager, in every process. Left by an exception, it keeps what is done for the next
    time; else the first process publishes, once `share` of each is saved.

    Args:
        path: the artifact to make.
        about: what is true of all vectors.
        crops: where the vectors go.
        overwrite: whether embeddings at `path` are replaced, once the new ones are whole.
        lock: False takes no lock, for a file system that has none.
        processes: those that make it.

    Attributes:
        total: vectors that there will be.
        done: vectors that were there when this began.
        share: rows that this process is to add.

    Raises:
        UsageError: if `path` holds something that may not be replaced, or what was begun there was
            begun with something else.
        wsistore.UsageError: if another command is writing it.
        wsistore.NoLocksError: if the file system has no locks.
        TrainingError: with the message of one of these, in the other processes.
    """

    def __init__(
        self,
        path: Path,
        about: EmbeddingsMetadata,
        crops: Sequence[EmbeddedCrop],
        *,
        overwrite: bool = False,
        lock: bool = True,
        processes: DistributedContext = ALONE,
    ) -> None:
        self.path = path
        self.total = schema.count(crops, about.views)
        self._about, self._crops, self._processes = about, tuple(crops), processes
        self._folder = UnfinishedFolder(path)
        self._aside = self._folder.path
        self._pieces = Pieces(self._aside / schema.PROGRESS, self.total)
        self._chunk = max(1, CHUNK_BYTES // (4 * about.channels))
        self._shard = max(1, SHARD_BYTES // (4 * about.channels) // self._chunk) * self._chunk
        self._lock = wsistore.OutputLock(path, lock)
        left: list[range] = []
        with processes.together():
            if processes.first:
                left = self._open(overwrite)
        owner, left = processes.gather((self._folder.owner, left))[0]
        self._folder.join(owner)
        self.done = self.total - sum(map(len, left))
        self.share = shares(left, about.batch_size, processes.rank, processes.world)
        self._first = 0
        self._tail = Tail(np.empty((0, about.channels), np.float32))
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
                if error is not None:
                    self.save()
                elif self._processes.first:
                    self._finish()
        finally:
            if self._processes.first:
                self._lock.release()

    def add(self, first: int, vectors: NDArray[np.float32]) -> None:
        """Take vectors, (n, D), of which the first has that row.

        Raises:
            DistillError: if a value is not finite.
            ValueError: if they are of another length, or of rows that there are not.
        """
        if vectors.shape[1:] != self._tail.width or first + len(vectors) > self.total:
            raise ValueError(f"{vectors.shape} at row {first} of {self.total}")
        wrong = ~np.isfinite(vectors).all(1)
        if wrong.any():
            crop = self._crop(first + int(wrong.argmax()))
            raise DistillError(
                f"the network gives a tile of crop {crop} a vector that is not finite; try "
                "--precision fp32, or other --weights"
            )
        if first != self._first + len(self._tail):
            self.save()
            self._first = first
        self._tail.append(vectors)
        if len(self._tail) >= self._shard or time.monotonic() - self._saved >= SECONDS:
            self.save()

    def save(self) -> None:
        """Write what was added and is not written yet.

        Raises:
            DistillError: if the folder is not this command's any more.
        """
        with wsistore.naming(self.path):
            if len(self._tail):
                self._folder.require_own()
                rows = self._tail.take(len(self._tail))
                self._pieces.save(self._first, rows)
                self._first += len(rows)
        self._saved = time.monotonic()

    def _crop(self, number: int) -> str:
        firsts = [crop.first for crop in self._crops]
        return self._crops[int(np.searchsorted(firsts, number, "right")) - 1].crop

    def _open(self, overwrite: bool) -> list[range]:
        """Make the folder, or take up what was begun, and return the rows that are left to do."""
        self._lock.acquire()
        try:
            check_out(self.path, overwrite)
            self._aside.mkdir(parents=True, exist_ok=True)
            with wsistore.naming(self.path):
                if self._pieces.folder.exists():
                    self._resume()
                else:
                    self._begin()
                return self._pieces.left()
        except BaseException:
            self._lock.release()
            raise

    def _begin(self) -> None:
        self._folder.begin()
        zarr.create_group(store=str(self._aside), attributes={schema.KEY: self._attributes()})
        publish(self._aside / schema.CROPS_CSV, schema.crops_csv(self._crops))
        self._pieces.begin()  # last: without it, this has not begun

    def _attributes(self) -> dict[str, Any]:
        value = {"format": schema.format_of(self._about), **asdict(self._about)}
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
        self._pieces.resume()

    def _refuse(self, difference: str) -> None:
        raise UsageError(
            f"{self._aside} was begun with {difference}; remove it or choose another --out"
        )

    def _finish(self) -> None:
        self.save()
        if left := self._pieces.left():
            raise ValueError(f"{sum(map(len, left))} of {self.total} tiles have no vectors")
        if not self._pieces.whole:
            self._folder.require_own()
            self._write()
            self._pieces.finish()
        self._folder.finish(schema.PROGRESS)

    def _write(self) -> None:
        """Make the array of the pieces, a shard at a time."""
        place, width = self._aside / schema.VECTORS, self._tail.width
        shutil.rmtree(place, ignore_errors=True)  # of a process that was killed here
        shard = min(self._shard, -(-self.total // self._chunk) * self._chunk)
        create(
            place,
            (self.total, *width),
            "float32",
            ("tile", "channel"),
            (self._chunk, *width),
            (shard, *width),
        )
        array = zarr.open_array(str(place), mode="r+", config=EMPTY_TOO)
        tail, written = Tail(np.empty((0, *width), np.float32)), 0
        for rows in self._pieces.in_order():
            tail.append(rows)
            while len(tail) >= shard or (len(tail) and written + len(tail) == self.total):
                some = tail.take(shard)
                array[written : written + len(some)] = some
                written += len(some)


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
