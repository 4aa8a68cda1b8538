"""The logistic head: not trained in steps but solved, for several strengths of its penalty."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from distill.data import SampleLoader
from distill.embeddings import Head
from distill.engine import (
    Callback,
    ComputeSettings,
    SupervisedTask,
    TrainingSettings,
    run_epochs,
    validate,
)
from distill.errors import TrainingError, UsageError
from distill.runs import TrainingState, Writer, modules
from distill.training.fit_run import Fitting
from distill.types import Floats

STRENGTHS = tuple(float(f"{10 ** (half / 2):.3g}") for half in range(-8, 9))
"""C, from strong to weak, among which validation chooses."""
PLAIN = 1.0
"""C where nothing validates: scikit-learn's own."""
TOLERANCE, ITERATIONS = 1e-6, 10_000
"""Of the largest entry of the gradient, and of the steps until it is reached."""


def strengths_of(asked: float | None, *, validated: bool) -> tuple[float, ...]:
    """Return the values of C to try, each of which is an epoch of the run.

    Args:
        asked: the value of --logistic-c.
        validated: whether there are crops to choose by.
    """
    if asked is not None:
        return (asked,)
    return STRENGTHS if validated else (PLAIN,)


@dataclass(frozen=True)
class Lessons:
    """What a logistic head learns from.

    Attributes:
        vectors: (n, D) float64, standardised: the mean over the tiles of a crop in a view.
        labels: (n,) the class number of each.
        counts: (n,) what each counts in the loss: a crop's views 1 together, times the weight of
            its class.
        classes: names, in the order of the logits.
    """

    vectors: Floats
    labels: Sequence[int]
    counts: Floats
    classes: Sequence[str]

    def __post_init__(self) -> None:
        """Refuse classes that nothing is known of."""
        there = set(self.labels)
        if lacking := [name for n, name in enumerate(self.classes) if n not in there]:
            raise UsageError(
                f"--head logistic: no training crop is of class {', '.join(lacking)}; leave the "
                "class out with --exclude-class"
            )
        if len(self.classes) < 2:
            raise UsageError(f"--head logistic: all crops are of class {self.classes[0]}")


def solve(lessons: Lessons, c: float) -> tuple[Floats, Floats]:
    """Return weight (K, D) and bias (K,) of multinomial logistic regression.

    They minimise c · Σ_i counts_i · cross-entropy_i + ½ ‖weight‖², without penalty on the bias;
    of two classes the first has logit 0, as scikit-learn, which does it by L-BFGS, has it.

    Raises:
        TrainingError: if it does not converge.
    """
    from sklearn.exceptions import ConvergenceWarning  # here, for it takes a second
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=c, solver="lbfgs", tol=TOLERANCE, max_iter=ITERATIONS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # said below, as what it is: an error
        model.fit(lessons.vectors, lessons.labels, sample_weight=lessons.counts)
    if model.n_iter_[0] >= ITERATIONS:
        raise TrainingError(
            f"--head logistic with C = {c:g} has not converged after {ITERATIONS} steps; give a "
            "smaller --logistic-c"
        )
    weight, bias = np.asarray(model.coef_), np.asarray(model.intercept_)
    if len(weight) == 1:
        weight = np.concatenate([np.zeros_like(weight), weight])
        bias = np.concatenate([np.zeros_like(bias), bias])
    return weight, bias


def logistic(head: Head, lessons: Lessons, strengths: Sequence[float]) -> Fitting:
    """Return what fits a logistic head: an epoch solves it for one C, and validates it.

    Args:
        head: whose classifier is set.
        lessons: what it learns from.
        strengths: C of each epoch; the schedule has as many.
    """

    def fit(
        task: SupervisedTask,
        train: SampleLoader[Any],
        val: SampleLoader[Any] | None,
        schedule: TrainingSettings,
        writer: Writer,
        observer: Callback,
        setting: ComputeSettings,
        *,
        trained: bool,
    ) -> TrainingState:
        # a checkpoint names an optimiser; this one never moves anything
        unused = torch.optim.SGD(head.parameters(), lr=1.0)
        parts = modules(task)

        def learn(epoch: int) -> dict[str, Any]:
            c = strengths[epoch - 1]
            weight, bias = solve(lessons, c)
            head.classifier.load_state_dict(
                {"weight": torch.from_numpy(weight), "bias": torch.from_numpy(bias)}
            )
            record: dict[str, Any] = {"logistic_c": c}
            record["train"] = validate(task, train, epoch, observer, setting, subset="train")
            if val is not None:
                record["val"] = validate(task, val, epoch, observer, setting)
            return record

        progress = writer.restore(parts, unused)
        return run_epochs(learn, progress, schedule, writer, observer, parts, unused)

    return fit
