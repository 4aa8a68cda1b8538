"""The ``wsistore`` command line."""

from __future__ import annotations

import click

from wsistore import __version__
from wsistore.commands.build import build_command
from wsistore.commands.plan import plan_command
from wsistore.commands.split import split_command
from wsistore.commands.verify import verify_command
from wsistore.console import Group
from wsistore.sample.command import sample


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="wsistore")
def main() -> None:
    """Whole-slide images to a Zarr store of tissue crops at several magnifications.

    Exit codes: 0 all good; 1 some inputs failed, the rest is stored; 2 wrong usage.
    """


main.add_command(sample)
main.add_command(plan_command)
main.add_command(build_command)
main.add_command(split_command)
main.add_command(verify_command)
