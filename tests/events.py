"""Waiting for what happens, in processes of their own too, on a machine however busy."""

import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil

DEADLINE = 1800.0
"""Seconds after which something is taken to hang; nothing waits for it to pass."""
_LOOK_EVERY = 0.01


def wait_until(happened: Callable[[], object], what: str = "") -> None:
    """Return when a condition holds, looking again and again."""
    end = time.monotonic() + DEADLINE
    while not happened():
        assert time.monotonic() < end, f"it did not happen: {what or happened}"
        time.sleep(_LOOK_EVERY)


def wait_for_file(path: Path, process: subprocess.Popen[bytes] | None = None) -> None:
    """Return when a file is there; fail if the process ends without it."""

    def there() -> bool:
        ended = process is not None and process.poll() is not None
        assert not ended or path.exists(), f"it ended without {path.name}"
        return path.exists()

    wait_until(there, str(path))


def ended(process: int) -> bool:
    """Whether a process, of whatever parent, has ended."""
    try:
        return psutil.Process(process).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def let_interrupt() -> None:
    """Let processes that this one starts answer Ctrl-C, and the end of a terminal.

    A shell has its background jobs ignore the one, and nohup the other; what they start ignores
    them too.
    """
    for number, handler in (
        (signal.SIGINT, signal.default_int_handler),
        (signal.SIGHUP, signal.SIG_DFL),
    ):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)
