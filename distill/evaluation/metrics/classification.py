"""Scores from confusion counts, for one matrix or for ten thousand at once.

Every function takes counts of shape (…, K, K), integer or float: rows are the truth, columns the
prediction, K the classes given. Leading axes (draws of a bootstrap, say) are kept. One class
against the rest, with C the counts and N their sum:

    TP_k = C_kk    FP_k = Σ_i C_ik − C_kk    FN_k = Σ_j C_kj − C_kk    TN_k = N − TP_k − FP_k − FN_k

A ratio whose denominator is 0 counts as 0, as in scikit-learn with `zero_division=0`: a class that
is never predicted has precision 0. A class without a case (no truth) has no score at all: its entry
is NaN and the means leave it out, as in scikit-learn with `labels=` the classes of the truth. So
the macro recall is the balanced accuracy, here and in every draw of a bootstrap.
"""

from collections.abc import Callable

import numpy as np

from distill.types import Counts, Floats, Indices, Scores


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


PER_CLASS: dict[str, Callable[[Counts], Floats]] = {}
OVERALL: dict[str, Callable[[Counts], Floats]] = {}
"""Scores by the name that metrics.json has for them, in its order: that of their definitions."""


def _of_class(score: Callable[[Counts], Floats]) -> Callable[[Counts], Floats]:
    """Add a score of each class, (…, K), whose mean over classes is the macro score."""
    PER_CLASS[score.__name__] = score
    return score


def _of_all(score: Callable[[Counts], Floats]) -> Callable[[Counts], Floats]:
    """Add a score of all classes together, (…)."""
    OVERALL[score.__name__] = score
    return score


@_of_class
def one_vs_rest_accuracy(counts: Counts) -> Floats:
    """(TP + TN) / N per class, shape (…, K): scikit-learn's `accuracy_score(y == k, p == k)`."""
    total = counts.sum((-2, -1))[..., None]
    return _of_cases(counts, total - _misses(counts), total)


@_of_class
def f1(counts: Counts) -> Floats:
    """2 TP / (2 TP + FP + FN) per class, shape (…, K); the macro F1 is the mean of these."""
    return _of_cases(counts, 2 * _hits(counts), counts.sum(-1) + counts.sum(-2))


@_of_class
def precision(counts: Counts) -> Floats:
    """TP / (TP + FP) per class, shape (…, K)."""
    return _of_cases(counts, _hits(counts), counts.sum(-2))


@_of_class
def recall(counts: Counts) -> Floats:
    """TP / (TP + FN) per class, shape (…, K)."""
    return _of_cases(counts, _hits(counts), counts.sum(-1))


@_of_class
def specificity(counts: Counts) -> Floats:
    """TN / (TN + FP) per class, shape (…, K): the recall of all that is not of the class.

    A class that every case is of has none: NaN.
    """
    total, of_class = counts.sum((-2, -1))[..., None], counts.sum(-1)
    others = total - of_class
    right = others - (counts.sum(-2) - _hits(counts))
    return np.where(others == 0, np.nan, _of_cases(counts, right, others))


def paper_accuracy(counts: Counts) -> Floats:
    """N / (N + FP + FN) per class, shape (…, K): what the paper prints as accuracy.

    It takes TN = N − TP, thereby counts FP and FN twice in the denominator, and is never below the
    true `one_vs_rest_accuracy`: 1 / (1 + e) ≥ 1 − e. Only for comparison with the paper's tables.
    """
    total = counts.sum((-2, -1))[..., None]
    return _of_cases(counts, total, total + _misses(counts))


@_of_all
def accuracy(counts: Counts) -> Floats:
    """Share of cases predicted right, Σ_k C_kk / N, shape (…)."""
    total = counts.sum((-2, -1))
    return np.where(total == 0, np.nan, _ratio(_hits(counts).sum(-1), total))


@_of_all
def balanced_accuracy(counts: Counts) -> Floats:
    """Mean recall over the classes that have a case, shape (…)."""
    return mean(recall(counts))


@_of_all
def cohen_kappa(counts: Counts) -> Floats:
    """Cohen's kappa of truth and prediction, shape (…): agreement beyond chance.

    κ = 1 − Σ w_ij C_ij / Σ w_ij E_ij with w_ij = [i ≠ j] and E_ij = (Σ_j C_ij)(Σ_i C_ij) / N (Cohen
    1960). NaN where chance alone agrees in every case: one class is all truth and all prediction.
    """
    return _kappa(counts, 1.0 - np.eye(counts.shape[-1]))


@_of_all
def quadratic_kappa(counts: Counts) -> Floats:
    """Cohen's kappa with w_ij = (i − j)², shape (…), for classes whose order is that of grades."""
    place = np.arange(counts.shape[-1], dtype=np.float64)
    return _kappa(counts, (place[:, None] - place) ** 2)


def per_class(counts: Counts, *, paper: bool = False) -> Scores:
    """Each score of `PER_CLASS`, and `paper_accuracy` where wanted: name → (…, K)."""
    named = PER_CLASS | ({"paper_accuracy": paper_accuracy} if paper else {})
    return {name: score(counts) for name, score in named.items()}


def overall(counts: Counts) -> Scores:
    """Each score of `OVERALL`: name → (…)."""
    return {name: score(counts) for name, score in OVERALL.items()}


def mean(values: Floats) -> Floats:
    """Plain mean over the classes that have a score: (…, K) → (…), NaN where none has."""
    defined = ~np.isnan(values)
    count = defined.sum(-1)
    total = np.where(defined, values, 0.0).sum(-1)
    return np.where(count == 0, np.nan, _ratio(total, count))


def macro(scores: Scores) -> Scores:
    """`mean` of each score of `per_class`: name → (…)."""
    return {name: mean(values) for name, values in scores.items()}


def _hits(counts: Counts) -> Floats:
    return np.diagonal(counts, axis1=-2, axis2=-1).astype(np.float64)


def _misses(counts: Counts) -> Floats:
    """FP + FN per class."""
    misses: Floats = counts.sum(-1) + counts.sum(-2) - 2 * _hits(counts)
    return misses


def _kappa(counts: Counts, weight: Floats) -> Floats:
    total = counts.sum((-2, -1)).astype(np.float64)
    observed = (counts * weight).sum((-2, -1)) * total
    expected = np.einsum("...i,...j,ij->...", counts.sum(-1), counts.sum(-2), weight)
    chance = expected == 0
    return np.where(chance, np.nan, 1 - observed / np.where(chance, 1, expected))


def _of_cases(counts: Counts, part: Floats, whole: Counts) -> Floats:
    """`part / whole` per class, and NaN for a class without a case."""
    return np.where(counts.sum(-1) == 0, np.nan, _ratio(part, whole))


def _ratio(part: Floats, whole: Counts) -> Floats:
    """`part / whole`, and 0 where `whole` is 0."""
    safe = np.where(whole == 0, 1, whole)
    return np.asarray(np.where(whole == 0, 0.0, part / safe), dtype=np.float64)
