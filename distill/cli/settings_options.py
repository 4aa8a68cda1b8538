"""Options of the command line, made from what a settings dataclass declares."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from dataclasses import MISSING
from pathlib import Path
from typing import Any

import click

from distill.cli.options import Decorator, option, stack
from distill.settings import Declared, settings_of


def options_of(
    cls: type,
    groups: Sequence[str],
    *,
    without: Container[str] = (),
    special: dict[str, dict[str, Any]] | None = None,
) -> Decorator[Any]:
    """Return the options of a dataclass's settings as one decorator, in the order of `--help`.

    Args:
        cls: the dataclass.
        groups: those of `--help` whose options are wanted, in their order.
        without: names of settings that the command has not.
        special: arguments of `click.option` that no declaration can say, by name of the setting.
    """
    wanted = [
        one for one in settings_of(cls) if one.says.group in groups and one.name not in without
    ]
    wanted.sort(key=lambda one: (groups.index(str(one.says.group)), one.says.rank))
    return stack(*(_option(one, **(special or {}).get(one.name, {})) for one in wanted))


def option_of(cls: type, name: str, **more: Any) -> Decorator[Any]:
    """Return the option of one setting.

    Args:
        cls: the dataclass.
        name: of the setting.
        more: arguments of `option` that differ from the declaration: group, default, help, …; or
            `unset`, what happens where nothing is given.
    """
    (declared,) = (one for one in settings_of(cls) if one.name == name)
    return _option(declared, **more)


def _option(declared: Declared, **more: Any) -> Decorator[Any]:
    says = declared.says
    assert says.group is not None
    group = more.pop("group", says.group)
    unset = more.pop("unset", says.unset)
    help_text = says.help if "default" in more or unset is None else _help(says.help, unset)
    given: dict[str, Any] = {"help": help_text, "metavar": says.metavar}
    if declared.kind is bool:
        given |= {"is_flag": True, "default": declared.default}
    else:
        given["type"] = _type(declared)
    if says.multiple:
        given["multiple"] = True
    elif declared.default is MISSING:
        given["required"] = True
    elif declared.kind is not bool:
        given["default"] = declared.default
    if says.parse is not None:
        given["callback"] = _parsing(says.parse)
    return option(group, declared.flag, **{**given, **more})


def _help(text: str, unset: str) -> str:
    return f"{text}  [default: {unset}]"


def _type(declared: Declared) -> click.ParamType[Any]:
    says, kind = declared.says, declared.kind
    if says.choices is not None:
        return click.Choice(says.choices)
    if issubclass(kind, Path):
        return click.Path(path_type=Path, file_okay=says.files)
    if kind not in (int, float):
        return click.STRING
    above = says.above is not None
    bounds: dict[str, Any] = {
        "min": says.above if above else says.at_least,
        "max": says.at_most,
        "min_open": above,
    }
    return click.IntRange(**bounds) if kind is int else click.FloatRange(**bounds)


def _parsing(parse: Callable[[Any], Any]) -> Callable[[click.Context, click.Parameter, Any], Any]:
    def callback(_: click.Context, __: click.Parameter, value: Any) -> Any:
        return None if value is None else parse(value)

    return callback
