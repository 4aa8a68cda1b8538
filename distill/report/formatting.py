"""Numbers as the report shows them: fractions as percent, losses with a true minus sign."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import wsistore
from wsistore import texts

_MARKDOWN = re.compile(r"([\\`*_\[\]|~$])")

Entry = Mapping[str, Any]
MINUS, NONE = "\u2212", "–"


def percent(value: float, digits: int = 2, *, sign: bool = False) -> str:
    """Return a fraction as percent (of a difference: points), without the unit.

    A negative number that rounds to 0 has no sign.
    """
    rounded = round(100 * value, digits)
    shown = f"{rounded if rounded else 0.0:{'+' if sign and rounded else ''}.{digits}f}"
    return shown.replace("-", MINUS)


def interval(ends: tuple[float, float] | None, digits: int = 2, *, sign: bool = False) -> str:
    """Return an interval: "85.65–88.48", or of differences "−0.31 to +4.45"."""
    if ends is None:
        return NONE
    low, high = (percent(end, digits, sign=sign) for end in ends)
    return f"{low} to {high}" if sign else f"{low}–{high}"


def ends(entry: Entry) -> tuple[float, float] | None:
    """Return the interval of an entry of metrics.json, None where it has none."""
    given = entry["interval"]
    return None if given is None else (float(given[0]), float(given[1]))


def saving(times: float) -> str:
    """Say what part of the teacher's multiply-adds is left, e.g. "with 1/62 of the teacher's …"."""
    if 0.95 < times < 1.05:
        return "with as many multiply-adds as the teacher"
    return f"with {part(times)} of the teacher's multiply-adds"


def part(times: float) -> str:
    """Return the part of a cost that is left, e.g. "1/62", "1/3.9", "105 %"."""
    if times < 1.05:
        return f"{100 / times:.0f} %"
    return f"1/{times:.0f}" if times >= 9.95 else f"1/{times:.2g}"


def magnification(level: str) -> str:
    """Return a level's name with a true multiplication sign: "1.25x" is 1.25×."""
    return f"{level[:-1]}×" if level.endswith("x") else level


def quantity(value: float) -> str:
    """Return a number with three digits, thousands separated."""
    return f"{value:,.0f}" if value >= 999.5 else f"{value:.3g}"


def markdown(text: str) -> str:
    """Return a text that a Markdown reader shows as it is: no mark-up, no HTML, no link, no cell.

    It must not begin a line, where more characters mean something.
    """
    escaped = _MARKDOWN.sub(r"\\\1", html.escape(texts.visible(text), quote=False))
    return escaped.replace("://", "&#58;//").replace("@", "&#64;").replace("www.", "www&#46;")


def markdown_table(rows: Sequence[Sequence[str]]) -> str:
    """Return rows of plain cells as a Markdown table, the first of them as its head."""
    lines = ["| " + " | ".join(markdown(cell) for cell in row) + " |" for row in rows]
    return "\n".join([lines[0], "|" + "---|" * len(rows[0]), *lines[1:]])


def cut_short(text: str, most: int) -> str:
    """Return a text as it is shown, with at most so many characters."""
    shown = texts.visible(text)
    return shown if len(shown) <= most else f"{shown[: most - 1]}…"


def folder_names(paths: Sequence[Path]) -> list[str]:
    """Return for each folder its name, with as many parents as tell it from the others."""
    whole = [wsistore.absolute(path).parts for path in paths]
    names = []
    for parts in whole:
        for count in range(1, len(parts) + 1):
            tail = parts[-count:]
            if sum(other[-count:] == tail for other in whole) == 1:
                break
        names.append("/".join(tail))
    return names
