"""Predictions as tables on a terminal."""

from __future__ import annotations

from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from distill.evaluation import Aggregate, Predictions
from distill.predict.answers import SlidePredictions, effect
from distill.predict.calibration import Calibration
from wsistore import terminal


def slides_table(found: SlidePredictions, calibrated: Calibration, aggregate: str) -> Table:
    """Return a row per slide tried, and below it whether the probabilities are calibrated."""
    words = Aggregate.parse(aggregate).words
    said = f"A slide's probability is {words}. Probabilities are "
    deferral = f" {found.said}" if found.said else ""
    shown = _table("Slides", f"{said}{calibrated.said}.{deferral}{_effect(found)}")
    numbers = ("crops", *(("deferred",) if found.readers else ()))
    for name in ("slide", *numbers, "predicted"):
        shown.add_column(name, justify="right" if name in numbers else "left", overflow="fold")
    _chances(shown, found.classes)
    for one in found.slides:
        answers = found.of(one.slide)
        counts = [
            str(len(one.crops)),
            *([str(found.deferred_of(one.slide))] if found.readers else []),
        ]
        if answers is None:
            shown.add_row(terminal.text(one.slide), *counts, terminal.text(one.outcome))
        else:
            shown.add_row(terminal.text(one.slide), *counts, *_cells(answers[1], 0))
    return shown


def crops_table(found: SlidePredictions) -> Table:
    """Return a row per crop."""
    shown = _table("Crops", "Boxes in level-0 pixels of the slide.")
    by = found.answered_by()
    for name in ("crop", "x", "y", "width", "height", *(("by",) if by else ()), "predicted"):
        number = name in ("x", "y", "width", "height")
        shown.add_column(name, justify="right" if number else "left", overflow="fold")
    _chances(shown, found.classes)
    boxes = [crop.box for one in found.slides for crop in one.crops]
    for row, (crop, box) in enumerate(zip(found.crops.table["crop"], boxes, strict=True)):
        who = [terminal.text(by[row])] if by else []
        shown.add_row(terminal.text(crop), *map(str, box), *who, *_cells(found.crops, row))
    return shown


def _table(title: str, caption: str) -> Table:
    return Table(
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        title=terminal.text(title),
        caption=terminal.text(caption),
    )


def _chances(shown: Table, classes: tuple[str, ...]) -> None:
    for name in classes:
        shown.add_column(
            terminal.text(name), justify="right", overflow="fold", min_width=len("0.000")
        )


def _cells(answers: Predictions, row: int) -> list[Text]:
    chances = [terminal.text(f"{value:.3f}") for value in answers.probabilities[row]]
    return [terminal.text(answers.classes[answers.predicted[row]]), *chances]


def _effect(found: SlidePredictions) -> str:
    known = effect(found)
    if known is None:
        return ""
    return f" Against levels made from the base: {_said(known, 'crops')}; {_said(known, 'slides')}."


def _said(known: dict[str, Any], kind: str) -> str:
    one = known[kind]
    return (
        f"{kind} differ by {one['largest_difference']:.3g} at most, "
        f"{one['other_class']} of {one['number']} in class"
    )
