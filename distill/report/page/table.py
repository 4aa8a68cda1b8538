"""A table as data, and as CSV and Markdown. Pure: cells in, text out."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from distill.report.formatting import markdown
from wsistore import texts

Raw = str | int | float | None


@dataclass(frozen=True)
class Column:
    """A column.

    Attributes:
        title: what stands above it.
        fields: names of its columns in the CSV file, one for each raw value of its cells.
        number: whether it is aligned to the right.
        group: whether equal cells below each other make a group with one heading.
    """

    title: str
    fields: tuple[str, ...]
    number: bool = True
    group: bool = False


@dataclass(frozen=True)
class Cell:
    """A cell.

    Attributes:
        text: what is shown.
        raw: what the CSV file holds: full precision, None for nothing.
        small: what is shown beside it, smaller: an interval, say.
        note: what is shown below that.
        best: whether it is the best of those it is compared with.
    """

    text: str
    raw: tuple[Raw, ...]
    small: str = ""
    note: str = ""
    best: bool = False


@dataclass(frozen=True)
class Spanned:
    """A cell, and over how many rows it goes."""

    cell: Cell
    rows: int = 1


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        name: of its CSV file, without ending.
        title: what it is.
        caption: what its numbers mean: metric, unit, what was resampled.
        columns: C columns.
        rows: tuples of C cells.
    """

    name: str
    title: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def csv(self) -> bytes:
        """Return the raw values with a header; texts that would be formulas begin with '."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(
            [texts.csv_cell(field) for column in self.columns for field in column.fields]
        )
        for row in self.rows:
            writer.writerow([_raw(value) for cell in row for value in cell.raw])
        return text.getvalue().encode()

    def markdown(self) -> str:
        """Return the table as GitHub shows it; the best in bold."""
        head = [markdown(column.title) for column in self.columns]
        line = ["---:" if column.number else "---" for column in self.columns]
        body = [[_marked(cell) for cell in row] for row in self.rows]
        return "".join(f"| {' | '.join(cells)} |\n" for cells in [head, line, *body])

    def groups(self) -> list[tuple[str, list[tuple[Spanned, ...]]]]:
        """Return the rows by the text of the group's cell, which they are given without.

        A row's first cell that says the same as the one above is left out; the one above spans it.
        """
        grouped = self.columns[0].group
        found = []
        for name, rows in groupby(self.rows, lambda row: row[0].text if grouped else ""):
            shown: list[tuple[Spanned, ...]] = []
            cells = [row[1:] if grouped else row for row in rows]
            for _, same in groupby(cells, lambda row: row[0].text):
                block = list(same)
                for place, (first, *rest) in enumerate(block):
                    head = [Spanned(first, len(block))] if place == 0 else []
                    shown.append((*head, *(Spanned(cell) for cell in rest)))
            found.append((name, shown))
        return found


def text(value: str) -> Cell:
    """Return a cell of text."""
    return Cell(value, (value,))


def count(value: int) -> Cell:
    """Return a cell of a whole number."""
    return Cell(f"{value:,}", (value,))


def columns(*titles: str | Column) -> tuple[Column, ...]:
    """Return columns; a title alone is a column of numbers whose CSV field has the same name."""
    made = (one if isinstance(one, Column) else Column(one, (field(one),)) for one in titles)
    return tuple(made)


def field(title: str) -> str:
    """Return a title as the name of a CSV column."""
    kept = "".join(c if c.isalnum() else " " for c in title.lower())
    return "_".join(kept.split())


def marked(
    cells: Iterable[Sequence[Cell]], places: Sequence[int], lowest: Collection[int] = ()
) -> list[tuple[Cell, ...]]:
    """Mark the best of each of some columns: the largest first raw value, and its equals.

    Args:
        cells: rows of C cells.
        places: of the columns.
        lowest: those of them in which the least is the best.
    """
    rows = [list(row) for row in cells]
    for place in places:
        values = [value for row in rows if isinstance(value := row[place].raw[0], float)]
        for row in rows if len(rows) > 1 else ():
            cell = row[place]
            if values and cell.raw[0] == (min if place in lowest else max)(values):
                row[place] = replace(cell, best=True)
    return [tuple(row) for row in rows]


def _raw(value: Raw) -> str:
    if value is None:
        return ""
    return texts.csv_cell(texts.visible(value)) if isinstance(value, str) else repr(value)


def _marked(cell: Cell) -> str:
    shown = markdown(cell.text)
    if cell.best:
        shown = f"**{shown}**"
    more = [f"({part})" for part in (cell.small, cell.note) if part]
    return " ".join([shown, *map(markdown, more)])
