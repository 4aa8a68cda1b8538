"""The rule by which a threshold is chosen, as `--operating-point` says it: plain data and text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

OPERATING_POINTS = "operating_points"
"""Of metrics.json, in evaluations that were asked for them."""
SENSITIVITY, SPECIFICITY, YOUDEN = "sensitivity", "specificity", "youden"
AT_LEAST = (SENSITIVITY, SPECIFICITY)

POINT_SCORES: Mapping[str, str] = {
    SENSITIVITY: "sensitivity",
    SPECIFICITY: "specificity",
    "ppv": "PPV",
    "npv": "NPV",
    "flagged": "flagged",
}
"""Scores of an operating point, and the titles of their columns."""


@dataclass(frozen=True)
class OperatingRule:
    """What a threshold is chosen for.

    Attributes:
        score: "sensitivity", "specificity" or "youden".
        at_least: what the first two must reach, a fraction of 1; None for "youden".
    """

    score: str
    at_least: float | None = None

    @classmethod
    def parse(cls, text: str) -> OperatingRule:
        """Return the rule that a text such as "sensitivity=0.95" or "youden" names.

        Raises:
            ValueError: it names none, or a value that is no fraction of 1 above 0.
        """
        score, equals, value = text.partition("=")
        if score == YOUDEN and not equals:
            return cls(YOUDEN)
        if score not in AT_LEAST or not equals:
            raise ValueError(
                f"{text!r} is no rule; give sensitivity=0.95, specificity=0.95 (or another "
                "fraction of 1) or youden"
            )
        try:
            at_least = float(value)
        except ValueError:
            at_least = 0.0
        if not 0 < at_least <= 1:
            raise ValueError(
                f"{text!r} is out of range; give {score} as a fraction of 1, such as {score}=0.95"
            )
        return cls(score, at_least)

    def __str__(self) -> str:
        """Return the text that `parse` takes."""
        if self.at_least is None:
            return self.score
        return f"{self.score}={repr(self.at_least).removesuffix('.0')}"

    @property
    def words(self) -> str:
        """What it chooses, as a part of a sentence."""
        if self.at_least is None:
            return "the largest sensitivity + specificity"
        other = SPECIFICITY if self.score == SENSITIVITY else SENSITIVITY
        return f"the highest {other} at a {self.score} of at least {100 * self.at_least:.10g} %"


def notes_of_points() -> str:
    """Return what the titles of an operating point's scores mean, for a caption."""
    return (
        "PPV and NPV: share of those called the class, and of those not called it, that are right; "
        "flagged: share called the class"
    )


def shown_threshold(chosen: Mapping[str, Any] | None) -> str:
    """Return a threshold of metrics.json as text; "none called" is one that no case reaches."""
    if chosen is None:
        return "–"
    value = chosen["threshold"]
    return "none called" if value is None else f"{value:.4f}"
