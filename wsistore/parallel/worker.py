"""One worker process, from both sides: how it is started, given items, watched and ended."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.connection import wait as wait_for
from typing import Any, Generic, TypeVar

from wsistore.formatting import prepare_streams

T = TypeVar("T")
R = TypeVar("R")
_BLAS_THREADS = "OPENBLAS_NUM_THREADS"
_CAN_HOLD_BACK = hasattr(signal, "pthread_sigmask")
"""Whether the system lets a thread hold signals back."""
_GRACE = 30.0
"""Seconds that an interrupted worker has for clearing up; what it leaves then, others clear."""
_BEAT_EVERY = 0.2
"""Seconds between two signs of progress, at least."""


@dataclass(frozen=True)
class Answer(Generic[R]):
    """What came of an item: its result, or what the work raised although it should not."""

    value: R | None = None
    raised: Exception | None = None

    def result(self) -> R:
        """Return the result, or raise."""
        if self.raised is not None:
            raise self.raised
        return self.value  # type: ignore[return-value]


class Worker(Generic[T, R]):
    """A worker process as its parent sees it.

    Attributes:
        connection: ready when there is an answer, or when the process has ended.
        busy: it has an item.
    """

    def __init__(
        self, process: multiprocessing.process.BaseProcess, connection: Any, beats: Any
    ) -> None:
        self._process, self.connection, self._beats = process, connection, beats
        os.set_blocking(beats.fileno(), False)
        self.busy = False
        self._begun = False
        self._quiet = 0.0
        self._item: list[T] = []

    def give(self, item: T) -> bool:
        """Give it an item, and tell whether it could be: not if the process has ended."""
        try:
            self.connection.send(item)
        except OSError:
            return False
        self.busy, self._item, self._quiet = True, [item], 0.0
        return True

    def answer(self) -> Answer[R] | None:
        """Return the answer that is ready, or None if the process has ended without one."""
        try:
            found: Answer[R] = self.connection.recv()
        except (EOFError, OSError):
            return None
        return found

    def done(self) -> T:
        """Return the item that it had, and free it."""
        self.busy = False
        return self._item.pop()

    def quiet(self, seconds: float) -> float:
        """Return how long it has not got on, if ``seconds`` have passed since the last question.

        What it takes to start, and to import, does not count.
        """
        try:
            beats = os.read(self._beats.fileno(), 1 << 16)
        except BlockingIOError:
            beats = b""
        except OSError:
            return 0.0
        self._begun = self._begun or bool(beats)
        self._quiet = 0.0 if beats or not self._begun else self._quiet + seconds
        return self._quiet

    def leave(self) -> None:
        """Ask it to end: an item at hand is interrupted, as by Ctrl-C, and cleared away."""
        if self.busy and self._process.is_alive() and self._process.pid is not None:
            with suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGINT)
        self.connection.close()

    def kill(self) -> None:
        """End it at once, whatever it does."""
        self._process.kill()
        self.end()

    def end(self) -> int | None:
        """Wait until it has ended, and see to it that it does; return its exit code."""
        self._process.join(_GRACE)
        if self._process.is_alive():
            self._process.kill()
            self._process.join(_GRACE)  # a file system that hangs may hold it for longer
        code = self._process.exitcode
        self.connection.close()
        self._beats.close()
        return code


class Starter(Generic[T, R]):
    """Starts workers that do the same work.

    Args:
        work: picklable.
        prepare: picklable; each worker begins with it.
    """

    def __init__(self, work: Callable[[T], R], prepare: Callable[[], object] | None) -> None:
        self._work, self._prepare = work, prepare
        # spawned, not forked: the parent may hold threads and open files
        self._context = multiprocessing.get_context("spawn")

    def start(self) -> Worker[T, R]:
        """Start a worker; to be called within `starting`."""
        ours, theirs = self._context.Pipe()
        beats, beat = self._context.Pipe(duplex=False)
        # a daemon: the interpreter does not wait for it at its end
        process = self._context.Process(
            target=_serve, args=(theirs, beat, self._work, self._prepare), daemon=True
        )
        process.start()
        theirs.close()
        beat.close()
        return Worker(process, ours, beats)

    @contextmanager
    def starting(self) -> Iterator[None]:
        """Let processes that start meanwhile have no threads of OpenBLAS, unless it is set.

        numpy starts them when it is imported, which takes a seventh of a second. No work here is
        linear algebra, and the other cores have workers of their own.
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


_beat: int | None = None
_beaten = 0.0


def report_progress() -> None:
    """Tell whoever watches this worker process that its work gets on; else do nothing.

    To be called for each block of pixels that is read or written, so that what is large and slow
    can be told from what hangs.
    """
    global _beaten
    if _beat is None or (now := time.monotonic()) - _beaten < _BEAT_EVERY:
        return
    _beaten = now
    # full: nobody has looked for long, and what is there already tells that the work gets on
    with suppress(BlockingIOError, BrokenPipeError):
        os.write(_beat, b".")


def _serve(
    connection: Connection,
    beat: Connection,
    work: Callable[[T], R],
    prepare: Callable[[], object] | None,
) -> None:
    """Do items until none comes; the parent closes its end then, or has ended."""
    global _beat
    os.set_blocking(beat.fileno(), False)
    _begin(prepare)
    _beat = beat.fileno()
    report_progress()
    with suppress(EOFError, OSError, KeyboardInterrupt):
        while True:
            item = connection.recv()
            connection.send(_do(work, item))
    sys.stdout.flush()
    sys.stderr.flush()
    # neither modules nor threads of libraries need to be taken down, one of which may hang
    os._exit(0)


def _begin(prepare: Callable[[], object] | None) -> None:
    """Prepare a worker process, in which everything has been imported that its work needs."""
    prepare_streams()
    end_with_parent()
    if prepare is not None:
        prepare()
    # modules live as long as the process: the collector need not look at them again and again
    gc.freeze()
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, _interrupt)
    if _CAN_HOLD_BACK:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


_interrupted = _busy = False


def _interrupt(*_: object) -> None:
    """Answer Ctrl-C, once: leave the work at hand and take no other."""
    global _interrupted
    first, _interrupted = not _interrupted, True
    if _busy and first:
        raise KeyboardInterrupt


def _do(work: Callable[[T], R], item: T) -> Answer[R]:
    global _busy
    if _interrupted:
        raise KeyboardInterrupt
    try:
        _busy = True
        return Answer(work(item))
    except Exception as error:  # it should not; the parent raises it
        error.add_note(f"in a worker process:\n{traceback.format_exc()}")
        return Answer(raised=error)
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
