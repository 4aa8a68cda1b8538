"""Names of folds: NAME-K, and where folds are repeated NAME-rR-K."""

from __future__ import annotations

import re

_REPEAT = re.compile(r"-r[0-9]+$")


def suffix(number: int, repeat: int | None) -> str:
    """Return what a fold's name has behind that of its family; numbers count from 0."""
    return f"-{number}" if repeat is None else f"-r{repeat}-{number}"


def repeat_name(name: str) -> str:
    """Return what the folds of one repeat have in common: NAME, or NAME-rR."""
    return name.rpartition("-")[0]


def families(name: str) -> tuple[str, ...]:
    """Return the names of splits whose fold a split may be, by its name.

    ``cv-r0-1`` may be fold 1 of ``cv-r0``, or of repeat 0 of ``cv``. A record names its files, and
    no second one can take them, so that at most one of them has it.
    """
    one = repeat_name(name)
    return tuple(dict.fromkeys(each for each in (one, _REPEAT.sub("", one)) if each))
