"""What a table says of values that are not there."""

from typing import Any

import pytest
from rich.console import Console

from distill.evaluation.scores import percent
from distill.evaluation.table import overall_table


@pytest.mark.parametrize(
    ("entry", "sign", "shown"),
    [
        ({"value": 0.81317, "interval": [0.7, 1.0]}, "", "81.32\n70.00–100.00"),
        ({"value": -0.0123, "interval": [-0.05, 0.01]}, "+", "-1.23\n-5.00 to +1.00"),
        ({"value": 0.5, "interval": None, "draws": 0}, "", "50.00\n–"),
        ({"value": None, "interval": None, "draws": 0}, "", "–"),
    ],
)
def test_percent(entry: dict[str, Any], sign: str, shown: str) -> None:
    assert percent(entry, sign) == shown


def test_slides_that_cannot_be_scored_are_shown_as_none() -> None:
    entry = {"value": 0.5, "interval": [0.25, 0.75]}
    names = ("accuracy", "balanced_accuracy", "auroc", "expected_calibration_error")
    scores = dict.fromkeys(names, entry)
    report = {
        "run": "/runs/[red]x",
        "aggregate": "area",
        "calibration": None,
        "scored": {"crops": 3},
        "overall": scores,
        "macro": scores,
        "slides": {"scored": {"slides": 0}},
        "patients": {"scored": {"patients": 2}, "overall": scores, "macro": scores},
    }
    console = Console(width=100)
    with console.capture() as capture:
        console.print(overall_table([report]))
    lines = [line.split() for line in capture.get().splitlines()]
    assert ["[red]x", "3", "crops", *["50.00"] * 4] in lines
    assert ["0", "slides", *["–"] * 4] in lines
    assert ["2", "patients", *["50.00"] * 4] in lines
    assert "the area of its box" in " ".join(capture.get().split())
