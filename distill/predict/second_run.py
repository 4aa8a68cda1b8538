"""A second run, which is asked about some of a slide's crops."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from distill.predict.reading import Reading, RunJob
from distill.predict.slide_logits import SecondReading
from distill.types import Floats

Rule = Callable[[Floats], NDArray[np.bool_]]
"""From a run's logits (N, K) to which crops a second run is asked about: (N,)."""


@dataclass(frozen=True)
class SecondJob:
    """A second run, which reads crops that a rule chooses by the first one's logits.

    Attributes:
        by: the run.
        name: what it is called where both are named.
        rule: chooses the crops; goes to worker processes.
    """

    by: RunJob
    name: str
    rule: Rule


class SecondLook:
    """A second run's reading of the crops that a rule chooses, of both kinds of pixels."""

    def __init__(
        self,
        rule: Rule,
        reading: Reading,
        logits: Mapping[int, Floats],
        base: Mapping[int, Floats],
    ) -> None:
        self._reading = reading
        chosen = _chosen(rule, logits)
        self._logits = reading.logits(chosen)
        # from the base the first run may be sure of other crops
        self._base = reading.base(_chosen(rule, base)) if base else {}
        self._left_out = reading.left_out_of(chosen)

    def about(self, number: int) -> tuple[Floats | None, tuple[int, int] | None, Floats | None]:
        """Return what it says of a crop, what it saw, and what it says of it from the base."""
        found = self._logits.get(number)
        size = None if found is None else self._reading.sizes[number]
        return found, size, self._base.get(number)

    def result(self, by: RunJob, first: float) -> tuple[SecondReading, list[str]]:
        """Return what became of it, and what is unusual; `first`: GMAC of the first run."""
        reading = self._reading
        warnings = reading.warnings()
        distance, unusual = reading.color_distance(by.colors)
        if self._left_out:
            crop, why = next(iter(self._left_out.items()))
            warnings.append(
                f"crops too small for it, which keep the first answer: {len(self._left_out)}, for "
                f"example {crop}, which {why}"
            )
        said = SecondReading(
            reading.level_facts(),
            max(reading.vendors, default=None),
            self._left_out,
            (first, reading.gmac),
            distance,
        )
        return said, warnings + unusual


def _chosen(rule: Rule, logits: Mapping[int, Floats]) -> set[int]:
    if not logits:
        return set()
    mask = rule(np.stack(list(logits.values())))
    return {number for number, asked in zip(logits, mask, strict=True) if asked}
