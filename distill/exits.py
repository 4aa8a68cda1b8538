"""How a command ends that a user's error or Ctrl-C stops: with a line, and an exit code."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click

import wsistore
from distill.errors import DistillError, UsageError


class _Misuse(click.ClickException):
    exit_code = 2


@contextmanager
def told(interrupted: str = "Interrupted.") -> Iterator[None]:
    """Turn errors a user can meet into a line and an exit code: 1, 2 for usage, 130 for Ctrl-C.

    Args:
        interrupted: what an interruption says.
    """
    try:
        yield
    except (UsageError, wsistore.UsageError) as error:
        raise _Misuse(str(error)) from error
    except (DistillError, wsistore.WsistoreError) as error:
        raise click.ClickException(str(error)) from error
    except KeyboardInterrupt:
        click.echo(interrupted, err=True)
        raise SystemExit(130) from None
