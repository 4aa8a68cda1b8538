"""Names from files, made safe to show in a line or in a spreadsheet. Pure."""

from __future__ import annotations

_FORMULA = ("=", "+", "-", "@")
_SPACE = "\u00a0"
"""A space that does not break a line; to Python it is not printable."""


def visible(text: str) -> str:
    """Return a text on one line, what cannot be printed (line breaks, controls) as its escape."""
    return "".join(
        c if c.isprintable() or c == _SPACE else c.encode("unicode_escape").decode() for c in text
    )


def csv_text(text: str) -> str:
    """Return a text that a spreadsheet does not take for a formula: ' stands before one."""
    shown = visible(text)
    return f"'{shown}" if shown.lstrip().startswith(_FORMULA) else shown
