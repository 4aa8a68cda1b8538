"""Killing a process at a step of its work that a number names, however busy the machine is."""

import importlib
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any


def count_steps(packages: tuple[str, ...], end: int = 0) -> Callable[[], int]:
    """From now on count the steps of this process; let it be killed at one of them.

    Steps are lines of the packages' functions. Their number is nearly the same each time: threads
    of a package may take turns in another order.

    Args:
        packages: names.
        end: the step at which the process gets SIGKILL, counted from 1; 0 for never.

    Returns:
        what tells the steps so far.
    """
    files = [importlib.import_module(name).__file__ for name in packages]
    folders = tuple(f"{Path(str(file)).parent}{os.sep}" for file in files)
    steps = 0

    def count(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal steps
        if not frame.f_code.co_filename.startswith(folders):
            return None  # none of its lines is asked for
        steps += 1
        if 0 < end <= steps:
            os.kill(os.getpid(), signal.SIGKILL)
        return count

    threading.settrace(count)
    sys.settrace(count)
    return lambda: steps
