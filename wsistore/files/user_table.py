"""Tables that a user gives, as CSV from any program: rows stay where they are, or are refused.

Every table of the command lines comes by here. What is read: columns separated by commas,
semicolons or tabs; UTF-8, UTF-16 with its mark, and Windows-1252 where it is beyond doubt; headers
in any case, with spaces around them; blank rows, trailing empty cells, quoted cells with separators
and line breaks.
"""

from __future__ import annotations

import csv
import io
import os
import re
import string
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from wsistore.errors import UsageError
from wsistore.files.limits import TEXT_BYTES
from wsistore.files.paths import nfc
from wsistore.files.text_encoding import EncodingError, decode, kind_of
from wsistore.formatting import unsafe, visible

SEPARATORS = (",", ";", "\t")
SAVE_AS = "save it as 'CSV UTF-8' (comma delimited)"
_HEAD = 1 << 16
_BREAK = re.compile(r"\s*[\r\n]+\s*")
_INVISIBLE = "\u200b\u2060\ufeff"
_SEP_LINE = re.compile(r"sep=([^\w\s\"']|\t) *\r?\n", re.IGNORECASE)
_SHOWN = 60

Record = tuple[int, list[str]]
"""The line that a row begins on, counted from 1, and its cells."""


@dataclass(frozen=True)
class Row:
    """A row that is not blank.

    Attributes:
        line: where it begins in the file, counted from 1.
        cells: column → text, without spaces around it; empty where the row has no such cell.
    """

    line: int
    cells: dict[str, str]

    def __getitem__(self, column: str) -> str:
        return self.cells[column]


@dataclass(frozen=True)
class UserTable:
    """A table as it was read.

    Attributes:
        columns: those of the wanted columns that it has, by their wanted names.
        rows: in the file's order.
        notes: sentences on what had to be guessed.
    """

    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()


def read_user_table(
    path: Path, option: str, needed: Sequence[tuple[str, ...]], more: Sequence[str] = ()
) -> UserTable:
    """Read a table that a user gives; other columns than the named ones are passed over.

    Args:
        path: the file.
        option: the option that it was given by, for messages.
        needed: for each column that must be there the names that it may have, such as
            ``[("slide",), ("patient", "case")]``; several of one group may be there.
        more: names of columns that may be there.

    Raises:
        UsageError: the file cannot be read, is no table in a known encoding, lacks a column or has
            one twice, or a row has more cells than the header.
    """
    said = f"{option} {path}"
    text, guessed = _text(path, said)
    separator, text, skipped = _separator_line(text)
    if not text.strip(',;"' + string.whitespace):
        raise UsageError(f"{said}: is empty")
    wanted = [*(name for group in needed for name in group), *more]
    if separator is None:
        separator = _separator(text, said, needed)
    records = [
        (line + skipped, cells)
        for line, cells in _records(text, separator, said, skipped)
        if any(map(_clean, cells))
    ]
    header = [_clean(cell) for cell in records[0][1]]
    places = _places(header, wanted, needed, said)
    rows = tuple(_rows(records[1:], header, places, said))
    if not rows:
        raise UsageError(f"{said}: has a header and no row below it")
    notes = () if not guessed else (_guess_note(guessed, text),)
    return UserTable(tuple(places), rows, notes)


