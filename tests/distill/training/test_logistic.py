"""The logistic head is at the minimum that its docstring names."""

import numpy as np
import pytest
import torch

from distill.errors import TrainingError, UsageError
from distill.training import logistic
from distill.training.logistic import STRENGTHS, Lessons, solve, strengths_of

NAMES = ["a", "b", "c"]


def lessons(classes: int, seed: int = 0) -> Lessons:
    generator = np.random.default_rng(seed)
    labels = [n % classes for n in range(40)]
    centers = generator.normal(size=(classes, 7))
    vectors = np.stack([centers[label] + generator.normal(size=7) for label in labels])
    return Lessons(vectors, labels, generator.uniform(0.2, 2, size=40), NAMES[:classes])


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("c", [1e-4, 0.03, 1.0, 100.0])
def test_the_gradient_of_its_objective_is_zero(classes: int, c: float) -> None:
    given = lessons(classes)
    weight, bias = (torch.tensor(value, requires_grad=True) for value in solve(given, c))
    assert weight.shape == (classes, 7)
    logits = torch.from_numpy(given.vectors) @ weight.T + bias
    each = torch.nn.functional.cross_entropy(logits, torch.tensor(given.labels), reduction="none")
    loss = c * (torch.from_numpy(given.counts) * each).sum() + weight.square().sum() / 2
    loss.backward()
    assert weight.grad is not None
    assert bias.grad is not None
    # of two classes the first has no weights of its own: its gradient is the penalty's alone
    free = slice(1, None) if classes == 2 else slice(None)
    limit = 1e-4 * max(1.0, c * float(given.counts.sum()))
    assert float(weight.grad[free].abs().max()) < limit
    assert float(bias.grad[free].abs().max()) < limit


def test_what_a_crop_counts_is_how_often_it_could_stand_there() -> None:
    given = lessons(3)
    counts = np.array([1.0 + n % 3 for n in range(40)])
    index = np.repeat(np.arange(40), counts.astype(int))
    weighed = solve(Lessons(given.vectors, given.labels, counts, NAMES), 0.1)
    labels = [given.labels[n] for n in index]
    repeated = solve(Lessons(given.vectors[index], labels, np.ones(len(index)), NAMES), 0.1)
    for one, other in zip(weighed, repeated, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_validation_chooses_among_a_range_and_nothing_is_chosen_without() -> None:
    assert strengths_of(0.3, validated=True) == (0.3,)
    assert strengths_of(None, validated=True) == STRENGTHS
    assert (STRENGTHS[0], STRENGTHS[8], STRENGTHS[-1], len(STRENGTHS)) == (1e-4, 1.0, 1e4, 17)
    assert list(STRENGTHS) == sorted(STRENGTHS)
    assert strengths_of(None, validated=False) == (1.0,)


def test_classes_that_nothing_is_known_of_are_refused() -> None:
    with pytest.raises(UsageError, match="no training crop is of class b; leave the class out"):
        Lessons(np.zeros((2, 1)), [0, 2], np.ones(2), NAMES)
    with pytest.raises(UsageError, match="all crops are of class a"):
        Lessons(np.zeros((2, 1)), [0, 0], np.ones(2), NAMES[:1])


def test_what_does_not_converge_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logistic, "ITERATIONS", 2)
    with pytest.raises(TrainingError, match="C = 100 has not converged after 2 steps"):
        solve(lessons(3), 100.0)
