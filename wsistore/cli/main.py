"""The ``wsistore`` command line."""

from __future__ import annotations

from importlib import import_module

import click

from wsistore.cli.console import Group
from wsistore.version import __version__

COMMANDS = {
    "build": "wsistore.cli.build:build_command",
    "info": "wsistore.cli.info:info_command",
    "label": "wsistore.cli.label:label_command",
    "plan": "wsistore.cli.plan:plan_command",
    "preview": "wsistore.cli.preview:preview_command",
    "sample": "wsistore.cli.sample:sample",
    "split": "wsistore.cli.split:split_command",
    "verify": "wsistore.cli.verify:verify_command",
}


class LazyGroup(Group):
    """Imports a command when it is called: a question to a table waits for no compiler."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands, sorted."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command by name, None where there is no such one."""
        if cmd_name not in COMMANDS:
            return None
        module, name = COMMANDS[cmd_name].split(":")
        found: click.Command = getattr(import_module(module), name)
        return found


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="wsistore")
def main() -> None:
    """Whole-slide images to a Zarr store of tissue crops at several magnifications.

    Exit codes: 0 all good; 1 some inputs failed, the rest is stored; 2 wrong usage.
    """


if __name__ == "__main__":
    main()
