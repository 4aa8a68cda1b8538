"""Reading crops ahead, in processes of their own, no further than a number of bytes.

Crops of one store differ a thousandfold in size, so that what is read ahead is bounded by bytes.
This module leaves torch alone, which sends tensors through shared memory (/dev/shm): that is often
64 MB in a container, and a process that writes past its end is killed by a bus error, which no
program can report. `distill.data.pixel_transfer` is how pixels come back.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

import wsistore
from distill.data.pixel_transfer import (
    MemfdChannel,
    MemfdHandle,
    PipeChannel,
    Pixels,
    Shapes,
    channel_type,
    send,
)
from distill.data.stain_normalization import Stains, normalize_stains
from distill.errors import DistillError, SubsetError

AHEAD_BYTES = 2**30
"""Bytes of pixels read ahead, unless another number is asked for."""
_AHEAD_COUNT = 32
"""Crops read ahead for each process, at most: enough to keep it busy, however small they are."""
_AHEAD_FILES = 256
"""Crops read ahead, at most: each is an open file, of which a process may often have 1,024."""

NONE: Stains = {}
"""No level's stains are changed."""


class Request(NamedTuple):
    """A crop to read: `bytes` is how large it will be, all levels together.

    `stains` is what each of some levels is brought to, by name: see `read_crops`.
    """

    store: str | Path
    crop: str
    levels: tuple[str, ...]
    bytes: int
    stains: Stains = NONE


def read_ahead(
    requests: Iterable[Request], workers: int, ahead: int = AHEAD_BYTES
) -> Iterator[Pixels]:
    """Yield the pixels of each request, in order: level name to (3, H, W) uint8.

    Args:
        requests: what to read.
        workers: processes that read, at least 1.
        ahead: most bytes that are being read or waiting to be taken; one crop is always on its way,
            however large.

    Raises:
        SubsetError: if an array is damaged, or a process dies.
        wsistore.WsistoreError: if a crop or a level is not there.
    """
    pool, most = _pool(workers), min(_AHEAD_COUNT * workers, _AHEAD_FILES)
    coming, hand = iter(requests), channel_type()
    following = next(coming, None)
    running: deque[tuple[Request, MemfdChannel | PipeChannel, Future[_Answer]]] = deque()
    free: MemfdChannel | PipeChannel | None = None  # that of the crop which the caller has
    held = 0
    try:
        while running or following is not None:
            while following is not None and (
                not running or (held + following.bytes <= ahead and len(running) < most)
            ):
                free = free or hand()
                free.fit(following.bytes)
                future = pool.submit(_reported, *following[:3], following.stains, free.place)
                running.append((following, free, future))
                held += following.bytes
                free, following = None, next(coming, None)
            if free is not None:
                free.close()
            request, free, future = running.popleft()
            answer = future.result()
            del future
            if isinstance(answer, Exception):
                raise answer
            held -= request.bytes
            pixels = free.take(answer)
            free.fit(ahead)  # a crop larger than that must not be there twice while it is in use
            yield pixels
            del pixels
    except BrokenProcessPool as error:
        _pool.cache_clear()
        raise SubsetError(
            "a process that reads crops has died, most likely for want of memory; "
            "choose fewer --workers or a smaller --read-ahead"
        ) from error
    finally:
        for _, file, future in running:
            future.cancel()
            file.close()
        if free is not None:
            free.close()


def read_crops(
    store: wsistore.Store, crop: str, levels: Iterable[str], stains: Stains = NONE
) -> Pixels:
    """Return one crop's pixels: level name to (3, H, W) uint8, C-contiguous and writable.

    Args:
        store: the store.
        crop: its id.
        levels: names of the levels to read.
        stains: what the stains of a level are brought to, by its name; a level that it does not
            name is as the store has it.

    Raises:
        SubsetError: if an array is damaged.
        wsistore.WsistoreError: if the crop or the level is not there.
    """
    found = {level: _level(store, crop, level) for level in levels}
    for level, reference in stains.items():
        if level in found:
            normalize_stains(found[level], reference)
    return found


def _level(store: wsistore.Store, crop: str, level: str) -> NDArray[np.uint8]:
    array = store[crop][level]
    try:
        pixels = np.asarray(array[:])
    except (OSError, RuntimeError, ValueError) as error:  # what zarr and its codecs raise
        raise SubsetError(f"crop {crop} of {store.url} is damaged at {level} ({error})") from error
    return np.require(pixels, np.uint8, ["C", "W"])


_Answer = Pixels | Shapes | Exception


def _reported(
    store: str | Path,
    crop: str,
    levels: tuple[str, ...],
    stains: Stains,
    place: MemfdHandle | None,
) -> _Answer:
    """Return the errors a user can meet: raised in a worker, they would arrive as a traceback."""
    try:
        return send(read_crops(_opened(store), crop, levels, stains), place)
    except (DistillError, wsistore.WsistoreError) as error:
        return error


@lru_cache(maxsize=4)
def _opened(store: str | Path) -> wsistore.Store:
    return wsistore.open(store)


@cache
def _pool(workers: int) -> ProcessPoolExecutor:
    """Return this process's readers; data sets that take turns share them.

    They are started anew (not forked): a fork would copy the locks of zarr's and CUDA's threads.
    """
    return ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _start_reader)


def _start_reader() -> None:
    """End with the process that reads are for, which may be killed without notice."""
    # Ctrl-C and the end of a terminal reach all; the parent answers them
    for name in ("SIGINT", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    wsistore.end_with_parent()
