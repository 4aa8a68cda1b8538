"""How a command ends after an error, a signal or the end of its parent: one line, an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import click

import wsistore
from distill.errors import DistillError, UsageError
from wsistore import terminal, texts

PARENT = "DISTILL_PARENT"
"""Environment variable: the process that a command was started by, and is to end with."""
_TORCHRUN = "TORCHELASTIC_RUN_ID"


class _Misuse(click.ClickException):
    exit_code = 2


def end_with_starter() -> None:
    """Let this process end with `distill experiment`, or with torchrun, if one has started it.

    They may be ended by SIGKILL, and can then end nobody themselves.
    """
    given = os.environ.pop(PARENT, None)  # it is not that of processes started here
    if given is not None:
        wsistore.end_with(int(given))
    elif _TORCHRUN in os.environ:
        wsistore.end_with(os.getppid())


def interrupted(interruption: KeyboardInterrupt, text: str) -> SystemExit:
    """Print what an interruption left, and return what to raise: 128 and the signal's number."""
    with suppress(OSError):  # the terminal may be gone
        terminal.echo(text, err=True)
    return SystemExit(wsistore.exit_code(interruption))


@contextmanager
def cli_errors(text: str = "Interrupted.") -> Iterator[None]:
    """Turn errors a user can meet into a line and an exit code: 1, 2 for usage, 130 for Ctrl-C.

    What the machine refuses (a full disk, a right that is missing) is a line too, and a device
    whose memory is full; any other OSError and RuntimeError is not. SIGTERM and SIGHUP are answered
    as Ctrl-C is, with 143 and 129.

    Args:
        text: what an interruption says.
    """
    terminal.prepare_streams()
    try:
        with wsistore.orderly_end():
            yield
    except (UsageError, wsistore.UsageError) as error:
        raise _Misuse(texts.visible(str(error))) from error
    except (DistillError, wsistore.WsistoreError) as error:
        raise click.ClickException(texts.visible(str(error))) from error
    except OSError as error:
        said = wsistore.refusal(error)
        if not said:
            raise
        raise click.ClickException(texts.visible(said)) from error
    except RuntimeError as error:
        if not _out_of_memory(error):
            raise
        raise click.ClickException(
            f"the device's memory is full ({str(error).partition('. GPU')[0]}); end what else uses "
            "it, take a smaller network, or use --device cpu"
        ) from error
    except KeyboardInterrupt as interruption:
        raise interrupted(interruption, text) from None


def _out_of_memory(error: RuntimeError) -> bool:
    """Say whether a device had no memory left for what is no crop's, such as the optimiser's."""
    torch = sys.modules.get("torch")  # help does without it, and then it has raised nothing
    return torch is not None and isinstance(error, torch.OutOfMemoryError)
