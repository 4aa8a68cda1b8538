"""Command lines in this process, whose errors are seen."""

from __future__ import annotations

import click
from click.testing import CliRunner, Result


def speaks(cli: click.Command, *words: object) -> Result:
    """Run a command, which may succeed or say why not.

    Raises:
        Exception: what it raises although it should not.
    """
    result = CliRunner().invoke(cli, [str(word) for word in words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    if not result.output.strip():
        raise AssertionError(f"{words[0]} ends with {result.exit_code} and says nothing")
    return result


def succeeds(cli: click.Command, *words: object) -> str:
    """Run a command and return what it prints.

    Raises:
        click.ClickException: it does not succeed, and says why.
        Exception: what it raises although it should not.
    """
    result = speaks(cli, *words)
    if result.exit_code:
        raise click.ClickException(result.output.strip())
    return result.output
