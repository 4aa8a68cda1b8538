"""Commands of this environment, shown as one would type them, and stopped with us."""

from __future__ import annotations

import shlex
import signal
import subprocess
import sys

import click

GOES_ON = "Interrupted: the same command goes on."


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
