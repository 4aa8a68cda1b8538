"""The command line. Exit codes: 0 done, 1 an input failed, 2 usage, 128 + n ended by signal n."""

from __future__ import annotations

from importlib import import_module

import click

from distill.cli.exits import cli_errors, end_with_starter

COMMANDS = {
    "cost": ("distill.cli.cost:command", "Say what a network costs, crop by crop."),
    "defer": ("distill.cli.defer:command", "Let a teacher read what a student is not sure of."),
    "embed": ("distill.cli.embed:command", "Store the vectors of tiles, of a pretrained network."),
    "ensemble": ("distill.cli.ensemble:command", "Let several runs answer as one."),
    "evaluate": ("distill.cli.evaluate:evaluate_command", "Score runs, with intervals."),
    "experiment": ("distill.cli.experiment.command:experiment", "Carry out a design of many runs."),
    "explain": ("distill.cli.explain:explain", "Show where a run, or two, looked."),
    "export": ("distill.cli.export:command", "Write a run as ONNX, with a model card."),
    "pool": ("distill.cli.pool:command", "Score runs over the folds of a cross-validation."),
    "predict": ("distill.cli.predict:predict", "Answer for slides, straight from their files."),
    "report": (
        "distill.cli.report:command",
        "Make a page of evaluated runs: may a student do?",
    ),
    "teach": ("distill.cli.teach:command", "Store what a teacher says, for many students."),
    "train": ("distill.cli.train:train", "Train a teacher, a baseline or a student."),
}
"""Where each command is, and what it is for: `distill --help` must not wait for torch."""


class LazyGroup(click.Group):
    """Imports a command when it is called; turns errors a user can meet into a line and a code."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands, sorted."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command by name, None where there is no such one."""
        if cmd_name not in COMMANDS:
            return None
        module, name = COMMANDS[cmd_name][0].split(":")
        found: click.Command = getattr(import_module(module), name)
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write what each command is for, importing none."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name][1]) for name in self.list_commands(ctx)])

    def invoke(self, ctx: click.Context) -> object:
        """Run a command; its errors end it with exit code 1, or 2 for usage."""
        with cli_errors():
            end_with_starter()
            return super().invoke(ctx)


@click.group(cls=LazyGroup)
@click.version_option(package_name="resolution-distillation")
def main() -> None:
    """Teach a low-resolution student what a high-resolution teacher knows.

    Exit codes: 0 all good; 1 some inputs failed, the rest is done; 2 wrong usage.
    """


if __name__ == "__main__":
    main()
