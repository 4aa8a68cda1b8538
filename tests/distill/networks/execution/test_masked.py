"""A masked batch is its images one by one."""

import pytest
import torch

from distill.networks.execution import masked
from tests.distill.odd import assert_same, gradients, image, loss, network, tolerance

SIZES = [(70, 45), (33, 97), (64, 64), (5, 40), (96, 31)]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("name", ["resnet10", "resnet18"])
def test_a_masked_batch_is_one_by_one(name: str, dtype: torch.dtype, device: torch.device) -> None:
    net, most = network(name, dtype).to(device), tolerance(dtype, device)
    images = [image(h, w, seed, dtype).to(device) for seed, (h, w) in enumerate(SIZES)]
    alone = [net(single) for single in images]
    total = torch.stack([loss(output, i % 3) for i, output in enumerate(alone)]).mean()
    total.backward()
    wanted = gradients(net)

    batch, sizes = masked.pad(images)
    assert batch.shape == (5, 3, 96, 97)
    assert sizes == SIZES
    together = masked.forward(net, batch, sizes)
    torch.stack([loss(output, i % 3) for i, output in enumerate(together)]).mean().backward()
    assert_same([o.logits for o in together], [o.logits for o in alone], most)
    assert_same([o.features for o in together], [o.features for o in alone], most)
    assert_same(gradients(net), wanted, most)


def test_plain_padding_is_something_else() -> None:
    net = network("resnet10")
    small = image(70, 45, 0)
    batch, sizes = masked.pad([small, image(96, 97, 1)])
    wanted = net(small).logits
    assert float((net(batch).logits[:1] - wanted).detach().abs().max()) > 1e-2
    assert_same([masked.forward(net, batch, sizes)[0].logits], [wanted], 1e-12)


def test_an_image_too_small_for_the_network_is_refused_in_a_batch_as_alone() -> None:
    net = network("resnet10")
    batch, sizes = masked.pad([image(40, 40, 0), image(4, 4, 1)])
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        masked.forward(net, batch, sizes)
    with pytest.raises(ValueError, match="no images"):
        masked.pad([])
