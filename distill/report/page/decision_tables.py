"""Tables of net benefit: students minus the teacher at some thresholds, and all curves as lists."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from distill.evaluation import THRESHOLDS, NetBenefit
from distill.report.decisions import Decisions
from distill.report.page.cells import (
    CASES,
    CLASS,
    COMPARED,
    LEVEL,
    METHOD,
    cases,
    compared,
    head,
    resampled,
    score,
)
from distill.report.page.table import Cell, Column, Table, columns, count, text
from distill.report.scores import Measured

SHOWN = (5, 10, 20, 30, 50)
"""Thresholds of the table on the page, in %; at most as many as fit."""
_ENDS = ("", "_low", "_high")


def difference_table(decisions: Decisions, measured: Measured) -> Table | None:
    """Return students and baselines minus the teacher at some thresholds; None without any."""
    body = [
        (*compared(one), cases(kind, found.cases), text(label),
         *(_entry(found, k, step - 1) for step in SHOWN))
        for one, blocks in decisions.to_teacher for kind, found in blocks.items()
        for k, label in enumerate(found.classes)
    ]  # fmt: skip
    if not body:
        return None
    made = (
        LEVEL, COMPARED, CASES, CLASS,
        *(Column(f"at {step} %", tuple(f"at_{step}_percent{end}" for end in _ENDS))
          for step in SHOWN),
    )  # fmt: skip
    caption = (
        "Net benefit of the one minus that of the other, per 100 cases, at these thresholds; both "
        f"see the same draws. {resampled(measured)}"
    )
    title = "Net benefit: students and baselines minus the teacher"
    return Table("net-benefit-minus-teacher", title, caption, made, tuple(body))


def curve_table(decisions: Decisions) -> Table:
    """Return the curves of all rows, and of calling all cases a class, as one list."""
    made = columns(
        LEVEL, METHOD, CASES, CLASS, "of the class", "threshold", "true positives",
        "false positives",
        *(Column(title, tuple(f"{title.replace(' ', '_')}{end}" for end in _ENDS))
          for title in ("net benefit", "treat all")),
    )  # fmt: skip
    body = [
        (*head(row), cases(kind, found.cases), text(found.classes[k]), count(found.of_class[k]),
         _number(THRESHOLDS[place]), _number(found.curves.hits[k, place]),
         _number(found.curves.false[k, place]), _entry(found, k, place),
         _entry(found, k, place, everyone=True))
        for row, blocks in decisions.rows for kind, found, k, place in _places(blocks)
    ]  # fmt: skip
    caption = "Net benefit per case; of several seeds positives and net benefit are means."
    return Table("net-benefit", "Net benefit", caption, made, tuple(body))


def difference_list(decisions: Decisions) -> Table | None:
    """Return students and baselines minus the teacher at all thresholds; None without any."""
    body = [
        (*compared(one), cases(kind, found.cases), text(found.classes[k]),
         _number(THRESHOLDS[place]), _entry(found, k, place))
        for one, blocks in decisions.to_teacher for kind, found, k, place in _places(blocks)
    ]  # fmt: skip
    if not body:
        return None
    made = columns(
        LEVEL, COMPARED, CASES, CLASS, "threshold",
        Column("difference", tuple(f"difference{end}" for end in _ENDS)),
    )  # fmt: skip
    title = "Net benefit minus the teacher's, at all thresholds"
    return Table("net-benefit-differences", title, "Per case.", made, tuple(body))


def _places(blocks: Mapping[str, NetBenefit]) -> Iterator[tuple[str, NetBenefit, int, int]]:
    """Yield kind, curves, class and threshold."""
    for kind, found in blocks.items():
        for k in range(len(found.classes)):
            for place in range(len(THRESHOLDS)):
                yield kind, found, k, place


def _entry(found: NetBenefit, k: int, place: int, *, everyone: bool = False) -> Cell:
    """Return a net benefit and its interval, per 100 cases and in the CSV file per case."""
    curves = found.curves
    value = (curves.treat_all if everyone else curves.value)[k, place]
    ends = (curves.treat_all_interval if everyone else curves.interval)[:, k, place]
    numbers = _numbers((value, *ends))
    interval = None if None in numbers[1:] else numbers[1:]
    return score({"value": numbers[0], "interval": interval}, sign=True)


def _number(value: float) -> Cell:
    return Cell(f"{float(value):g}", (float(value),))


def _numbers(values: Iterable[float]) -> list[float | None]:
    return [None if value != value else float(value) for value in values]  # NaN is no number
