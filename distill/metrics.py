"""Scores from confusion counts, for one matrix or for ten thousand at once.

Every function takes counts of shape (…, K, K), integer or float: rows are the truth, columns the
prediction, K the classes given. Leading axes (draws of a bootstrap, say) are kept. One class
against the rest, with C the counts and N their sum:

    TP_k = C_kk    FP_k = Σ_i C_ik − C_kk    FN_k = Σ_j C_kj − C_kk    TN_k = N − TP_k − FP_k − FN_k

A ratio whose denominator is 0 counts as 0, as in scikit-learn with `zero_division=0`. So a class of
the list that is absent from both truth and prediction has precision, recall and F1 of 0 and takes
part in the macro mean, as in scikit-learn with `labels=` all K; only `balanced_accuracy` leaves out
classes without a case.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Counts = NDArray[np.integer[Any]] | Floats
Indices = NDArray[np.intp]
Scores = dict[str, Floats]


def confusion(truth: Indices, predicted: Indices, classes: int) -> Counts:
    """Count cases: (K, K) int64, rows truth, columns prediction.

    `truth` and `predicted` are class indices of shape (N,), each in [0, classes).
    ValueError: they differ in length, or an index lies outside.
    """
    if truth.shape != predicted.shape or truth.ndim != 1:
        raise ValueError(f"shapes {truth.shape} and {predicted.shape} are not one (N,)")
    both = np.concatenate([truth, predicted])
    if both.size and not 0 <= both.min() <= both.max() < classes:
        raise ValueError(f"class indices must lie in [0, {classes})")
    cells = np.bincount(truth * classes + predicted, minlength=classes**2)
    return cells.reshape(classes, classes).astype(np.int64)


def confusion_by_group(group: Indices, truth: Indices, predicted: Indices, classes: int) -> Counts:
    """Count the cases of each group: (P, K, K) int64, for groups 0 … P − 1 that all have a case.

    Arguments and errors are those of `confusion`; `group` is (N,) too.
    """
    groups = int(group.max()) + 1
    confusion(truth, predicted, classes)  # refuses what does not fit
    cell = (group * classes + truth) * classes + predicted
    cells = np.bincount(cell, minlength=groups * classes**2)
    return cells.reshape(groups, classes, classes).astype(np.int64)


def precision(counts: Counts) -> Floats:
    """TP / (TP + FP) per class, shape (…, K)."""
    return _ratio(_hits(counts), counts.sum(-2))


def recall(counts: Counts) -> Floats:
    """TP / (TP + FN) per class, shape (…, K)."""
    return _ratio(_hits(counts), counts.sum(-1))


def f1(counts: Counts) -> Floats:
    """2 TP / (2 TP + FP + FN) per class, shape (…, K); the macro F1 is the mean of these."""
    return _ratio(2 * _hits(counts), counts.sum(-1) + counts.sum(-2))


def one_vs_rest_accuracy(counts: Counts) -> Floats:
    """(TP + TN) / N per class, shape (…, K): scikit-learn's `accuracy_score(y == k, p == k)`."""
    total = counts.sum((-2, -1))[..., None]
    return _ratio(total - _misses(counts), total)


def paper_accuracy(counts: Counts) -> Floats:
    """N / (N + FP + FN) per class, shape (…, K): what the paper prints as accuracy.

    It takes TN = N − TP, thereby counts FP and FN twice in the denominator, and is never below the
    true `one_vs_rest_accuracy`: 1 / (1 + e) ≥ 1 − e. Only for comparison with the paper's tables.
    """
    total = counts.sum((-2, -1))[..., None]
    return _ratio(total + 0 * _hits(counts), total + _misses(counts))


def accuracy(counts: Counts) -> Floats:
    """Share of cases predicted right, Σ_k C_kk / N, shape (…)."""
    return _ratio(_hits(counts).sum(-1), counts.sum((-2, -1)))


def balanced_accuracy(counts: Counts) -> Floats:
    """Mean recall over the classes that have a case, shape (…)."""
    present = counts.sum(-1) > 0
    return _ratio(recall(counts).sum(-1), present.sum(-1))


PER_CLASS: dict[str, Callable[[Counts], Floats]] = {
    "one_vs_rest_accuracy": one_vs_rest_accuracy,
    "f1": f1,
    "precision": precision,
    "recall": recall,
    "paper_accuracy": paper_accuracy,
}
OVERALL: dict[str, Callable[[Counts], Floats]] = {
    "accuracy": accuracy,
    "balanced_accuracy": balanced_accuracy,
}


def per_class(counts: Counts) -> Scores:
    """Each score of `PER_CLASS` for each class: name → (…, K)."""
    return {name: score(counts) for name, score in PER_CLASS.items()}


def overall(counts: Counts) -> Scores:
    """Each score of `OVERALL`: name → (…)."""
    return {name: score(counts) for name, score in OVERALL.items()}


def every(counts: Counts) -> Scores:
    """All scores: "overall accuracy" and the like, "macro f1" and the like (…); "f1" (…, K)."""
    each = per_class(counts)
    mean = {f"macro {name}": values for name, values in macro(each).items()}
    return each | mean | {f"overall {name}": values for name, values in overall(counts).items()}


def macro(scores: Scores) -> Scores:
    """Plain mean over the K classes of each score of `per_class`: name → (…)."""
    return {name: values.mean(-1) for name, values in scores.items()}


def _hits(counts: Counts) -> Floats:
    return np.diagonal(counts, axis1=-2, axis2=-1).astype(np.float64)


def _misses(counts: Counts) -> Floats:
    """FP + FN per class."""
    misses: Floats = counts.sum(-1) + counts.sum(-2) - 2 * _hits(counts)
    return misses


def _ratio(part: Floats, whole: Counts) -> Floats:
    """`part / whole`, and 0 where `whole` is 0."""
    safe = np.where(whole == 0, 1, whole)
    return np.asarray(np.where(whole == 0, 0.0, part / safe), dtype=np.float64)
