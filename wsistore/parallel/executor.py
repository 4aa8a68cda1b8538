"""Runs work in processes of this machine, any of which an item may kill, or on a Dask cluster."""

from __future__ import annotations

import multiprocessing
import signal
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from multiprocessing.connection import wait as wait_for
from typing import TypeVar

from wsistore.errors import UsageError
from wsistore.parallel.worker import Starter, Worker

T = TypeVar("T")
R = TypeVar("R")
TIMEOUT = 600.0
"""Seconds without progress after which a command gives up on a slide, unless told otherwise."""
SCHEDULER_SECONDS = 10.0
"""Seconds in which a Dask scheduler must answer."""
_TICK = 1.0
"""Seconds between two looks at the workers' progress, at most."""


@dataclass(frozen=True)
class Death:
    """What took the place of a result: the worker ended before it had one.

    Attributes:
        reason: how it ended and what to do, a sentence without a full stop.
    """

    reason: str


def in_workers(
    work: Callable[[T], R],
    items: Sequence[T],
    workers: int,
    scheduler: str | None = None,
    prepare: Callable[[], object] | None = None,
    timeout: float | None = None,
) -> Generator[tuple[T, R | Death], None, None]:
    """Do the work for each item, yielding (item, result) as they come.

    Each item is worked on in a process of its own or of other items before it, never in this one:
    native code that aborts, hangs or takes all memory costs the item and no other. An item whose
    worker died beside others is done again, alone: it may be that only together they took too much.

    Args:
        work: picklable; raises nothing. Calls `report_progress` where it gets on.
        items: picklable.
        workers: processes; 0 does the work in this one, for debuggers: then a crash ends it.
        scheduler: address of a Dask scheduler, whose workers are used instead; there an item that
            ends four of them is given up, and nothing limits its time.
        prepare: picklable; each process of this machine begins with it, before Ctrl-C may reach it:
            for what must not be cut off, such as the loading of compiled code.
        timeout: seconds without a sign of progress after which an item's worker is ended; None, and
            0, for no limit.

    Yields:
        (item, result), the result a `Death` where the worker died of that item.

    Raises:
        UsageError: no scheduler answers, or this process may have no others.
    """
    if scheduler is not None:
        yield from _on_scheduler(work, items, scheduler)
    elif workers == 0:
        for item in items:
            yield item, work(item)
    elif items:
        if multiprocessing.current_process().daemon:
            raise UsageError(
                "this process is a daemon of multiprocessing, which may have no processes of its "
                "own, and slides are opened in one; start it with daemon=False"
            )
        starter: Starter[T, R] = Starter(work, prepare)
        yield from _in_processes(starter, items, workers, timeout or None)


def _in_processes(
    starter: Starter[T, R], items: Sequence[T], workers: int, timeout: float | None
) -> Iterator[tuple[T, R | Death]]:
    suspects: list[T] = []
    pool = _pooled(starter, deque(items), workers, timeout)
    with closing(pool) as results:
        for item, result, beside in results:
            if isinstance(result, Death) and beside:
                suspects.append(item)
            else:
                yield item, result
    for suspect in suspects:
        # alone: if the worker dies again, it was of this one
        alone = _pooled(starter, deque([suspect]), 1, timeout)
        with closing(alone) as results:
            for item, result, _ in results:
                yield item, result


def _pooled(
    starter: Starter[T, R], waiting: deque[T], workers: int, timeout: float | None
) -> Generator[tuple[T, R | Death, bool], None, None]:
    """Yield (item, result, whether its worker may have died of what ran beside it)."""
    team: list[Worker[T, R]] = []
    try:
        while waiting or any(worker.busy for worker in team):
            with starter.starting():
                for worker in [one for one in team if not one.busy][: len(waiting)]:
                    if worker.give(waiting[0]):
                        waiting.popleft()
                    else:  # it has died without any
                        team.remove(worker)
                        worker.end()
                while waiting and len(team) < workers:
                    team.append(starter.start())
                    if team[-1].give(waiting[0]):
                        waiting.popleft()
            tick = None if timeout is None else min(_TICK, timeout / 4)
            began = time.monotonic()
            ready = wait_for([worker.connection for worker in team if worker.busy], tick)
            took = time.monotonic() - began
            alone = sum(worker.busy for worker in team) == 1
            for worker in [one for one in team if one.busy]:
                answer = worker.answer() if worker.connection in ready else None
                if answer is not None:
                    yield worker.done(), answer.result(), False
                elif worker.connection in ready:
                    team.remove(worker)
                    item, code = worker.done(), worker.end()
                    yield item, Death(_how(code)), not alone
                # a pause of this process, as by Ctrl-Z, is none of its workers'
                elif timeout is not None and worker.quiet(min(took, 2 * _TICK)) > timeout:
                    team.remove(worker)
                    item = worker.done()
                    worker.kill()
                    yield item, Death(_stuck(timeout)), False
    finally:
        for worker in team:
            worker.leave()
        for worker in team:
            worker.end()


def _how(code: int | None) -> str:
    """Say how a worker ended, from its exit code; negative for a signal."""
    if code is None or code >= 0:
        return f"its worker ended with exit code {code}; its file is damaged, or memory ran out"
    name = signal.strsignal(-code) or "unknown"
    if -code == getattr(signal, "SIGKILL", None):
        what = "out of memory? run the same command again, with fewer --workers"
    else:
        what = "its file is damaged, or asks for more memory than there is"
    return f"its worker was ended by signal {-code} ({name}); {what}"


def _stuck(timeout: float) -> str:
    return (
        f"no progress for {timeout:g} s, so its worker was ended; its file is damaged, or give it "
        "more time with --timeout"
    )


def _on_scheduler(
    work: Callable[[T], R], items: Sequence[T], address: str
) -> Iterator[tuple[T, R | Death]]:
    # imported here: it takes half a second, and most builds have no use for it
    from distributed import Client, KilledWorker, as_completed

    try:
        client = Client(address, timeout=SCHEDULER_SECONDS)
    except (OSError, ValueError) as error:
        raise UsageError(f"--scheduler {address}: no Dask scheduler answers: {error}") from error
    with client:
        # not pure: the same slide into the same store is new work when it is asked for again
        futures = {client.submit(work, item, pure=False): item for item in items}
        for future in as_completed(futures):
            if isinstance(future.exception(), KilledWorker):
                yield futures[future], Death(f"its workers died, one by one: {future.exception()}")
            else:
                yield futures[future], future.result()
            future.release()
