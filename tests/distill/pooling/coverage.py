"""How often a 95 % interval of a pooled score holds the true one: made-up cohorts, many times.

    python -m tests.distill.pooling.coverage 1000

prints the figures of docs/reference/evaluation.md.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

import numpy as np
import pandas as pd

from distill.evaluation.predictions import Predictions
from distill.evaluation.scoring import BootstrapSettings, mean_score

CLASSES = ("a", "b")


@dataclass(frozen=True)
class Design:
    """A cohort and its cross-validation; half of the patients are of each class.

    Attributes:
        patients: in all, a multiple of twice the folds.
        crops: of each patient.
        folds: each with a network of its own for each seed.
        seeds: how many.
        patient_deviation: of a patient's ease, in logits: how much crops of one are alike.
        fold_deviation: of a network's skill, in logits.
    """

    patients: int = 60
    crops: int = 6
    folds: int = 5
    seeds: int = 2
    patient_deviation: float = 1.5
    fold_deviation: float = 0.5


def accuracy(skill: float, deviation: float) -> float:
    """Chance that a new patient's crop is right: mean of sigmoid(skill + deviation · N(0, 1))."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    return float((weights / (1 + np.exp(-skill - deviation * nodes))).sum() / weights.sum())


def passes(design: Design, rng: np.random.Generator) -> tuple[list[Predictions], float]:
    """Return each seed's answers for all crops, and the accuracy of these networks on new patients.

    Networks are equally good at both classes, so accuracy and mean recall have the same truth.
    """
    patient = np.repeat(np.arange(design.patients), design.crops)
    fold = (np.arange(design.patients) // 2 % design.folds)[patient]
    truth = patient % 2
    ease = rng.normal(0, design.patient_deviation, design.patients)[patient]
    skill = 1 + rng.normal(0, design.fold_deviation, (design.seeds, design.folds))
    table = pd.DataFrame(
        {
            "crop": [f"s{p}/{n}" for n, p in enumerate(patient)],
            "slide": [f"s{p}" for p in patient],
            "patient": [f"p{p}" for p in patient],
            "label": np.array(CLASSES, dtype=object)[truth],
            "area_mm2": 1.0,
        }
    )
    found = []
    for own in skill:
        right = rng.random(len(patient)) < 1 / (1 + np.exp(-own[fold] - ease))
        predicted = np.where(right, truth, 1 - truth).astype(np.intp)
        chances = np.where(np.arange(2) == predicted[:, None], 0.8, 0.2)
        found.append(Predictions("crop", CLASSES, table, chances, predicted))
    each = [accuracy(float(one), design.patient_deviation) for one in skill.reshape(-1)]
    return found, float(np.mean(each))


def coverage(design: Design, unit: str, repetitions: int, draws: int = 300) -> dict[str, float]:
    """Return how often the intervals of accuracy and of mean recall hold the true value.

    Args:
        design: the cohort.
        unit: what is drawn, "patient" or "crop".
        repetitions: number of cohorts.
        draws: of each bootstrap.
    """
    held = {"accuracy": 0, "balanced_accuracy": 0}
    for number in range(repetitions):
        given, true = passes(design, np.random.default_rng([number, design.folds]))
        block = mean_score(given, BootstrapSettings(unit, draws, number))
        assert block is not None
        for name in held:
            low, high = block["overall"][name]["interval"]
            held[name] += low <= true <= high
    return {name: count / repetitions for name, count in held.items()}


def main(repetitions: int) -> None:
    """Print a row for each design."""
    for design in (Design(), Design(fold_deviation=0), Design(patients=30, folds=3)):
        for unit in ("patient", "crop"):
            print(design, unit, coverage(design, unit, repetitions, 1000))


if __name__ == "__main__":
    main(int(sys.argv[1]))
