"""Percentile bootstrap intervals of any score of a confusion matrix.

Two units can be drawn with replacement.

*Crops*: N crops out of N. A score only sees how many crops fall into each cell of the confusion
matrix, and those counts are multinomial(N, C / N): drawing them directly has exactly the
distribution of drawing crops, at a cost that does not depend on N.

*Patients*: P patients out of P, each with all of its crops. How often each is drawn is
multinomial(P, 1 / P); weights (draws, P) @ per-patient counts (P, K²) gives the matrices. Crops of
one patient resemble each other, so an interval over crops is too narrow if patients have several.

Draws come in blocks, so that memory stays near `BLOCK_BYTES` for any number of draws and patients.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distill import metrics
from distill.metrics import Counts, Floats

Blocks = Iterator[NDArray[np.int64]] | Iterator[Floats]

UNITS = ("patient", "crop")
DRAWS = 10_000
CONFIDENCE = 0.95
BLOCK_BYTES = 64 * 2**20


def over(unit: str, per_patient: Counts, rng: np.random.Generator, draws: int = DRAWS) -> Blocks:
    """Matrices of resampled patients or crops: `over_patients`, or `over_crops` of their sum."""
    if unit not in UNITS:
        raise ValueError(f"unit {unit!r} is none of {UNITS}")
    if unit == "patient":
        return over_patients(per_patient, rng, draws)
    return over_crops(per_patient.sum(0), rng, draws)


def over_crops(
    counts: Counts, rng: np.random.Generator, draws: int = DRAWS
) -> Iterator[NDArray[np.int64]]:
    """Matrices of resampled crops, in blocks (B, K, K) int64 whose B sum to `draws`.

    `counts`: the confusion matrix, (K, K) of non-negative integers. ValueError: it holds no case.
    """
    flat = np.asarray(counts).reshape(-1)
    total = int(flat.sum())
    if total == 0:
        raise ValueError("a bootstrap needs at least one case")
    # An empty cell stays empty: numpy would give the last cell whatever rounding left over.
    cells = np.flatnonzero(flat)
    chances = flat[cells].astype(np.float64) / total
    for size in _blocks(draws, flat.size):
        block = np.zeros((size, flat.size), dtype=np.int64)
        block[:, cells] = rng.multinomial(total, chances, size=size)
        yield block.reshape(size, *np.shape(counts))


def over_patients(
    per_patient: Counts, rng: np.random.Generator, draws: int = DRAWS
) -> Iterator[Floats]:
    """Matrices of resampled patients, in blocks (B, K, K) float64 whose B sum to `draws`.

    `per_patient`: one confusion matrix for each patient, (P, K, K). The float64 counts are exact
    integers. ValueError: there is no patient, or a patient has no case (it would dilute the draws).
    """
    patients = len(per_patient)
    if patients == 0 or not np.asarray(per_patient).sum((1, 2)).all():
        raise ValueError("a bootstrap over patients needs patients with at least one case each")
    chances = np.full(patients, 1 / patients)
    for size in _blocks(draws, 2 * patients + per_patient[0].size):
        yield weighted(per_patient, rng.multinomial(patients, chances, size=size))


def weighted(per_patient: Counts, weights: NDArray[np.integer[Any]]) -> Floats:
    """Sum of the patients' matrices (P, K, K), each `weights` (B, P) times: (B, K, K) float64."""
    patients, *shape = per_patient.shape
    table = per_patient.reshape(patients, -1).astype(np.float64)
    return (weights.astype(np.float64) @ table).reshape(-1, *shape)


def intervals(
    blocks: Blocks,
    scores: Callable[[Counts], Mapping[str, Floats]],
    confidence: float = CONFIDENCE,
) -> dict[str, Floats]:
    """Percentile interval of each score: name → (2, …), the low and the high end.

    `scores` maps matrices (B, K, K) to name → (B, …). The ends are the (1 − confidence) / 2 and
    (1 + confidence) / 2 quantiles of the draws, interpolated linearly.
    """
    drawn = [scores(block) for block in blocks]
    tails = [(1 - confidence) / 2, (1 + confidence) / 2]
    return {
        name: np.quantile(np.concatenate([part[name] for part in drawn]), tails, axis=0)
        for name in drawn[0]
    }


def estimates(counts: Counts, blocks: Blocks, classes: Sequence[str]) -> dict[str, Any]:
    """Give every score of `distill.metrics`, each as {"value": …, "interval": [low, high]}.

    Args:
        counts: the confusion matrix, (K, K), rows truth, columns prediction.
        blocks: its resamples, from `over_crops` or `over_patients`.
        classes: K names.

    Returns:
        {"overall": {score: …}, "macro": {score: …}, "per_class": {class: {score: …}}}, fractions
        of 1 as Python floats.
    """
    values, ends = metrics.every(counts), intervals(blocks, metrics.every)

    def entry(score: str, *k: int) -> dict[str, Any]:
        low, high = (float(end[k]) for end in ends[score])
        return {"value": float(values[score][k]), "interval": [low, high]}

    return {
        "overall": {score: entry(f"overall {score}") for score in metrics.OVERALL},
        "macro": {score: entry(f"macro {score}") for score in metrics.PER_CLASS},
        "per_class": {
            name: {score: entry(score, k) for score in metrics.PER_CLASS}
            for k, name in enumerate(classes)
        },
    }


def _blocks(draws: int, row: int) -> Iterator[int]:
    """Split `draws` rows of `row` 8-byte numbers into blocks of at most `BLOCK_BYTES`."""
    if draws < 1:
        raise ValueError(f"draws must be at least 1, not {draws}")
    most = max(1, BLOCK_BYTES // (8 * row))
    for start in range(0, draws, most):
        yield min(most, draws - start)
