"""Write docs/reference/cli.md from the commands themselves, so that the two cannot differ."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from distill.cli.main import main as distill
from wsistore.cli.main import main as wsistore

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reference" / "cli.md"


PROGRAMS = {"wsistore": wsistore, "distill": distill}


def commands(
    name: str, command: click.Command, parent: click.Context | None = None
) -> Iterator[click.Context]:
    """Yield the context of a command and of all below it, in which its help is that of the page."""
    # the parent's settings (-h) reach a command through its context, as on the command line
    context = click.Context(
        command, parent=parent, info_name=name, max_content_width=84, terminal_width=84,
        **command.context_settings,
    )  # fmt: skip
    yield context
    if isinstance(command, click.Group):
        for part in command.list_commands(context):
            found = command.get_command(context, part)
            assert found is not None
            yield from commands(part, found, context)


def reference() -> str:
    """Return the page's text."""
    head = "# Command line\n\nWritten by `python -m tools.cli_reference`; do not edit by hand.\n"
    parts = [
        f"## {context.command_path}\n\n```text\n{context.get_help()}\n```\n"
        for program in PROGRAMS.items()
        for context in commands(*program)
    ]
    return "\n".join([head, *parts])


if __name__ == "__main__":
    PAGE.write_text(reference(), encoding="utf-8")
