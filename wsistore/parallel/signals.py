"""How a process ends: in order when a signal asks for it, and with the process that started it."""

from __future__ import annotations

import os
import select
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

_SIGNALS = [
    number for name in ("SIGTERM", "SIGHUP") if (number := getattr(signal, name, None)) is not None
]
_GRACE = 30.0
"""Seconds that a process has for an orderly end when its parent has ended."""
_LOOK_EVERY = 0.5
"""Seconds between two looks for the parent, where the system does not tell of its end."""


class Terminated(KeyboardInterrupt):
    """A signal asks this process to end; whatever answers Ctrl-C answers it.

    Attributes:
        number: of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


def exit_code(interruption: KeyboardInterrupt) -> int:
    """Return the exit code after Ctrl-C or another signal: 128 and the signal's number."""
    if isinstance(interruption, Terminated):
        return 128 + interruption.number
    return 128 + signal.SIGINT


@contextmanager
def orderly_end() -> Iterator[None]:
    """Let SIGTERM and SIGHUP raise `Terminated` in the main thread, as Ctrl-C its own error.

    A signal that is ignored, as SIGHUP under nohup, or answered already, stays so. In another
    thread than the main one this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def answer(number: int, _: object) -> None:
        raise Terminated(number)

    ours = [number for number in _SIGNALS if signal.getsignal(number) is signal.SIG_DFL]
    for number in ours:
        signal.signal(number, answer)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)


def end_with(parent: int) -> None:
    """End this process when its parent ends, however that ends: as by SIGTERM, then at once.

    Args:
        parent: its process id. If it is not this process's parent (any more), it has ended.
    """
    # asked for before the id is compared, so that it cannot be of a later process
    handle = _handle(parent)
    ended = os.getppid() != parent
    thread = threading.Thread(target=_watch, args=(parent, handle, ended), daemon=True)
    thread.start()


def _handle(process: int) -> int | None:
    """Return a file descriptor that is readable when a process has ended; None if there is none."""
    if not hasattr(os, "pidfd_open"):  # of Linux
        return None
    try:
        return os.pidfd_open(process)
    except OSError:  # it has ended, or the kernel is older than 5.3
        return None


def _watch(parent: int, handle: int | None, ended: bool) -> None:
    if handle is not None and not ended:
        poll = select.poll()
        poll.register(handle, select.POLLIN)
        poll.poll()
    while os.getppid() == parent:  # for a moment after its end, if the system has told of that
        time.sleep(_LOOK_EVERY if handle is None else 0.001)
    os.kill(os.getpid(), signal.SIGTERM)
    # code that does not come back to the interpreter, or ignores the signal, ends all the same
    time.sleep(_GRACE)
    os._exit(128 + signal.SIGTERM)
