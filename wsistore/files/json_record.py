"""JSON values held against the types that code takes them for: a damaged record is no other one."""

from __future__ import annotations

import json
import sys
import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from wsistore.files.parsing import ParseError

T = TypeVar("T")


def json_record(kind: type[T], value: Any, what: str = "the record") -> T:
    """Return a dataclass from the JSON object that holds its fields.

    Lists become tuples where the fields are; whole numbers stay whole in fields of floats.

    Args:
        kind: the dataclass. Fields without a default must be there, others may.
        value: as `parse_json` returns it.
        what: what the value is, for the message.

    Raises:
        ParseError: it is no object, lacks a field, has another one, or a field holds another type.
        Exception: what the dataclass raises on construction.
    """
    if not isinstance(value, Mapping):
        raise ParseError(f"{what} is {_kind(value)}, not an object")
    hints, known = get_type_hints(kind), fields(cast(Any, kind))
    needed = {field.name for field in known if field.default is field.default_factory is MISSING}
    if lacking := sorted(needed - value.keys()):
        raise ParseError(f"{what} lacks {' and '.join(lacking)}")
    if odd := sorted(value.keys() - {field.name for field in known}):
        raise ParseError(f"{what} has the unknown {' and '.join(odd)}")
    return kind(
        **{name: json_value(hints[name], item, f"{what}'s {name}") for name, item in value.items()}
    )


def json_value(hint: Any, value: Any, what: str) -> Any:
    """Return a JSON value that is of a type; a tuple for a list where the type is one.

    Args:
        hint: ``str``, ``int``, ``float``, ``bool``, ``None``, ``Any``, a dataclass, or a list,
            tuple, mapping from ``str`` or union of such. True is no number, 1.0 no whole one.
        value: as `parse_json` returns it.
        what: what the value is, for the message.

    Raises:
        ParseError: it is of another type.
    """
    origin, parts = get_origin(hint), get_args(hint)
    if hint is Any:
        return value
    if origin in (Union, types.UnionType):
        if value is None and type(None) in parts:
            return None
        (other,) = (part for part in parts if part is not type(None))
        return json_value(other, value, what)
    if origin in (list, tuple):
        if not isinstance(value, list | tuple):
            raise ParseError(f"{what} is {_kind(value)}, not a list")
        if origin is tuple and parts[-1] is not Ellipsis:
            if len(value) != len(parts):
                raise ParseError(f"{what} has {len(value)} items, not {len(parts)}")
            pairs = zip(parts, value, strict=True)
        else:
            pairs = zip((parts[0],) * len(value), value, strict=True)
        return origin(json_value(part, item, f"an item of {what}") for part, item in pairs)
    if origin is not None and issubclass(origin, Mapping):
        if not isinstance(value, Mapping):
            raise ParseError(f"{what} is {_kind(value)}, not an object")
        return {key: json_value(parts[1], item, f"{what}'s {key!r}") for key, item in value.items()}
    if is_dataclass(hint):
        return json_record(cast(type, hint), value, what)
    if hint is float and isinstance(value, int) and abs(value) > sys.float_info.max:
        raise ParseError(f"{what} is larger than any number of float64")
    taken = (int, float) if hint is float else hint
    if not isinstance(value, taken) or (isinstance(value, bool) and hint is not bool):
        raise ParseError(f"{what} is {_kind(value)}, not {_NAMES[hint]}")
    return value


_NAMES: dict[type, str] = {
    str: "a text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    type(None): "null",
}


def _kind(value: Any) -> str:
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, list | tuple):
        return "a list"
    if isinstance(value, str):
        return "a text"
    return json.dumps(value)
