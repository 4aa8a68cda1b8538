"""config.json of a run, read back: what readers take from it is what they take it for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from distill.errors import RunError
from distill.files import read_json
from distill.runs.record_types import require_types

_OBJECT = Mapping[str, Any] | None
_TYPES: Mapping[str, Any] = {
    "command": str,
    "store": str,
    "split": str,
    "split_sha256": str,
    "subset": str,
    "val_subset": str,
    "seed": int,
    "crops": Mapping[str, int],
    "left_out": Mapping[str, Mapping[str, str]],
    "data": Mapping[str, Any],
    "data.store_settings": Mapping[str, Any],
    "data.settings_sha256": str | None,
    "data.colours": _OBJECT,
    "data.fingerprints": Mapping[str, list[str]] | None,
    "class_map": _OBJECT,
    "init_from": _OBJECT,
    "init_from.run": str | None,
    "init_from.file": str,
    "teacher": _OBJECT,
    "teacher.run": str | None,
    "student": _OBJECT,
    "student.run": str | None,
    "targets": _OBJECT,
    "preset": str | None,
    "preset_departures": Mapping[str, Mapping[str, Any]],
    "environment": Mapping[str, Any],
}
"""Entry, by its path of keys → its type, where it is there: earlier versions record fewer."""
_NEEDED = {
    "init_from": ("run", "file"),
    "teacher": ("run", "weights_sha256"),
    "student": ("run", "weights_sha256"),
}
"""What is recorded of other runs, wherever one is; of the teacher of --targets, whatever they say:
it may be no run."""


def read_config(path: Path) -> dict[str, Any]:
    """Return the configuration that a config.json holds.

    Raises:
        RunError: it cannot be read, or an entry that is read later holds another type than it has.
    """
    config = read_json(path)
    require_types(path, config, _TYPES)
    for name, keys in _NEEDED.items():
        if name == "teacher" and config.get("targets"):
            continue
        for key in keys:
            if (origin := config.get(name)) and key not in origin:
                raise RunError(f"{path} is damaged: its {name} lacks {key}")
    for name, values in (config.get("preset_departures") or {}).items():
        if "used" not in values:
            raise RunError(f"{path} is damaged: its preset_departures of {name} lack used")
    return config
