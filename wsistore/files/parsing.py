"""JSON and TOML of files, parsed strictly: no deep nesting, no NaN, no infinity."""

from __future__ import annotations

import json
import math
import tomllib
from typing import Any, NoReturn

DEEPEST = 100
"""Levels of lists and objects within each other; no file that is read here has need of ten."""


class ParseError(ValueError):
    """A text is not what it should be; the message says why, without naming the file."""


def parse_json(data: str | bytes) -> Any:
    """Return the value of a JSON text.

    Args:
        data: the text; bytes are UTF-8, UTF-16 or UTF-32.

    Raises:
        ParseError: it is no JSON, holds NaN or a number too large for float64, or is nested deeper
            than `DEEPEST`.
    """
    try:
        value = json.loads(data, parse_constant=_refuse, parse_float=_finite)
    except RecursionError as error:
        raise _too_deep() from error
    except ParseError:
        raise
    except ValueError as error:
        raise ParseError(f"is no whole JSON ({error})") from error
    _require_shallow(value)
    return value


def parse_toml(text: str) -> dict[str, Any]:
    """Return the table of a TOML text.

    Raises:
        ParseError: it is no TOML, holds nan or inf, or is nested deeper than `DEEPEST`.
    """
    try:
        value = tomllib.loads(text, parse_float=_finite)
    except RecursionError as error:
        raise _too_deep() from error
    except ParseError:
        raise
    except ValueError as error:
        raise ParseError(f"is no TOML ({error})") from error
    _require_shallow(value)
    return value


def _refuse(constant: str) -> NoReturn:
    raise ParseError(f"holds {constant}, which is no JSON number")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ParseError(f"holds {text}, which is no finite number")
    return value


def _too_deep() -> ParseError:
    return ParseError(f"is nested deeper than {DEEPEST} levels")


def _require_shallow(value: Any) -> None:
    # what the parser's own stack bears may still break whoever walks through it
    layer, depth = [value], 0
    while layer := [
        child
        for one in layer
        if isinstance(one, list | dict)
        for child in (one.values() if isinstance(one, dict) else one)
        if isinstance(child, list | dict)
    ]:
        depth += 1
        if depth >= DEEPEST:
            raise _too_deep()
