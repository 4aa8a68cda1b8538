"""How far a cohort lies from what a run was trained on: µm per pixel, and colours of slides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

import wsistore
from distill.data import rows_at, slide_colors
from distill.errors import SubsetError, UsageError
from distill.predict import TrainingDomain, domain_of
from distill.runs import Run


@dataclass(frozen=True)
class ColorDistances:
    """Distances of slides' colours from those of a run's training slides.

    Attributes:
        slides: columns slide, distance (in standard deviations; see
            `distill.data.color_statistics`), and beyond: whether that is above the threshold.
        threshold: distance above which a slide is out of the ordinary; None if not known.
        training_slides: how many there were; None if not known.
        unknown: why nothing can be said; "" where something can.
    """

    slides: pd.DataFrame
    threshold: float | None = None
    training_slides: int | None = None
    unknown: str = ""

    @property
    def median(self) -> float | None:
        """Of the distances; None where there are none."""
        return float(self.slides["distance"].median()) if len(self.slides) else None

    @property
    def beyond(self) -> float | None:
        """Share of the slides beyond the threshold; None where there are none."""
        return float(self.slides["beyond"].mean()) if len(self.slides) else None

    def record(self) -> dict[str, Any]:
        """Return what metrics.json holds."""
        if self.unknown:
            return {"unknown": self.unknown}
        return {
            "slides": len(self.slides),
            "median": self.median,
            "beyond": self.beyond,
            "threshold": self.threshold,
            "training_slides": self.training_slides,
        }


def color_distances(
    run: Run, home: wsistore.Store, store: wsistore.Store, crops: Sequence[str]
) -> ColorDistances:
    """Return how far the slides of some crops lie from the run's training slides in colour.

    Of an ensemble that member counts to whose training slides they are the most unlike.

    Args:
        run: the run; says what colours its training slides had, or its home does.
        home: the store that it is at home in.
        store: of the crops.
        crops: ids.

    Raises:
        RunError: the run's record is damaged.
    """
    none = pd.DataFrame({"slide": [], "distance": [], "beyond": []})
    try:
        domain = _domain(run, home)
    except (UsageError, wsistore.StoreError):  # what a run of an earlier version does not record
        unknown = "the run does not record its training slides' colours, nor does its home store"
        return ColorDistances(none, unknown=unknown)
    if not domain.all_colors:
        return ColorDistances(none, unknown=domain.unknown)
    colors = slide_colors(store.levels, crops, run.weights.level)
    every = [
        (known, np.array([known.distance(color) for color in colors.to_numpy()]))
        for known in domain.all_colors
    ]
    known, distances = max(every, key=lambda one: np.median(one[1]) / one[0].threshold)
    slides = pd.DataFrame({"slide": colors.index.to_numpy(), "distance": distances})
    slides["beyond"] = slides["distance"] > known.threshold
    return ColorDistances(slides, known.threshold, known.slides)


def _domain(run: Run, home: wsistore.Store) -> TrainingDomain:
    """Return what the run records; of an older run, what its home says.

    Raises:
        UsageError: home was built with other settings than the store of the training.
        wsistore.StoreError: home was built by another version.
    """
    recorded = all("store_settings" in one.config.get("data", {}) for one in run.members)
    return domain_of(run, None if recorded else home.url)


def scales(run: Run, store: wsistore.Store, crops: Sequence[str]) -> dict[str, float]:
    """Return µm per pixel at the run's level: of the run, and median, least and most of crops."""
    mpp = rows_at(store.levels, crops, run.weights.level)["mpp"]
    return {
        "run": run.weights.mpp,
        "median": float(mpp.median()),
        "least": float(mpp.min()),
        "most": float(mpp.max()),
    }


def require_scale(
    run: Run, store: wsistore.Store, crops: Sequence[str], tolerance: float, cohort: str
) -> None:
    """Refuse crops whose µm per pixel differ from the run's by more than a share.

    Raises:
        SubsetError: one does.
    """
    rows = rows_at(store.levels, crops, run.weights.level)
    mpp = rows["mpp"].to_numpy(np.float64)
    off = mpp / run.weights.mpp - 1
    far = np.abs(off) > tolerance
    if far.any():
        worst = int(np.abs(off).argmax())
        raise SubsetError(
            f"cohort {cohort}: crop {rows['crop'].iloc[worst]} has {mpp[worst]:.4g} µm per pixel "
            f"at {run.weights.level}, {off[worst]:+.1%} from the {run.weights.mpp:.4g} that "
            f"{run.path} was trained at ({int(far.sum())} of {len(rows)} crops are too far off); "
            "correct the store's mpp, build it with wsistore build --exact-mpp, or go on with "
            f"--mpp-tolerance {abs(off[worst]) + 0.01:.2f}"
        )
