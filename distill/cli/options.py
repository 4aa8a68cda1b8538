"""Options in named groups, under which `--help` lists them; and which of them were given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from distill.errors import UsageError

F = TypeVar("F", bound=Callable[..., Any])
Decorator = Callable[[F], F]

FOLDER = click.Path(path_type=Path, file_okay=False)


class Grouped(click.Command):
    """A command whose help lists its options by group, and keeps the lines of its examples."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write one section of options for each group, in the order of the decorators."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if isinstance(parameter, click.Option) and record is not None:
                name = getattr(parameter, "group", "Other")
                sections.setdefault(name, []).append(record)
        for name, records in sections.items():
            with formatter.section(f"{name} options"):
                formatter.write_dl(records)


class _GroupedOption(click.Option):
    def __init__(self, *args: Any, group: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.group = group


def option(group: str, *names: str, **kwargs: Any) -> Decorator[Any]:
    """Return a click option that belongs to a named group; its default is shown in the help."""
    kwargs.setdefault("show_default", True)
    return click.option(*names, cls=_GroupedOption, group=group, **kwargs)


def stack(*decorators: Decorator[Any]) -> Decorator[Any]:
    """Return several options as one decorator."""

    def decorate(command: Any) -> Any:
        for decorator in reversed(decorators):
            command = decorator(command)
        return command

    return decorate


def is_given(name: str) -> bool:
    """Return whether the command line of the running command gives an option, by parameter name.

    What a preset says, or a default, is not given: it may have no effect beside other options.
    """
    context = click.get_current_context(silent=True)
    return context is not None and (
        context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
    )


def refuse_without_effect(needs: Mapping[str, str]) -> None:
    """Refuse options that are given and would do nothing.

    Args:
        needs: parameter names, and why each does nothing beside the others given.

    Raises:
        UsageError: naming the option and the reason.
    """
    for name, why in needs.items():
        if is_given(name):
            flag = f"--{name.replace('_', '-')}"
            raise UsageError(f"{flag} has no effect {why}; leave it out")
