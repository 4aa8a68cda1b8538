"""The measurements as Markdown, made from the JSON alone. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

BEGIN, END = "<!-- bench.gpu: begin -->", "<!-- bench.gpu: end -->"
NOTHING = "Nothing here has run on a GPU yet."
MIB = 2**20


def markdown(report: Mapping[str, Any] | None) -> str:
    """Return what the page of benchmarks says of a report; None where there is none."""
    if report is None:
        return NOTHING
    device = report["device"]
    lines = [
        *([NOTHING, ""] if device["type"] != "cuda" else []),
        f"{device['name']}, driver {device['driver'] or 'unknown'}, torch {report['torch']}, "
        f"{report['date']}; {report['cores']} cores, {report['scale']['workers']} that read.",
        "",
        *_table(
            ("", "precision", "a second", "waiting for data"),
            [
                (rate["what"], rate["precision"], f"{_rounded(rate['per_second'])} {rate['unit']}",
                 f"{rate['waiting']:.0%}".replace("%", " %"))
                for rate in report["rates"]
            ],
        ),
        "",
        *_table(
            ("peak memory, MiB", "crop", "way", "estimate", "allocated", "reserved"),
            [
                (one["what"], one["crop"], one["way"], *(
                    _mib(one[name]) for name in ("estimate", "allocated", "reserved")
                ))
                for one in report["memory"]
            ],
        ),
        "",
        _two(report["processes"]),
    ]  # fmt: skip
    return "\n".join(lines)


def with_section(page: str, section: str) -> str:
    """Return a page with another section between its two marks.

    Raises:
        ValueError: if the page has not both marks, once each and in order.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end or BEGIN in rest or END in after:
        raise ValueError(f"the page must have {BEGIN} and {END} once, in this order")
    return f"{before}{BEGIN}\n{section}\n{END}{after}"


def section_of(page: str) -> str:
    """Return what is between the marks."""
    return page.partition(BEGIN)[2].partition(END)[0].strip("\n")


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(line) + " |" for line in lines]


def _rounded(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _mib(size: int | None) -> str:
    return "–" if size is None else f"{size / MIB:,.0f}"


def _two(found: Mapping[str, Any]) -> str:
    if "not_measured" in found:
        return f"Two processes were not measured: {found['not_measured']}."
    return (
        f"A teacher trains {_rounded(found['one'])} crops a second in one process, "
        f"{_rounded(found['two'])} in two ({found['backend']}): {found['ratio']:.2f} times."
    )
