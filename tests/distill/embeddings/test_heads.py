"""Heads on the vectors of a crop."""

import math

import numpy as np
import pytest
import torch

from distill.embeddings import heads
from distill.embeddings.heads import AttentionHead, LinearHead, build_head


def sigmoid(values: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-values))


def arrays(head: torch.nn.Module) -> dict[str, np.ndarray]:
    return {name: t.detach().double().numpy() for name, t in head.state_dict().items()}


def test_attention_is_equation_9_of_ilse_2018() -> None:
    head = build_head("attention", 6, 3, seed=1)
    assert isinstance(head, AttentionHead)
    head.center.copy_(torch.linspace(-1, 1, 6))
    head.scale.copy_(torch.linspace(1, 2, 6))
    bag = torch.randn(5, 6, generator=torch.Generator().manual_seed(0))
    own = arrays(head)
    h = (bag.double().numpy() - own["center"]) / own["scale"]
    scores = []
    for vector in h:
        content = np.tanh(own["content.weight"] @ vector)
        gate = sigmoid(own["gate.weight"] @ vector)
        scores.append(float((own["score.weight"] @ (content * gate))[0]))
    weights = np.array([math.exp(s) for s in scores])
    weights /= weights.sum()
    wanted = own["classifier.weight"] @ (weights @ h) + own["classifier.bias"]
    np.testing.assert_allclose(head(bag).detach().numpy(), wanted, atol=1e-6)


def test_the_order_of_the_tiles_does_not_count() -> None:
    bag = torch.randn(7, 6, generator=torch.Generator().manual_seed(0))
    for name in ("linear", "attention"):
        head = build_head(name, 6, 2)
        torch.testing.assert_close(head(bag), head(bag.flip(0)))


def test_linear_is_that_of_the_mean_and_needs_nothing_else() -> None:
    head = build_head("linear", 6, 2)
    assert isinstance(head, LinearHead)
    head.center.fill_(0.5)
    head.scale.fill_(3)
    bag = torch.randn(7, 6, generator=torch.Generator().manual_seed(0))
    reduced = head.reduced(bag)
    assert reduced.shape == (1, 6)
    torch.testing.assert_close(head(reduced), head(bag))
    grid = bag[:6].T.reshape(1, 6, 2, 3)
    torch.testing.assert_close(head.classify(grid), head(bag[:6])[None])


def test_initial_weights_are_a_function_of_the_seed() -> None:
    state = torch.get_rng_state()
    one, same, other = (build_head("attention", 4, 2, seed=seed) for seed in (3, 3, 4))
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(one.classifier.weight, same.classifier.weight)
    assert not torch.equal(one.classifier.weight, other.classifier.weight)


def in_parts(bag: torch.Tensor, *sizes: int) -> list[heads.Part]:
    return [lambda one=one: one for one in bag.split(list(sizes))]  # type: ignore[misc]


@pytest.mark.parametrize("name", ["linear", "logistic", "attention"])
def test_a_bag_in_parts_is_the_bag_and_one_part_is_it_to_the_bit(name: str) -> None:
    head = build_head(name, 6, 2, seed=1)
    head.center.fill_(0.5)
    head.scale.fill_(3)
    bag = torch.randn(9, 6, generator=torch.Generator().manual_seed(0))
    whole = head.vector(head.reduced(bag))
    torch.testing.assert_close(head.vector_of(in_parts(bag, 4, 1, 4), bag.numel()), whole)
    again = bag[torch.randperm(9, generator=torch.Generator().manual_seed(1))]
    torch.testing.assert_close(head.vector_of(in_parts(again, 2, 7), bag.numel()), whole)
    assert torch.equal(head.vector_of(in_parts(bag, 9), bag.numel()), head.vector(bag))


def test_a_large_bag_is_looked_at_part_by_part_with_the_same_gradients(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No more than one part of it is in memory, and each is read once more for the gradients."""
    bag = torch.randn(9, 6, generator=torch.Generator().manual_seed(0))
    read: list[int] = []

    def part(number: int) -> torch.Tensor:
        read.append(number)
        return bag.split([4, 1, 4])[number]

    found = []
    for limit in (heads.AT_ONCE, 0):
        monkeypatch.setattr(heads, "AT_ONCE", limit)
        head = build_head("attention", 6, 2, seed=1)
        read.clear()
        vector = head.vector_of([lambda n=n: part(n) for n in range(3)], bag.numel())  # type: ignore[misc]
        head.classifier(vector).square().sum().backward()
        found.append((vector.detach(), [p.grad for p in head.parameters()], len(read)))
    (one, grads, once), (other, same, often) = found
    assert (once, often) == (3, 12)  # scores and sum, and both once more
    torch.testing.assert_close(other, one)
    for mine, theirs in zip(grads, same, strict=True):
        torch.testing.assert_close(mine, theirs)


def test_the_weights_of_all_parts_sum_to_one() -> None:
    head = build_head("attention", 6, 2, seed=1)
    assert isinstance(head, AttentionHead)
    bag = torch.randn(9, 6, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        parts = head.weights(in_parts(bag, 4, 5))
        torch.testing.assert_close(torch.cat(parts), head.attention(bag))
    assert [len(one) for one in parts] == [4, 5]
