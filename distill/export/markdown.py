"""Markdown whose values are text: names from files and tables cannot become links, HTML, rows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence


def text(value: object) -> str:
    """Return a value for the middle of a line or a cell, so that it is shown as it is written.

    Control characters and line breaks become spaces; what Markdown or HTML would read as markup is
    escaped (CommonMark, section 2.4), also what GitHub would turn into a link or a mention.
    """
    plain = "".join(c if c.isprintable() else " " for c in str(value))
    plain = plain.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    plain = re.sub(r"([\\`*_\[\]#|~$@]|:(?!\s|$))", r"\\\1", plain)
    return re.sub(r"\b(www)\.", r"\1\\.", plain, flags=re.IGNORECASE)


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """Return the lines of a table; values are escaped, the header is not."""
    lines = [_row(header), _row(["---"] * len(header))]
    return [*lines, *(_row([text(value) for value in row]) for row in rows), ""]


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
