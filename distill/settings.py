"""A setting declared once: the field of a settings dataclass says all that is known of it.

From the declaration follow the option on the command line, the key of config.json, what a preset
gives a value, what trackers are told and what the model card's recipe lists. A dataclass may hold
another one as a `part`, whose settings count as its own, where it stands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, get_args, get_type_hints

_SETTING, _PART = "setting", "part"


def as_json(value: Any) -> Any:
    """Return a setting's value as JSON has it: a tuple as a list, all else as it is."""
    return list(value) if isinstance(value, tuple) else value


@dataclass(frozen=True)
class Setting:
    """What a field says of itself; None in a bound is no bound.

    Attributes:
        help: of the option, a sentence.
        group: of `--help`, under which the option stands; None for what is no option.
        flag: of the command line, where it is not the field's name.
        key: of config.json, where it is not the field's name.
        rank: orders the options of a group; those of the same rank are in the fields' order.
        metavar: stands for the value in `--help`.
        choices: the values there are.
        at_least: smallest number.
        above: a number that every value is greater than.
        at_most: greatest number.
        multiple: whether the option may be given several times.
        files: whether a path may be that of a file; a folder otherwise.
        unset: what happens where nothing is given, for `--help`.
        parse: makes the field's value of what the command line gives.
        record: makes the value that config.json has of the field's; None for what it has not.
        preset: whether a preset says it.
        tracked: whether trackers are told.
        recipe: whether it belongs to the recipe on the model card.
    """

    help: str = ""
    group: str | None = None
    flag: str | None = None
    key: str | None = None
    rank: int = 0
    metavar: str | None = None
    choices: tuple[str, ...] | None = None
    at_least: int | float | None = None
    above: int | float | None = None
    at_most: int | float | None = None
    multiple: bool = False
    files: bool = False
    unset: str | None = None
    parse: Callable[[Any], Any] | None = None
    record: Callable[[Any], Any] | None = as_json
    preset: bool = False
    tracked: bool = False
    recipe: bool = False


@dataclass(frozen=True)
class Declared:
    """A setting, and what its field says.

    Attributes:
        name: of the field.
        kind: type of a value: of one item where there may be several, without None.
        default: the field's; `dataclasses.MISSING` where a value must be given.
        says: the rest.
    """

    name: str
    kind: type
    default: Any
    says: Setting

    @property
    def flag(self) -> str:
        """The option's flag, with its dashes."""
        return self.says.flag or f"--{self.name.replace('_', '-')}"

    @property
    def key(self) -> str:
        """The setting's key in config.json."""
        return self.says.key or self.name

    @property
    def parameter(self) -> str:
        """The option's name as the parameter of a command."""
        return self.flag.removeprefix("--").replace("-", "_")


def setting(default: Any = MISSING, **says: Any) -> Any:
    """Return a dataclass field that declares a setting; `says` are attributes of `Setting`."""
    return field(default=default, metadata={_SETTING: Setting(**says)})


def part(cls: type) -> Any:
    """Return a dataclass field that holds the settings of another dataclass."""
    return field(default_factory=cls, metadata={_PART: cls})


def settings_of(cls: type) -> list[Declared]:
    """Return the settings that a dataclass declares, those of its parts among them, in order."""
    hints, found = get_type_hints(cls), []
    for one in fields(cls):
        if _PART in one.metadata:
            found += settings_of(one.metadata[_PART])
        elif _SETTING in one.metadata:
            kind = _kind(hints[one.name])
            found.append(Declared(one.name, kind, one.default, one.metadata[_SETTING]))
    return found


def values_of(settings: Any) -> dict[str, Any]:
    """Return the values of a dataclass and of its parts, by the names of the settings."""
    found: dict[str, Any] = {}
    for one in fields(settings):
        value = getattr(settings, one.name)
        if _PART in one.metadata:
            found |= values_of(value)
        elif _SETTING in one.metadata:
            found[one.name] = value
    return found


def recorded(settings: Any) -> dict[str, Any]:
    """Return what config.json says of the settings, in their order."""
    values = values_of(settings)
    return {
        one.key: one.says.record(values[one.name])
        for one in settings_of(type(settings))
        if one.says.record is not None
    }


def from_options(cls: type, given: Mapping[str, Any]) -> Any:
    """Return a settings dataclass of a command's parameters.

    Args:
        cls: the dataclass; a setting that the command has no option for keeps its default.
        given: values by the name of the parameter.

    Raises:
        TypeError: if a setting without a default is not given.
    """
    parameters = {one.name: one.parameter for one in settings_of(cls)}
    values: dict[str, Any] = {}
    for one in fields(cls):
        if _PART in one.metadata:
            values[one.name] = from_options(one.metadata[_PART], given)
        elif parameters.get(one.name) in given:
            values[one.name] = given[parameters[one.name]]
    return cls(**values)


def keys(classes: Iterable[type], which: Callable[[Setting], bool]) -> list[str]:
    """Return the keys, in config.json, of those settings of dataclasses that `which` is true of."""
    return [one.key for cls in classes for one in settings_of(cls) if which(one.says)]


def _kind(hint: Any) -> type:
    """Return the type of one value: `int` of `int | None`, `str` of `tuple[str, ...]`."""
    types = [kind for kind in get_args(hint) if kind not in (type(None), Ellipsis)]
    return _kind(types[0]) if types else hint