def _text(path: Path, said: str) -> tuple[str, str]:
    """Return the file's text, and its encoding where that was guessed."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
            if kind := kind_of(head):
                raise UsageError(f"{said}: is {kind}, not a table of text; {SAVE_AS}")
            if fault := TEXT_BYTES.fault(os.fstat(file.fileno()).st_size):
                raise UsageError(f"{said}: has {fault}")
            return decode(head + file.read())
    except OSError as error:
        raise UsageError(f"{said}: cannot be read: {error.strerror or error}") from error
    except EncodingError as error:
        raise UsageError(f"{said}: {error}; {SAVE_AS}") from error


def _guess_note(encoding: str, text: str) -> str:
    word = next(word for word in re.split(r'[\s,;"]+', text) if not word.isascii())
    return f"it is not UTF-8 and was read as {encoding}, such as {word!r}"


def _separator_line(text: str) -> tuple[str | None, str, int]:
    """Take off a first line ``sep=;``, which spreadsheets write and obey."""
    found = _SEP_LINE.match(text)
    return (found[1], text[found.end() :], 1) if found else (None, text, 0)


def _records(text: str, separator: str, said: str, skipped: int = 0) -> Iterator[Record]:
    """Yield the rows, blank ones too.

    Raises:
        UsageError: a quoted cell does not end, or goes on after its quotes.
    """
    lines = csv.reader(
        io.StringIO(text, newline=""), delimiter=separator, strict=True, skipinitialspace=True
    )
    line = 1
    try:
        for cells in lines:
            yield line, cells
            line = lines.line_num + 1
    except csv.Error as error:
        raise UsageError(
            f"{said}: the row that begins in line {line + skipped} cannot be read: {error} "
            "(is a quotation mark missing, or one too many?)"
        ) from error


def _separator(text: str, said: str, needed: Sequence[tuple[str, ...]]) -> str:
    """Return what separates the columns: the one under which the header has what is needed."""
    headers: dict[str, list[str]] = {}
    for separator in SEPARATORS:
        try:
            records = _records(text, separator, said)
            header = next((cells for _, cells in records if any(map(_clean, cells))), [])
        except UsageError:
            continue  # quoted cells show that this is not what separates them
        headers[separator] = [_key(cell) for cell in header]
    if not headers:
        next(iter(_records(text, ",", said)), None)  # raises what is wrong
    fits = [
        separator
        for separator, header in headers.items()
        if all(any(name in header for name in group) for group in needed)
    ]
    # where none fits, the columns that the header lacks are named under the likeliest
    return max(fits or headers, key=lambda separator: len(headers[separator]))


def _places(
    header: Sequence[str], wanted: Sequence[str], needed: Sequence[tuple[str, ...]], said: str
) -> dict[str, int]:
    """Return wanted column → its place in the header."""
    keys = [_key(cell) for cell in header]
    lacks = [" or ".join(group) for group in needed if not any(name in keys for name in group)]
    if lacks:
        named = [cell for cell in header if cell]
        if len(named) == 1:
            raise UsageError(
                f"{said}: its one column is {_short(named[0])!r}, and it lacks the column "
                f"{' and '.join(lacks)}; {SAVE_AS}"
            )
        raise UsageError(
            f"{said}: lacks the column {' and '.join(lacks)} (it has {_short(', '.join(named))})"
        )
    counts = Counter(keys)
    places = {}
    for name in dict.fromkeys(wanted):
        if counts[_key(name)] > 1:
            twice = " and ".join(str(n + 1) for n, key in enumerate(keys) if key == _key(name))
            raise UsageError(f"{said}: columns {twice} are both called {name!r}; keep one of them")
        if counts[_key(name)]:
            places[name] = keys.index(_key(name))
    return places


def _rows(
    records: Sequence[Record], header: Sequence[str], places: dict[str, int], said: str
) -> Iterator[Row]:
    width = len(header)
    for line, cells in records:
        if len(cells) == 1 < width and any(other in cells[0] for other in SEPARATORS):
            raise UsageError(
                f"{said}: line {line} is one cell, {_short(cells[0])!r}; is it separated as the "
                f"header is? {SAVE_AS}"
            )
        # a spreadsheet ends rows with empty cells, or leaves those off
        if any(map(_clean, cells[width:])):
            raise UsageError(
                f"{said}: line {line} has {len(cells)} cells, the header {width}; put a cell that "
                "holds a separator in quotation marks, or give every column a name"
            )
        found = {
            name: _clean(cells[place]) if place < len(cells) else ""
            for name, place in places.items()
        }
        for name, cell in found.items():
            if unsafe(cell):
                raise UsageError(
                    f"{said}: line {line} has a control character in its {name} {visible(cell)!r}"
                )
        yield Row(line, found)


def _clean(cell: str) -> str:
    """Return a cell's text in NFC, without what surrounds it; a line break counts as a space."""
    return nfc(_BREAK.sub(" ", cell.strip().strip(_INVISIBLE).strip()))


def _key(cell: str) -> str:
    return _clean(cell).casefold()


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
