"""Who does the work: this process, others on this machine, or a Dask cluster."""

from __future__ import annotations

import gc
import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.connection import wait as wait_for
from typing import TypeVar

from wsistore.errors import UsageError

T = TypeVar("T")
R = TypeVar("R")
_BLAS_THREADS = "OPENBLAS_NUM_THREADS"


def run(
    work: Callable[[T], R], items: Sequence[T], workers: int, scheduler: str | None = None
) -> Iterator[tuple[T, R | None]]:
    """Do the work for each item, yielding (item, result) as they come.

    A worker that dies (the system kills the largest process when memory runs out) costs no other
    item: those that ran beside it are done again, one at a time.

    Args:
        work: picklable; raises nothing.
        items: picklable.
        workers: processes; with 1, or one item, this process does the work.
        scheduler: address of a Dask scheduler, whose workers are used instead.

    Yields:
        (item, result), the result None where the worker died of that item.

    Raises:
        UsageError: no scheduler answers.
    """
    if scheduler is not None:
        yield from _on_scheduler(work, items, scheduler)
    elif workers == 1 or len(items) <= 1:
        for item in items:
            yield item, work(item)
    else:
        yield from _in_processes(work, items, workers)


def _in_processes(
    work: Callable[[T], R], items: Sequence[T], workers: int
) -> Iterator[tuple[T, R | None]]:
    waiting = deque(items)
    while waiting:
        suspects = yield from _until_a_death(work, waiting, workers)
        for item in suspects:
            # alone in its process: if that dies too, it was this one
            if (yield from _until_a_death(work, deque([item]), 1)):
                yield item, None


def _until_a_death(
    work: Callable[[T], R], waiting: deque[T], workers: int
) -> Generator[tuple[T, R], None, list[T]]:
    """Take items off the queue until it is empty or a worker dies; return what ran then."""
    # spawned, not forked: the parent may hold threads and open files
    pool = ProcessPoolExecutor(
        min(workers, len(waiting)), multiprocessing.get_context("spawn"), _begin
    )
    running: dict[Future[R], T] = {}
    try:
        while waiting or running:
            try:
                with _without_blas_threads():
                    while waiting and len(running) < workers:
                        running[pool.submit(work, waiting[0])] = waiting[0]
                        waiting.popleft()
            except BrokenProcessPool:
                return list(running.values())
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            dead: list[T] = []
            for future in done:
                item = running.pop(future)
                if isinstance(future.exception(), BrokenProcessPool):
                    dead.append(item)
                else:
                    yield item, future.result()
            if dead:
                return dead + list(running.values())
        return []
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _without_blas_threads() -> Iterator[None]:
    """Let processes that start meanwhile have no threads of OpenBLAS, unless its variable is set.

    numpy starts them when it is imported, which takes a seventh of a second. No work here is linear
    algebra, and the other cores have workers of their own.
    """
    given = os.environ.get(_BLAS_THREADS)
    os.environ.setdefault(_BLAS_THREADS, "1")
    try:
        yield
    finally:
        if given is None:
            os.environ.pop(_BLAS_THREADS, None)  # another thread may have been quicker


def _begin() -> None:
    """Prepare a worker process, in which everything has been imported that its work needs."""
    end_with_parent()
    # modules live as long as the process: the collector need not look at them again and again, nor
    # take them apart when it ends, which would take a fifth of a second
    gc.freeze()


def end_with_parent() -> None:
    """End this worker when its parent ends, by SIGKILL too, instead of waiting on."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        wait_for([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _on_scheduler(
    work: Callable[[T], R], items: Sequence[T], address: str
) -> Iterator[tuple[T, R | None]]:
    # imported here: it takes half a second, and most builds have no use for it
    from distributed import Client, KilledWorker, as_completed

    try:
        client = Client(address, timeout="10s")
    except (OSError, ValueError) as error:
        raise UsageError(f"--scheduler {address}: no Dask scheduler answers: {error}") from error
    with client:
        # not pure: the same slide into the same store is new work when it is asked for again
        futures = {client.submit(work, item, pure=False): item for item in items}
        for future in as_completed(futures):
            died = isinstance(future.exception(), KilledWorker)
            yield futures[future], None if died else future.result()
            future.release()
