"""Entries of a JSON record, held to the types that readers take them for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import wsistore
from distill.errors import RunError


def require_types(path: Path, record: Mapping[str, Any], types: Mapping[str, Any]) -> None:
    """Refuse a record in which an entry that is there is of another type.

    Args:
        path: its file, for the message.
        record: what the file holds.
        types: entry, by its path of keys joined by dots → its type; outer ones come before theirs.

    Raises:
        RunError: it is, or a text holds a NUL character, which no path and no name has.
    """
    for name, hint in types.items():
        *outer, last = name.split(".")
        held: Any = record
        for key in outer:
            held = held.get(key) or {}
        if last not in held:
            continue
        try:
            wsistore.json_value(hint, held[last], f"its {name}")
        except ValueError as error:
            raise RunError(f"{path} is damaged: {error}") from error
        if isinstance(held[last], str) and "\0" in held[last]:
            raise RunError(f"{path} is damaged: its {name} holds a NUL character")
