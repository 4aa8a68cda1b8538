"""Who does the work: this process, others on this machine, or a Dask cluster."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import resource_tracker
from multiprocessing.connection import wait as wait_for
from typing import TypeVar

from wsistore.errors import UsageError

T = TypeVar("T")
R = TypeVar("R")
_BLAS_THREADS = "OPENBLAS_NUM_THREADS"
_CAN_HOLD_BACK = hasattr(signal, "pthread_sigmask")
"""Whether the system lets a thread hold signals back."""


def run(
    work: Callable[[T], R],
    items: Sequence[T],
    workers: int,
    scheduler: str | None = None,
    prepare: Callable[[], object] | None = None,
) -> Generator[tuple[T, R | None], None, None]:
    """Do the work for each item, yielding (item, result) as they come.

    A worker that dies (the system kills the largest process when memory runs out) costs no other
    item: those that ran beside it are done again, one at a time.

    Args:
        work: picklable; raises nothing.
        items: picklable.
        workers: processes; with 1, or one item, this process does the work.
        scheduler: address of a Dask scheduler, whose workers are used instead.
        prepare: picklable; each process of this machine begins with it, before Ctrl-C may reach it:
            for what must not be cut off, such as the loading of compiled code.

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
        yield from _in_processes(work, items, workers, prepare)


def _in_processes(
    work: Callable[[T], R],
    items: Sequence[T],
    workers: int,
    prepare: Callable[[], object] | None,
) -> Iterator[tuple[T, R | None]]:
    waiting = deque(items)
    while waiting:
        suspects = yield from _until_a_death(work, waiting, workers, prepare)
        for item in suspects:
            # alone in its process: if that dies too, it was this one
            if (yield from _until_a_death(work, deque([item]), 1, prepare)):
                yield item, None


def _until_a_death(
    work: Callable[[T], R],
    waiting: deque[T],
    workers: int,
    prepare: Callable[[], object] | None,
) -> Generator[tuple[T, R], None, list[T]]:
    """Take items off the queue until it is empty or a worker dies; return what ran then."""
    # spawned, not forked: the parent may hold threads and open files
    pool = ProcessPoolExecutor(
        min(workers, len(waiting)), multiprocessing.get_context("spawn"), _begin, (prepare,)
    )
    running: dict[Future[R], T] = {}
    try:
        while waiting or running:
            try:
                with _starting():
                    while waiting and len(running) < workers:
                        running[pool.submit(_do, work, waiting[0])] = waiting[0]
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
def _starting() -> Iterator[None]:
    """Let processes that start meanwhile have no threads of OpenBLAS, unless its variable is set.

    numpy starts them when it is imported, which takes a seventh of a second. No work here is linear
    algebra, and the other cores have workers of their own.
    """
    given = os.environ.get(_BLAS_THREADS)
    os.environ.setdefault(_BLAS_THREADS, "1")
    try:
        with _holding_back():
            yield
    finally:
        if given is None:
            os.environ.pop(_BLAS_THREADS, None)  # another thread may have been quicker


@contextmanager
def _holding_back() -> Iterator[None]:
    """Hold Ctrl-C back until the end, and in processes that start meanwhile until `_begin`.

    One that is interrupted while it imports, or whose parent is while it writes to it what to do,
    ends with pages of traceback.
    """
    if not _CAN_HOLD_BACK:
        yield
        return
    resource_tracker.ensure_running()  # or it would start meanwhile, and let signals through
    came: list[int] = []
    # a signal that this thread holds back goes to another one, and is answered in the main thread
    main = threading.current_thread() is threading.main_thread()
    answer = signal.getsignal(signal.SIGINT)
    if main and callable(answer):
        signal.signal(signal.SIGINT, lambda number, _: came.append(number))
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        if main and callable(answer):
            signal.signal(signal.SIGINT, answer)
            if came:
                answer(came[0], None)


def _begin(prepare: Callable[[], object] | None) -> None:
    """Prepare a worker process, in which everything has been imported that its work needs."""
    end_with_parent()
    if prepare is not None:
        prepare()
    # modules live as long as the process: the collector need not look at them again and again, nor
    # take them apart when it ends, which would take a fifth of a second
    gc.freeze()
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, _interrupt)
    if _CAN_HOLD_BACK:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


_interrupted = _busy = False


def _interrupt(*_: object) -> None:
    """Answer Ctrl-C: leave the work at hand and take no other; a worker without any stays quiet."""
    global _interrupted
    _interrupted = True
    if _busy:
        raise KeyboardInterrupt


def _do(work: Callable[[T], R], item: T) -> R:
    global _busy
    if _interrupted:
        raise KeyboardInterrupt
    try:
        _busy = True
        return work(item)
    finally:
        _busy = False


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
