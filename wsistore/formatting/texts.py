"""Numbers and names as people read them, the same on terminals, pages, pictures and in tables.

Kept here too is what no text may do where it is shown: steer a terminal, turn the order of what
follows, be taken for a formula, or tell where files lie on this machine.
"""

from __future__ import annotations

import json
import re
import unicodedata
from pathlib import Path
from typing import Any

_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""What turns the order in which text is shown."""


def unsafe(text: str) -> str:
    """Return the first character that steers what shows the text; ``""`` where there is none.

    Such are controls (C0, DEL, C1: line breaks and the escapes of terminals too), marks that turn
    the direction of text, line and paragraph separators, and what is no character: a byte of a file
    name that is not UTF-8, as `os.fsdecode` gives it.
    """
    if text.isprintable():
        return ""
    kinds = ("Cc", "Cs", "Zl", "Zp")
    return next((c for c in text if unicodedata.category(c) in kinds or c in _BIDI), "")


def visible(text: str) -> str:
    r"""Return a text on one line, with an escape in place of each character that is `unsafe`.

    Those of ASCII, and bytes of a file name that is not UTF-8, become ``\xHH``; others ``\uHHHH``.
    """
    return "".join(map(_escaped, text)) if unsafe(text) else text


def _escaped(character: str) -> str:
    if not unsafe(character):
        return character
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:
        code -= 0xDC00  # a byte, as os.fsdecode keeps it
    elif code > 0x7F:
        return f"\\u{code:04x}"
    return f"\\x{code:02x}"


def visible_lines(text: str) -> str:
    """Return a text of several lines with each as `visible` has it."""
    return "\n".join(map(visible, text.split("\n")))


def json_text(value: Any, indent: int | None = 2) -> str:
    """Return a value as JSON in which what is `unsafe` is escaped: for terminals, equal to read."""
    text = json.dumps(value, ensure_ascii=False, indent=indent, allow_nan=False)
    return "\n".join(
        "".join(f"\\u{ord(c):04x}" if unsafe(c) else c for c in line) if unsafe(line) else line
        for line in text.split("\n")
    )


_FORMULA = re.compile(r"\s*[=+\-@＝＋－＠]|[\t\r]")
"""The beginning of a cell that a spreadsheet runs; after spaces too."""
_GUARDED = re.compile(rf"'+(?:{_FORMULA.pattern})")
_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?([eE][+-]?\d+)?")


def csv_cell(text: str) -> str:
    """Return a text as a cell of a table that people open: no spreadsheet takes it for a formula.

    ``'`` stands before what would be one; numbers such as -1.5 stay. `csv_value` takes it off.
    """
    if _NUMBER.fullmatch(text):
        return text
    return f"'{text}" if _FORMULA.match(text) or _GUARDED.match(text) else text


def csv_value(cell: str) -> str:
    """Return the text that `csv_cell` made a cell of."""
    return cell[1:] if _GUARDED.match(cell) else cell


_PART = r"[^\s'\"`:;,()\[\]<>|/\\]+"
_ABSOLUTE = re.compile(
    rf"(?<![\w.:/\\~-])(?:file://)?(?:/|[A-Za-z]:[/\\])(?:{_PART}[/\\])+(?={_PART})"
)
"""The folders of an absolute path that stands at a word's beginning; no URL."""
_QUOTED = re.compile(r"(['\"])(?:file://)?(?:/|[A-Za-z]:[/\\])[^'\"\n]*[/\\]([^'\"\n/\\]+)[/\\]?\1")


def without_folders(text: str, *places: Path | str) -> str:
    """Return a text without the folders of this machine: of each path what is below a place.

    What an exception says goes by here before it is stored or stands on a page. Of a path that lies
    in none of the places the last part stays; URLs stay whole.

    Args:
        text: a message.
        places: what the user gave, such as a slide's folder or a store.
    """
    if "/" not in text and "\\" not in text:
        return text
    known: dict[str, str] = {}
    for place in map(str, places):
        if "://" not in place:
            for form in (Path(place).absolute(), Path(place).resolve()):
                known[str(form)] = form.name
    for whole in sorted(known, key=len, reverse=True):
        if len(Path(whole).parts) > 1:
            place = rf"(?<![\w./\\~-])(?:file://)?{re.escape(whole)}"
            name = known[whole].replace("\\", r"\\")
            text = re.sub(rf"{place}/(?=[^\s/])", "", text)
            text = re.sub(rf"{place}(?![\w.-])", name, text)
    text = re.sub(rf"{re.escape(str(Path.home()))}(?![\w./-])", "~", text)
    return _ABSOLUTE.sub("", _QUOTED.sub(r"\1\2\1", text))


def size_text(count: float) -> str:
    """Return bytes as ``"1.5 GB"``; 1 kB is 1000 bytes."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 999.5:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:,.3g} TB" if count < 1000 else f"{count:,.0f} TB"


def label_text(label: str | None) -> str:
    """Return a class's name; None is what has no label."""
    return "(no label)" if label is None else label


def millimetres(width: int, height: int, mpp: float) -> str:
    """Return a size as ``"1.11 × 1.48 mm"``, from level-0 pixels and µm per such pixel."""
    return f"{width * mpp / 1000:.2f} × {height * mpp / 1000:.2f} mm"
