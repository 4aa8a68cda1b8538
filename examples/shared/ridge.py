"""What colour alone tells: ridge regression on the mean and deviation of each channel of a crop.

Onto one-hot classes Y, with features X standardised on the crops that it is fitted on,

    W = (XᵀX + λ I)⁻¹ Xᵀ (Y − Ȳ)        scores of a crop: x W + Ȳ

The intercept Ȳ is not penalised. The class predicted is that of the largest score.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

import wsistore
from distill.data.subsets import select
from distill.evaluation.predictions import Predictions
from distill.types import Floats, Indices
from examples.shared.methods import REFERENCE, Method

PENALTIES = tuple(float(10.0**power) for power in range(-3, 5))
"""λ is chosen among these, by the accuracy on val; of equals the largest."""


@dataclass(frozen=True)
class Ridge:
    """A fitted ridge regression of F features onto K classes.

    Attributes:
        mean, deviation: (F,), of the features.
        weights: (F, K).
        intercept: (K,).
    """

    mean: Floats
    deviation: Floats
    weights: Floats
    intercept: Floats

    def __call__(self, features: Floats) -> Floats:
        """Features (N, F) → scores (N, K)."""
        return (features - self.mean) / self.deviation @ self.weights + self.intercept

    @property
    def parameters(self) -> int:
        """Weights and intercepts."""
        return self.weights.size + self.intercept.size


def fit(features: Floats, truth: Indices, classes: int, penalty: float) -> Ridge:
    """Fit in closed form.

    Args:
        features: (N, F) float64.
        truth: (N,) class indices.
        classes: K.
        penalty: λ > 0, of the sum of squares over cases.
    """
    mean, deviation = features.mean(0), features.std(0)
    deviation = np.where(deviation == 0, 1.0, deviation)
    x = (features - mean) / deviation
    y = np.eye(classes)[truth]
    gram = x.T @ x + penalty * np.eye(x.shape[1])
    return Ridge(mean, deviation, np.linalg.solve(gram, x.T @ (y - y.mean(0))), y.mean(0))


def choose(
    features: Floats, truth: Indices, val: Floats, val_truth: Indices, classes: int
) -> float:
    """Return the penalty of `PENALTIES` that is most often right on the validation cases."""

    def right(penalty: float) -> float:
        found = fit(features, truth, classes, penalty)(val).argmax(1)
        return float((found == val_truth).mean())

    return max(reversed(PENALTIES), key=right)


def colors(store: wsistore.Store, crops: Sequence[str], level: str) -> Floats:
    """Mean and standard deviation of R, G and B of each crop at a level: (N, 6), grey levels.

    They come from the exact sums that the store holds of each crop's pixels.
    """
    each = (store.statistics(level, [crop]) for crop in crops)
    return np.array([[*one.mean, *one.std] for one in each])


def references(
    store: wsistore.Store, split: str, scored: Predictions, level: str
) -> tuple[Method, Method]:
    """Return the ridge fitted on train, and the one fitted on every labelled crop not scored.

    Both have the penalty that is chosen on val for the first.

    Args:
        store: the store; its crops' labels are read, those of auxiliary crops too.
        split: its split.
        scored: answers for the crops to be scored, whose probabilities are not read.
        level: where the colours are taken.

    Raises:
        DistillError: the split lacks train or val.
    """
    classes, table = scored.classes, scored.table
    place = {name: k for k, name in enumerate(classes)}

    def indices(labels: Sequence[object]) -> Indices:
        return np.array([place[str(label)] for label in labels], dtype=np.intp)

    subsets = [select(store, split, name, [level], 1, labeled=True) for name in ("train", "val")]
    (x, truth), (val, val_truth) = (
        (colors(store, one.crops, level), indices(one.labels)) for one in subsets
    )
    penalty = choose(x, truth, val, val_truth, len(classes))
    rest = store.crops[store.crops["label"].notna()]
    rest = rest[~rest["patient"].isin(set(table["patient"]))]
    more = colors(store, rest["crop"].tolist(), level)
    crops = colors(store, table["crop"].tolist(), level)
    return (
        _method(fit(x, truth, len(classes), penalty), crops, scored, level, "train", len(x)),
        _method(
            fit(more, indices(rest["label"].tolist()), len(classes), penalty),
            crops, scored, level, "all but test", len(more),
        ),
    )  # fmt: skip


def _method(
    ridge: Ridge, crops: Floats, scored: Predictions, level: str, fitted: str, number: int
) -> Method:
    scores = ridge(crops)
    # scores are no probabilities: ranks and the largest of them count, and no calibration
    predicted = scores.argmax(1).astype(np.intp)
    answers = Predictions("crop", scored.classes, scored.table, scores, predicted)
    name = f"Colour ridge ({fitted}, {number} crops)"
    return Method(name, REFERENCE, fitted, "", level, (answers,), (0,), None, ridge.parameters)
