"""What command lines print: no name, label or message can steer a terminal, or fail to be printed.

Both packages' commands write by these functions alone.
"""

from __future__ import annotations

import io
import json
import logging
import sys
import traceback
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from wsistore.formatting.texts import json_text, visible, visible_lines

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

# rich is imported where it is used: worker processes print nothing by it

T = TypeVar("T")


def console(*, stderr: bool = False, width: int | None = None, wrap: bool = False) -> Console:
    """Return a console on standard output or error.

    Args:
        stderr: standard error.
        width: characters a line; by default the terminal's.
        wrap: whether lines are broken at that width, rather than by the terminal.
    """
    from wsistore.formatting.console import SafeConsole

    return SafeConsole(stderr=stderr, width=width, soft_wrap=not wrap)


def text(value: str) -> Text:
    """Return a text for a cell of a rich table, as wide as what `visible_lines` shows of it."""
    from rich.text import Text

    return Text(visible_lines(value))


def track(
    items: Iterable[T], description: str, on: Console, total: int | None = None
) -> Iterable[T]:
    """Pass items on and show, on a terminal, a bar that goes when it is full.

    Args:
        items: the work, as it is done.
        description: stands before the bar; no markup.
        on: the console.
        total: how many items there will be; by default their length.
    """
    from rich.markup import escape
    from rich.progress import track as shown

    return shown(
        items, escape(visible(description)), total, console=on, transient=True,
        disable=not on.is_terminal,
    )  # fmt: skip


def echo(text: str, *, err: bool = False, nl: bool = True) -> None:
    """Print a text of one or more lines; what is unsafe in it is shown escaped."""
    click.echo(visible_lines(text), err=err, nl=nl)


def echo_json(value: Any) -> None:
    """Print a value as JSON; what is unsafe, or what standard output cannot hold, is escaped."""
    text = json_text(value)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(value, indent=2, allow_nan=False)
    click.echo(text)


def print_traceback() -> None:
    """Print where the exception that is being handled is from, on standard error."""
    echo(traceback.format_exc(), err=True, nl=False)


class _SafeFormatter(logging.Formatter):
    """Writes a record of any library as text that steers no terminal: it may hold a file's name."""

    def format(self, record: logging.LogRecord) -> str:
        return visible_lines(super().format(record))


def prepare_streams() -> None:
    """Let what an encoding of the terminal lacks be printed escaped, rather than be an error.

    Also what libraries log to standard error, where nobody has said where else, is shown escaped.
    Each process of a command begins with it.
    """
    if logging.lastResort is not None:
        logging.lastResort.setFormatter(_SafeFormatter())
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
