"""What the logits of slides say: probabilities of crops and slides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from distill.evaluation import UNIT_COLUMNS, Predictions, probabilities
from distill.predict.slide_logits import SlideLogits
from distill.types import Floats


@dataclass(frozen=True)
class SlidePredictions:
    """The answers for slides tried.

    Attributes:
        slides: in the order in which they were named.
        classes: K names.
        crops: answers for all crops, slide by slide.
        by_slide: answers for the slides that have crops, in the same order.
        base: answers for all crops from the slides' base, where they were compared.
        base_by_slide: the same for slides.
        readers: names of the first run and of a second one, which reads some crops again; else
            None.
        deferred: (N,) which crops the second one answers.
        said: of the two, for a terminal.
    """

    slides: tuple[SlideLogits, ...]
    classes: tuple[str, ...]
    crops: Predictions
    by_slide: Predictions
    base: Predictions | None = None
    base_by_slide: Predictions | None = None
    readers: tuple[str, str] | None = None
    deferred: NDArray[np.bool_] | None = None
    said: str = ""

    def answered_by(self) -> list[str]:
        """Return the name of the run that answers each crop; of nothing where only one reads."""
        if self.readers is None or self.deferred is None:
            return []
        return [self.readers[int(second)] for second in self.deferred]

    def deferred_of(self, slide: str) -> int:
        """Return how many crops of a slide the second run answers."""
        if self.deferred is None:
            return 0
        return int(self.deferred[(self.crops.table["slide"] == slide).to_numpy()].sum())

    def of(self, slide: str) -> tuple[Predictions, Predictions] | None:
        """Return a slide's answers by crop, and its own; None where it has no crop."""
        mine = (self.crops.table["slide"] == slide).to_numpy()
        if not mine.any():
            return None
        own = (self.by_slide.table["slide"] == slide).to_numpy()
        return self.crops.select(mine), self.by_slide.select(own)


def predictions(
    slides: Sequence[SlideLogits], classes: Sequence[str], temperature: float, aggregate: str
) -> SlidePredictions:
    """Turn logits into answers as `distill.evaluation.evaluator` does.

    Args:
        slides: what became of each.
        classes: K names, in the order of the logits.
        temperature: that logits are divided by.
        aggregate: what `distill.evaluation.Aggregate.parse` takes.
    """
    crops = [(one, crop) for one in slides for crop in one.crops]
    rows = [(crop.crop, one.slide, one.slide, None, crop.area_mm2) for one, crop in crops]
    table = pd.DataFrame(rows, columns=UNIT_COLUMNS["crop"])

    def answers(logits: list[Floats]) -> Predictions:
        raw = np.array(logits, np.float64).reshape(len(logits), len(classes))
        found = probabilities(raw, temperature)
        return Predictions("crop", tuple(classes), table, found, raw.argmax(1).astype(np.intp))

    seen = answers([crop.logits for _, crop in crops])
    exact = [crop.base for _, crop in crops if crop.base is not None]
    base = answers(exact) if crops and len(exact) == len(crops) else None
    return SlidePredictions(
        tuple(slides),
        tuple(classes),
        seen,
        seen.by("slide", aggregate),
        base,
        base.by("slide", aggregate) if base else None,
    )


def effect(found: SlidePredictions) -> dict[str, Any] | None:
    """Return how far answers from vendor levels are from those from the base; None if not known."""
    if found.base is None or found.base_by_slide is None:
        return None
    return {
        "crops": _difference(found.crops, found.base),
        "slides": _difference(found.by_slide, found.base_by_slide),
    }


def _difference(seen: Predictions, base: Predictions) -> dict[str, Any]:
    off = np.abs(seen.probabilities - base.probabilities).max(1)
    return {
        "number": len(off),
        "largest_difference": float(off.max()),
        "mean_of_largest": float(off.mean()),
        "other_class": int((seen.predicted != base.predicted).sum()),
    }
