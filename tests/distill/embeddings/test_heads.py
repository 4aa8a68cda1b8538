"""Heads on the vectors of a crop."""

import math

import numpy as np
import torch

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
