"""What a learning curve says, in sentences. Pure."""

from __future__ import annotations

from typing import Any

from distill.learning.choices import BASELINE, TEACHER
from distill.learning.equivalence import ABOVE, BELOW
from distill.learning.gather import Line
from distill.learning.measure import MeasuredCurve, Needed, Step
from distill.report import ends, interval, magnification, percent


def answers_of(measured: MeasuredCurve) -> list[str]:
    """Return what labels bought by the curve's score, level by level.

    For each student how many labelled patients the baseline needs for the same, with every number
    of them; then what the last step to more patients brought each method.
    """
    return [
        *(_needs(measured, one) for one in measured.needed),
        *(_last(measured, line) for line in measured.curve.lines),
    ]


def _needs(measured: MeasuredCurve, one: Needed) -> str:
    least, most = measured.curve.numbers[0], measured.curve.numbers[-1]
    what = (
        f"At {magnification(one.line.level)}, with {one.patients} labelled patients, "
        f"{one.line.method}: "
    )
    score = measured.score.words
    if one.value is None:
        return f"{what}its {score} is not defined."
    if one.value == ABOVE:
        said = f"the baseline reaches its {score} with no number measured, up to {most}"
    elif one.value == BELOW:
        said = f"the baseline has its {score} with {least} already, the least measured"
    else:
        said = f"the baseline needs about {one.value:.0f} labelled patients for its {score}"
    if one.interval is None:
        return f"{what}{said}; there is no interval of one patient."
    low, high = (patients_text(end, least, most) for end in one.interval)
    return f"{what}{said} (95 % interval {low} to {high})."


def patients_text(value: float, least: int, most: int) -> str:
    """Return a number of patients, or in words that it lies outside of those measured."""
    if value == BELOW:
        return f"{least} or fewer"
    return f"more than {most}" if value == ABOVE else f"{value:.0f}"


def _last(measured: MeasuredCurve, line: Line) -> str:
    step = next((one for one in reversed(measured.steps) if one.line is line), None)
    where = f"{_named(line)} at {magnification(line.level)}"
    if step is None:
        return f"Of {where} there is one number of labelled patients, and nothing to compare."
    entry = measured.score.entry(step.block)
    if entry["value"] is None:
        return f"The {measured.score.words} of {where} is not defined."
    return (
        f"From {step.few} to {step.many} labelled patients the {measured.score.words} of {where} "
        f"changed by {percent(entry['value'], 1, sign=True)} points "
        f"({interval(ends(entry), 1, sign=True)}){_per_doubling(step, entry)}."
    )


def _per_doubling(step: Step, entry: Any) -> str:
    if abs(step.doublings - 1) < 1e-9:
        return ""
    return f", {percent(entry['value'] / step.doublings, 1, sign=True)} a doubling"


def _named(line: Line) -> str:
    return f"the {line.method}" if line.method in (TEACHER, BASELINE) else line.method
