"""The tables of report.md as texts, and the CSV files beside them."""

import csv
import html
import re
from dataclasses import dataclass
from pathlib import Path

Row = dict[str, str]


@dataclass(frozen=True)
class Shown:
    """A table of report.md.

    Attributes:
        title: above it.
        csv: name of its CSV file without ending, "" where it has none of its own.
        columns: titles.
        rows: texts of the cells.
    """

    title: str
    csv: str
    columns: list[str]
    rows: list[list[str]]


def read(file: Path) -> list[Row]:
    with file.open(encoding="utf-8", newline="") as opened:
        return list(csv.DictReader(opened))


def shown_tables(report: Path) -> list[Shown]:
    """Every table of a report.md, in order."""
    found, title = [], ""
    lines = (report / "report.md").read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines):
        if line.startswith("#"):
            title = line.lstrip("# ")
        if line.startswith("|") and not lines[number - 1].startswith("|"):
            end = next(n for n in range(number, len(lines)) if not lines[n].startswith("|"))
            made = [_cells(one) for one in lines[number:end]]
            rest = " ".join(lines[end : end + 2])
            name = re.search(r"CSV: \[tables/([^\]]+)\.csv\]", rest)
            found.append(Shown(_plain(title), name[1] if name else "", made[0], made[2:]))
    return found


def _cells(line: str) -> list[str]:
    return [_plain(cell.strip()) for cell in re.split(r"(?<!\\)\|", line.strip("| "))]


def _plain(text: str) -> str:
    return html.unescape(re.sub(r"\\(.)", r"\1", text))
