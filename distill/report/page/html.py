"""The report as an HTML page, as Markdown, and as the files of its folder. Pure."""

from __future__ import annotations

from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from distill.report.formatting import interval, magnification, markdown, part, percent
from distill.report.page.document import Report
from distill.report.page.folder import GENERATOR, PAGE
from distill.report.page.mistake_cards import said
from distill.report.page.sections import Matrix
from distill.report.verdict import Verdict
from wsistore import texts

MARKDOWN = "report.md"


@cache
def _environment(*, escape: bool) -> Environment:
    made = Environment(
        loader=PackageLoader("distill.report.page", "."),
        autoescape=escape,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        # every value passes here, so that a name with a line break or a control shows as such
        finalize=lambda value: texts.visible(value) if type(value) is str else value,
    )
    made.filters |= {
        "md": markdown,
        "points": _points,
        "span": _span,
        "part": part,
        "times": magnification,
        "heat": _heat,
        "said": said,
    }
    return made


def page(report: Report) -> str:
    """Return the page: one file that asks nothing of the network and runs no script."""
    environment = _environment(escape=True)
    assert environment.loader is not None
    style = environment.loader.get_source(environment, "page.css")[0]
    return _render(environment, "page.html.j2", report, style=style)


def text(report: Report) -> str:
    """Return the same as Markdown; its figures are the files beside it."""
    return _render(_environment(escape=False), "report.md.j2", report)


def report_files(report: Report) -> dict[str, bytes]:
    """Return the report's files: page, Markdown, a CSV file a table, an SVG file a figure."""
    found = {PAGE: page(report).encode(), MARKDOWN: text(report).encode()}
    found |= {f"tables/{table.name}.csv": table.csv() for table in report.tables()}
    found |= {f"figures/{figure.name}.svg": figure.file() for figure in report.pictures()}
    for section in report.sections:
        found |= {f"tables/{one.name}.csv": one.csv for one in section.attached}
        found |= {card.name: card.jpeg for card in section.cards if card.jpeg}
        found |= {f"explained/{overlay.name}": overlay.png for overlay in section.overlays}
    return found


def _render(environment: Environment, name: str, report: Report, **more: Any) -> str:
    shown = environment.get_template(name).render(report=report, generator=GENERATOR, **more)
    return f"{shown.rstrip()}\n"


def _points(verdict: Verdict) -> str:
    return "–" if verdict.value is None else percent(verdict.value, 1, sign=True)


def _span(verdict: Verdict) -> str:
    if verdict.low is None or verdict.high is None:
        return "no interval"
    return interval((verdict.low, verdict.high), 1, sign=True)


def _heat(matrix: Matrix) -> list[list[tuple[int, str, int]]]:
    """Return each cell's count, its share of the row as text, and a shade of 0 … 10."""
    return [
        [
            (n, "" if share is None else f"{100 * share:.0f} %", round(10 * (share or 0)))
            for n, share in zip(counts, shares, strict=True)
        ]
        for counts, shares in zip(matrix.counts, matrix.shares(), strict=True)
    ]
