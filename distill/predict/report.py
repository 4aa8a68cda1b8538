"""What the logits of slides say: probabilities of crops and slides, as tables and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from distill.evaluation import UNIT_COLUMNS, Predictions, guarded_csv, probabilities
from distill.predict.calibration import Calibration
from distill.predict.slide import CropLogits, SlideLogits
from distill.types import Floats

FORMAT = "distill-prediction/1"
UNITS = {
    "probabilities": "fraction of 1",
    "x, y, width, height": "level-0 pixels of the slide",
    "level_size": "height and width in pixels of the level",
    "mpp": "µm per level-0 pixel; of a level, µm per pixel of it",
    "area_mm2, tissue_mm2": "mm²",
    "colour_distance": "standard deviations of the training slides",
    "bytes": "bytes",
}
BOX = ("x", "y", "width", "height")


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
    """

    slides: tuple[SlideLogits, ...]
    classes: tuple[str, ...]
    crops: Predictions
    by_slide: Predictions
    base: Predictions | None = None
    base_by_slide: Predictions | None = None

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


def crops_csv(found: SlidePredictions) -> bytes:
    """Return predictions.csv: evaluate's columns that apply, and the box."""
    each = [crop for one in found.slides for crop in one.crops]
    scale = [one.facts["mpp"] for one in found.slides for _ in one.crops]
    table = found.crops.table[["crop", "slide", "area_mm2"]].copy()
    for number, name in enumerate(BOX):
        table[name] = np.array([crop.box[number] for crop in each], np.int64)
    table["mpp"] = np.array(scale, np.float64)
    return _csv(table, found.crops)


def slides_csv(found: SlidePredictions) -> bytes:
    """Return slides.csv: a row for every slide tried; no class where it has no crop."""
    rows = []
    for one in found.slides:
        answers = found.of(one.slide)
        row: dict[str, Any] = {
            "slide": one.slide,
            "file": one.file,
            "outcome": one.outcome,
            "reason": one.reason,
            "crops": len(one.crops),
            "area_mm2": answers[1].table["area_mm2"].iloc[0] if answers else None,
            "mpp": one.facts.get("mpp"),
            "colour_distance": one.distance,
            "warnings": "; ".join(one.warnings),
            "predicted": found.classes[answers[1].predicted[0]] if answers else None,
        }
        row |= {
            f"p_{name}": answers[1].probabilities[0, k] if answers else None
            for k, name in enumerate(found.classes)
        }
        rows.append(row)
    return guarded_csv(pd.DataFrame(rows))


def _csv(table: pd.DataFrame, answers: Predictions) -> bytes:
    names = np.array(answers.classes, dtype=object)
    table["predicted"] = names[answers.predicted]
    for k, name in enumerate(names):
        table[f"p_{name}"] = answers.probabilities[:, k]
    return guarded_csv(table)


def _place(file: Path) -> str:
    """Return a run's evaluation by the name of its folder and file, without where the run lies."""
    return f"{file.parent.name}/{file.name}"


def as_report(
    found: SlidePredictions, about: Mapping[str, Any], calibrated: Calibration
) -> dict[str, Any]:
    """Return what predictions.json holds.

    Args:
        found: the answers.
        about: the run, and what was asked for.
        calibrated: the temperature.
    """
    return {
        "format": FORMAT,
        **about,
        "calibration": {
            "calibrated": calibrated.calibrated,
            "temperature": calibrated.temperature,
            "said": calibrated.said,
            "file": _place(calibrated.file) if calibrated.file else None,
        },
        "classes": list(found.classes),
        "units": UNITS,
        "outcomes": {
            name: sum(one.outcome == name for one in found.slides)
            for name in ("ok", "empty", "failed")
        },
        "effect_of_vendor_levels": effect(found),
        "slides": [_slide(found, one) for one in found.slides],
    }


def _slide(found: SlidePredictions, one: SlideLogits) -> dict[str, Any]:
    answers = found.of(one.slide)
    base = _base(found, one.slide)
    return {
        "slide": one.slide,
        "file": one.file,
        "outcome": one.outcome,
        "reason": one.reason,
        "warnings": list(one.warnings),
        **one.facts,
        "colour_distance": one.distance,
        **(_answer(answers[1], 0, base[1] if base else None) if answers else {}),
        "crops": [
            {**_crop(crop), **_answer(answers[0], row, base[0] if base else None)}
            for row, crop in enumerate(one.crops)
            if answers
        ],
        "left_out": dict(one.left_out),
    }


def _base(found: SlidePredictions, slide: str) -> tuple[Predictions, Predictions] | None:
    if found.base is None or found.base_by_slide is None:
        return None
    exact = SlidePredictions(found.slides, found.classes, found.base, found.base_by_slide)
    return exact.of(slide)


def _crop(crop: CropLogits) -> dict[str, Any]:
    return {
        "crop": crop.crop,
        **dict(zip(BOX, crop.box, strict=True)),
        "area_mm2": crop.area_mm2,
        "tissue_mm2": crop.tissue_mm2,
        "level_size": list(crop.size),
        "logits": crop.logits.tolist(),
    }


def _answer(answers: Predictions, row: int, base: Predictions | None) -> dict[str, Any]:
    def chances(of: Predictions) -> dict[str, float]:
        return dict(zip(of.classes, of.probabilities[row].tolist(), strict=True))

    said: dict[str, Any] = {
        "predicted": answers.classes[answers.predicted[row]],
        "probabilities": chances(answers),
    }
    return said | ({} if base is None else {"probabilities_from_base": chances(base)})
