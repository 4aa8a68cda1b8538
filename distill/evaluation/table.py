"""Evaluations as tables on a terminal: percent, each value above its 95 % interval."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from distill.evaluation.choices import Aggregate
from distill.evaluation.cohort import OF_COHORT, OF_HOME, rules
from distill.evaluation.operating_rule import (
    OPERATING_POINTS,
    POINT_SCORES,
    OperatingRule,
    notes_of_points,
    shown_threshold,
)
from distill.evaluation.scores import (
    CASE,
    KINDS,
    Report,
    Score,
    ScoreTable,
    notes,
    percent,
    score_columns,
)
from wsistore import terminal


def evaluation_tables(reports: Sequence[Report], differences: Sequence[Report]) -> list[Table]:
    """Return the tables of runs evaluated together.

    Args:
        reports: what metrics.json holds, one per run.
        differences: what differences.json holds, one per run but the first.
    """
    shown = [macro_table(reports), overall_table(reports)]
    shown += [points_table(report) for report in reports if OPERATING_POINTS in report]
    return [*shown, difference_table(differences)] if differences else shown


def macro_table(reports: Sequence[Report]) -> Table:
    """Return one row per run: the scores that the paper gives, over what the runs answer for."""
    case = _kinds(reports[0])[0]
    counts = {name: _counts(reports, name) for name in dict.fromkeys((case, "patients"))}
    place = f"{reports[0]['subset']} of split {reports[0]['split']}, {reports[0]['store']}"
    if (cohort := reports[0].get("cohort")) is not None:
        place = f"cohort {cohort['name']}: {place}"
    caption = (
        "Means over classes, one against the rest, in %. " + _intervals(reports[0]) + " GMAC: mean "
        "per crop." + _absent(reports) + _rules(reports)
    )
    columns = score_columns(ScoreTable.MACRO, reports)
    title = f"{place}: {', '.join(f'{number} {name}' for name, number in counts.items())}"
    shown = _table(title, caption, ["run\nnetwork", "level", "GMAC"], columns)
    for report in reports:
        shown.add_row(
            terminal.text(f"{_name(report)}\n{report['network']}"),
            terminal.text(report["level"]),
            f"{report['cost']['gmac_per_crop']['mean']:.3g}",
            *_cells(report, columns),
        )
    return shown


def overall_table(reports: Sequence[Report]) -> Table:
    """Return a row per run and kind of case: how often it is right, and whether to believe it."""
    columns = score_columns(ScoreTable.OVERALL, _blocks(reports))
    how = Aggregate.parse(reports[0]["aggregate"])
    kinds = _kinds(reports[0])
    made = {
        "crops": f" The probability of a slide or patient is {how.words}.",
        "slides": " A slide is answered for as a whole. The probability of a patient is "
        f"{how.made_of('slide')}.",
        "patients": " A patient is answered for as a whole.",
    }
    caption = f"{notes(columns)}.{made[kinds[0]]} Those without one label are left out." + "".join(
        _calibrated(report) for report in reports
    )
    title = " and ".join(filter(None, (", ".join(kinds[:-1]), kinds[-1]))).capitalize()
    shown = _table(title, caption, ["run", "cases"], columns)
    for report in reports:
        for kind in kinds:
            block = report if kind == kinds[0] else report[kind]
            count = block["scored"][kind]
            name = terminal.text(_name(report) if kind == kinds[0] else "")
            shown.add_row(name, f"{count} {kind}", *_cells(block, columns))
    return shown


def difference_table(differences: Sequence[Report]) -> Table:
    """Return a row per run and kind of case: its scores minus those of the first run."""
    first = _name(differences[0]["minus"])
    first_kind = next(kind for kind in KINDS if kind in differences[0])
    columns = score_columns(ScoreTable.DIFFERENCES, _blocks(differences))
    intervals = _intervals(differences[0][first_kind])
    caption = f"Percentage points. {intervals} Both runs see the same draws."
    shown = _table(f"Difference to {first}", caption, ["run", "cases"], columns)
    for report in differences:
        for kind in (one for one in KINDS if one in report):
            block = report[kind]
            name = terminal.text(_name(report["run"]) if kind == first_kind else "")
            count = f"{block['scored'][kind]} {kind}"
            shown.add_row(name, count, *_cells(block, columns, sign="+"))
    return shown


def points_table(report: Report) -> Table:
    """Return a row per kind of case and class: what thresholds chosen elsewhere do here."""
    points = report[OPERATING_POINTS]
    subset = points["subset"]
    caption = (
        "A class is called where its probability is at least the threshold: "
        f"{OperatingRule.parse(points['rule']).words} on {subset}. In %. {notes_of_points()}. "
        f"{_intervals(report)} The threshold is fixed."
    )
    title = f"{_name(report)}: operating points, {points['rule']} on {subset}"
    shown = _table(title, caption, ["cases", "class", "threshold"], POINT_SCORES.values())
    unchosen: dict[str, list[str]] = {}
    for kind in (one for one in KINDS if one in points):
        for label, entry in points[kind]["per_class"].items():
            count = f"{entry['cases']} of {entry['cases'] + entry['others']}\n{kind}"
            threshold = shown_threshold(entry["chosen"])
            scores = (percent(entry[score]) for score in POINT_SCORES)
            shown.add_row(count, terminal.text(label), threshold, *scores)
            if entry["chosen"] is None:
                unchosen.setdefault(label, []).append(kind)
    if unchosen:
        said = "; ".join(f"{label} ({', '.join(kinds)})" for label, kinds in unchosen.items())
        caption += f" No threshold, for {subset} lacks the class or all others: {said}."
        shown.caption = terminal.text(caption)
    return shown


def _table(title: str, caption: str, left: Sequence[str], columns: Iterable[str]) -> Table:
    shown = Table(
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        title=terminal.text(title),
        caption=terminal.text(caption),
    )
    for name in left:
        first = name.startswith(("run", "class"))
        shown.add_column(
            name,
            overflow="fold" if first else "ellipsis",
            min_width=len("resnet10") if first else None,
            no_wrap=not first,
            justify="right" if name == "GMAC" else "left",
        )
    for name in columns:
        shown.add_column(name, justify="right", no_wrap=True, min_width=len("00.00–00.00"))
    return shown


def _cells(block: Mapping[str, Any], columns: Mapping[str, Score], sign: str = "") -> list[str]:
    if "macro" not in block:  # not one slide, or patient, has a label
        return ["–"] * len(columns)
    return [percent(score.entry(block), sign) for score in columns.values()]


def _kinds(report: Report) -> tuple[str, ...]:
    """Return what a run answers for, and what that adds up to."""
    return KINDS[KINDS.index(f"{report.get(CASE, 'crop')}s") :]


def _blocks(reports: Sequence[Report]) -> list[Report]:
    """Return what is scored in each: crops (of metrics.json itself), slides, patients."""
    return [block for one in reports for block in (one, *(one.get(kind, {}) for kind in KINDS))]


def _name(report: Mapping[str, Any]) -> str:
    return Path(report["run"]["run"] if isinstance(report["run"], dict) else report["run"]).name


def _counts(reports: Sequence[Report], units: str) -> str:
    return " or ".join(sorted({str(one["scored"][units]) for one in reports}, key=int))


def _intervals(block: Mapping[str, Any]) -> str:
    about = block["bootstrap"]
    return (
        f"Below each its {about['confidence']:.0%} interval: percentile bootstrap over "
        f"{about['unit']}s, {about['draws']:,} draws."
    )


def _absent(reports: Sequence[Report]) -> str:
    lacking = sorted({name for report in reports for name in report["absent_classes"]})
    return f" No case of {', '.join(lacking)}: left out of the means." if lacking else ""


def _rules(reports: Sequence[Report]) -> str:
    """Say by which rules a cohort's classes are reduced; those of all runs, each once."""
    said = dict.fromkeys(rule for report in reports for rule in rules(report))
    return "".join(f" {one}" for one in said)


def _calibrated(report: Report) -> str:
    found = report["calibration"]
    if found is None:
        return ""
    where = {OF_HOME: " at home", OF_COHORT: " of the cohort"}.get(found.get("of", ""), "")
    return (
        f" {_name(report)}: probabilities at temperature {found['temperature']:.3g}, fitted on "
        f"{found[_kinds(report)[0]]} {found['subset']} {_kinds(report)[0]}{where}."
    )
