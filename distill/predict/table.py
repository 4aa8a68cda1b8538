"""Predictions as tables on a terminal."""

from __future__ import annotations

from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from distill.evaluation import Aggregate, Predictions
from distill.predict.calibration import Calibration
from distill.predict.report import SlidePredictions, effect
from wsistore import terminal


def slides_table(found: SlidePredictions, calibrated: Calibration, aggregate: str) -> Table:
    """Return a row per slide tried, and below it whether the probabilities are calibrated."""
    words = Aggregate.parse(aggregate).words
    said = f"A slide's probability is {words}. Probabilities are "
    shown = _table("Slides", f"{said}{calibrated.said}.{_effect(found)}")
    for name in ("slide", "crops", "predicted"):
        shown.add_column(name, justify="right" if name == "crops" else "left", overflow="fold")
    _chances(shown, found.classes)
    for one in found.slides:
        answers = found.of(one.slide)
        if answers is None:
            shown.add_row(terminal.text(one.slide), "0", terminal.text(one.outcome))
        else:
            shown.add_row(terminal.text(one.slide), str(len(one.crops)), *_cells(answers[1], 0))
    return shown


def crops_table(found: SlidePredictions) -> Table:
    """Return a row per crop."""
    shown = _table("Crops", "Boxes in level-0 pixels of the slide.")
    for name in ("crop", "x", "y", "width", "height", "predicted"):
        number = name in ("x", "y", "width", "height")
        shown.add_column(name, justify="right" if number else "left", overflow="fold")
    _chances(shown, found.classes)
    boxes = [crop.box for one in found.slides for crop in one.crops]
    for row, (crop, box) in enumerate(zip(found.crops.table["crop"], boxes, strict=True)):
        shown.add_row(terminal.text(crop), *map(str, box), *_cells(found.crops, row))
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
