"""Predictions as CSV tables and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from distill.data import ColorStatistics
from distill.evaluation import Predictions, guarded_csv
from distill.predict.answers import SlidePredictions, effect
from distill.predict.calibration import Calibration
from distill.predict.slide_logits import CropLogits, SlideLogits

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
DEFERRAL_UNITS = {"gmac": "10⁹ multiply-adds of the slide's crops"}
BOX = ("x", "y", "width", "height")


def crops_csv(found: SlidePredictions) -> bytes:
    """Return predictions.csv: evaluate's columns that apply, and the box."""
    each = [crop for one in found.slides for crop in one.crops]
    scale = [one.facts["mpp"] for one in found.slides for _ in one.crops]
    table = found.crops.table[["crop", "slide", "area_mm2"]].copy()
    for number, name in enumerate(BOX):
        table[name] = np.array([crop.box[number] for crop in each], np.int64)
    table["mpp"] = np.array(scale, np.float64)
    if found.readers is not None:
        table["answered_by"] = np.array(found.answered_by(), dtype=object)
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
            **_deferred(found, one),
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


def _deferred(found: SlidePredictions, one: SlideLogits) -> dict[str, Any]:
    """Return what slides.csv says of two runs; nothing where only one reads."""
    if found.readers is None:
        return {}
    gmac = one.second.gmac if one.second else (None, None)
    return {
        "crops_deferred": found.deferred_of(one.slide),
        "gmac_student": gmac[0],
        "gmac_teacher": gmac[1],
    }


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
        "calibration": calibration_json(calibrated),
        "classes": list(found.classes),
        "units": UNITS if found.readers is None else UNITS | DEFERRAL_UNITS,
        "outcomes": {
            name: sum(one.outcome == name for one in found.slides)
            for name in ("ok", "empty", "failed")
        },
        "effect_of_vendor_levels": effect(found),
        "slides": [_slide(found, one) for one in found.slides],
    }


def calibration_json(calibrated: Calibration) -> dict[str, Any]:
    """Return what predictions.json says of a temperature."""
    return {
        "calibrated": calibrated.calibrated,
        "temperature": calibrated.temperature,
        "said": calibrated.said,
        "file": _place(calibrated.file) if calibrated.file else None,
    }


def colors_json(colors: Sequence[ColorStatistics]) -> dict[str, Any]:
    """Return what predictions.json says of a run's training slides; a list of several members'."""
    slides, thresholds = [one.slides for one in colors], [one.threshold for one in colors]
    if len(colors) > 1:
        return {"slides": slides, "threshold": thresholds}
    return {
        "slides": slides[0] if slides else None,
        "threshold": thresholds[0] if thresholds else None,
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
        **_second(found, one),
        **(_answer(answers[1], 0, base[1] if base else None) if answers else {}),
        "crops": [
            {
                **_crop(crop),
                **_second_crop(found, crop),
                **_answer(answers[0], row, base[0] if base else None),
            }
            for row, crop in enumerate(one.crops)
            if answers
        ],
        "left_out": dict(one.left_out),
    }


def _second(found: SlidePredictions, one: SlideLogits) -> dict[str, Any]:
    """Return what predictions.json says of a slide that two runs read."""
    if found.readers is None or one.second is None:
        return {}
    second, deferred = one.second, found.deferred_of(one.slide)
    student, teacher = second.gmac
    return {
        "deferral": {
            "crops": len(one.crops),
            "deferred": deferred,
            "share": deferred / len(one.crops) if one.crops else None,
            "gmac": {"student": student, "teacher": teacher, "both": student + teacher},
            "level": dict(second.level),
            "vendor_factor": second.vendor_factor,
            "colour_distance": second.distance,
            "left_out": dict(second.left_out),
        }
    }


def _second_crop(found: SlidePredictions, crop: CropLogits) -> dict[str, Any]:
    if found.readers is None:
        return {}
    return {
        "answered_by": found.readers[crop.second is not None],
        "teacher_logits": None if crop.second is None else crop.second.tolist(),
        "teacher_level_size": None if crop.second_size is None else list(crop.second_size),
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
