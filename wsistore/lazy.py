"""Names of a package that are imported when they are first asked for (PEP 562)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def lazily(package: str, places: Mapping[str, str]) -> Callable[[str], Any]:
    """Return a package's ``__getattr__``.

    Args:
        package: its name.
        places: name → the module that has it; ``"module:name"`` where it has another name there,
            and a module's own name is that module.
    """

    def attribute(name: str) -> Any:
        if name not in places:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module, _, there = places[name].partition(":")
        imported = import_module(module)
        found = imported if module == f"{package}.{name}" else getattr(imported, there or name)
        setattr(sys.modules[package], name, found)
        return found

    return attribute
