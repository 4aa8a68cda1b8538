"""The closed form is the paper's definition, differentiated three times by autograd."""

import pytest
import torch
from torch import Tensor, nn
from torch.func import grad, vmap

from distill.explain.gradcam import channel_weights, gradcam_plus_plus
from distill.networks import build


def papers_map(features: Tensor, head: nn.Linear, row: int) -> tuple[Tensor, Tensor]:
    """Chattopadhay et al. 2018, equations 7 to 10: the weights and the map, and nothing derived.

    Y = exp(S) is differentiated along each single cell of each channel, once, twice and thrice.
    0/0 is where a weight's other factor is 0: it counts as 0.
    """
    flat = features.flatten()

    def score(values: Tensor) -> Tensor:
        return head(values.view_as(features).mean((1, 2)))[row].exp()

    def derivatives(direction: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        def along(step: Tensor) -> Tensor:
            return score(flat + step * direction)

        at = torch.zeros((), dtype=flat.dtype)
        return grad(along)(at), grad(grad(along))(at), grad(grad(grad(along)))(at)

    directions = torch.eye(len(flat), dtype=flat.dtype)
    found = vmap(derivatives, chunk_size=64)(directions)
    first, second, third = (one.view_as(features) for one in found)
    total = features.sum((1, 2), keepdim=True)
    alpha = second / (2 * second + total * third)
    weights = (alpha * torch.relu(first)).nan_to_num(0).sum((1, 2))
    return weights, torch.relu((weights[:, None, None] * features).sum(0))


def assert_the_papers(features: Tensor, head: nn.Linear) -> None:
    with torch.no_grad():
        logits = head(features.mean((1, 2)))
    for row in range(head.out_features):
        weights, wanted = papers_map(features, head, row)
        ours = gradcam_plus_plus(features, head.weight[row].detach())
        assert ours.dtype == torch.float64
        scale = logits[row].exp()  # the factor that we leave out
        torch.testing.assert_close(
            channel_weights(features, head.weight[row].detach()) * scale,
            weights.detach(),
            rtol=1e-9,
            atol=1e-12,
        )
        torch.testing.assert_close(ours * scale, wanted.detach(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("size", [(5, 5), (33, 40), (64, 96)])
def test_it_is_the_papers_definition_on_a_networks_last_map(size: tuple[int, int]) -> None:
    network = build("resnet10", 3, seed=size[0]).double()
    made = torch.Generator().manual_seed(1)
    with torch.no_grad():
        network.head.weight *= 20  # as large as trained ones: w·mean(A) is not small beside 2
        features = network.extract(torch.randn(1, 3, *size, generator=made, dtype=torch.float64))[0]
    assert features.min() == 0
    assert features.max() > 0
    assert_the_papers(features, network.head)


@pytest.mark.parametrize("cells", [(1, 1), (1, 7), (4, 3), (9, 8)])
@pytest.mark.parametrize("classes", [1, 2, 5])
def test_it_is_the_papers_definition_at_any_size(cells: tuple[int, int], classes: int) -> None:
    torch.manual_seed(cells[0] * 10 + classes)
    head = nn.Linear(6, classes).double()
    with torch.no_grad():
        head.weight *= 4
    features = torch.rand(6, *cells, dtype=torch.float64) * 3
    assert_the_papers(features, head)


def test_it_is_the_papers_definition_where_that_is_nearly_or_wholly_undefined() -> None:
    features = torch.ones(7, 2, 4, dtype=torch.float64)
    features[0] = 0  # no third derivative's part
    features[1, :, :2] = 0
    head = nn.Linear(7, 2).double()
    with torch.no_grad():
        # a channel of zeros, zero weights, denominators of 0 and about 0, great and tiny weights
        head.weight[0] = torch.tensor([3.0, -4.0, 0.0, -2.0, -2.0 + 1e-12, 5.0, 1e-9])
        head.weight[1] = -head.weight[0].abs()
    assert_the_papers(features, head)
    assert gradcam_plus_plus(features, head.weight[0].detach()).min() > 0
    assert gradcam_plus_plus(features, head.weight[1].detach()).abs().max() == 0
    assert torch.equal(
        channel_weights(features, head.weight[0].detach())[:2],
        torch.tensor([1.5, 0.0], dtype=torch.float64),
    )
