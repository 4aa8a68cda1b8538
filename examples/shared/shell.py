"""Commands of this environment, shown as one would type them, and stopped with us."""

from __future__ import annotations

import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

import wsistore
from distill.errors import DistillError
from distill.errors import UsageError as DistillUsageError


def call(*words: object) -> int:
    """Run `wsistore` or `distill` with some words, and return its exit code.

    An interruption is passed on, and waited for: what runs stops in good order, once.
    """
    program, *arguments = map(str, words)
    click.secho(f"\n$ {shlex.join([program, *arguments])}", bold=True)
    # a session of its own: Ctrl-C reaches it through us, once
    process = subprocess.Popen(
        [sys.executable, "-m", f"{program}.cli", *arguments], start_new_session=True
    )
    try:
        return process.wait()
    except BaseException:
        process.send_signal(signal.SIGINT)
        process.wait()
        raise


def must(*words: object) -> None:
    """Run `wsistore` or `distill`, and go on only if it was done.

    Raises:
        SystemExit: it was not; its own message has been shown.
    """
    if code := call(*words):
        click.echo(f"Stopped: the command above ended with exit code {code}.", err=True)
        raise SystemExit(code if code > 0 else 1)


@contextmanager
def told() -> Iterator[None]:
    """Turn errors a user can meet into a line and an exit code, as the commands do."""
    try:
        yield
    except (DistillError, wsistore.WsistoreError) as error:
        click.echo(f"Error: {error}", err=True)
        usage = isinstance(error, (DistillUsageError, wsistore.UsageError))
        raise SystemExit(2 if usage else 1) from error
    except KeyboardInterrupt:
        click.echo("Interrupted: the same command goes on.", err=True)
        raise SystemExit(130) from None
