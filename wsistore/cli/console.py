"""What the command lines share: a console that knows a terminal from a log, and exit codes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

import click

from wsistore.errors import UsageError, WsistoreError, refusal
from wsistore.formatting import terminal, visible
from wsistore.parallel import exit_code, orderly_end

if TYPE_CHECKING:
    from rich.console import Console

# rich is imported where it is used: worker processes, which import what a command line starts with,
# print nothing.

OK, SOME_FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130

T = TypeVar("T")


def out() -> Console:
    """Return a console on standard output; names from files are never read as markup."""
    return terminal.console()


def progress(items: Iterable[T], total: int, what: str, line: Callable[[T], str]) -> Iterator[T]:
    """Pass items through, showing a bar on a terminal or one line an item elsewhere.

    Args:
        items: the work, as it is done.
        total: how many there will be.
        what: the bar's title.
        line: what to say of an item when it is done; an empty string says nothing.
    """
    console = terminal.console(stderr=True)
    if not console.is_terminal:
        for number, item in enumerate(items, start=1):
            if text := line(item):
                console.print(f"[{number}/{total}] {text}")
            yield item
        return
    from wsistore.formatting import progress_bar

    with progress_bar(console) as bar:
        task = bar.add_task(what, total=total)
        for item in items:
            if text := line(item):
                console.print(text)
            bar.advance(task)
            yield item


class Group(click.Group):
    """A click group that turns the project's errors into one sentence and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; errors a user can meet end it with exit code 1, or 2 for usage.

        What the machine refuses (see `wsistore.errors.refusal`) is such an error too.
        Ctrl-C, SIGTERM and SIGHUP end it in order, with exit code 128 and the signal's number.
        """
        terminal.prepare_streams()
        try:
            with orderly_end():
                return super().invoke(ctx)
        except WsistoreError as error:
            terminal.echo(f"Error: {visible(str(error))}", err=True)
            ctx.exit(USAGE if isinstance(error, UsageError) else SOME_FAILED)
        except OSError as error:
            said = refusal(error)
            if not said:
                raise
            terminal.echo(f"Error: {visible(said)}", err=True)
            ctx.exit(SOME_FAILED)
        except KeyboardInterrupt as interruption:
            with suppress(OSError):  # the terminal may be gone
                terminal.echo("Interrupted; what was finished is kept.", err=True)
            sys.exit(exit_code(interruption))
