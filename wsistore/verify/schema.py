"""Metadata against the JSON Schemas of the format, which lie in ``schemas/``."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.protocols import Validator
from jsonschema.validators import extend

from wsistore.files import ParseError, parse_json

KINDS = ("root", "slides", "slide", "image", "level", "icc")
_LONGEST = 200


def _integer(_: object, value: object) -> bool:
    """Tell a whole number; 3.0 is one for JSON Schema, and none for whoever takes it as a side."""
    return isinstance(value, int) and not isinstance(value, bool)


_STRICT = extend(  # type: ignore[no-untyped-call]
    Draft202012Validator,
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine("integer", _integer),
)


class MetadataError(ValueError):
    """A file is no JSON object at all; the message says why."""


@cache
def validator(kind: str) -> Validator:
    """Return the validator of one kind of ``zarr.json``: a name of `KINDS`."""
    text = (files("wsistore.verify") / "schemas" / f"{kind}.json").read_text(encoding="utf-8")
    schema = json.loads(text)
    Draft202012Validator.check_schema(schema)
    found: Validator = _STRICT(schema)
    return found


def parse(data: bytes) -> dict[str, Any]:
    """Parse a JSON object strictly: UTF-8, no NaN, no infinity.

    Raises:
        MetadataError: it is none.
    """
    try:
        value = parse_json(data.decode("utf-8"))
    except ParseError as error:
        raise MetadataError(str(error)) from error
    except UnicodeDecodeError as error:
        raise MetadataError(f"is no whole JSON ({error})") from error
    if not isinstance(value, dict):
        raise MetadataError(f"holds a {type(value).__name__}, not a JSON object")
    return value


def violations(kind: str, value: dict[str, Any]) -> list[str]:
    """Return where metadata breaks the schema of its kind, one sentence each, in order of place."""
    found = sorted(validator(kind).iter_errors(value), key=lambda error: error.json_path)
    return [_short(f"{error.json_path}: {error.message}") for error in found]


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
