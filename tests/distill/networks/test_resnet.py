from functools import partial

import pytest
import torch
import torchvision
from torch import nn

from distill.networks import NETWORKS, ResNet, build, smallest_input

PARAMETERS = {
    "resnet10": 1_231_011,
    "resnet18": 11_178_051,
    "resnet34": 21_286_211,
    "resnet50": 23_514_179,
}


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_parameters(name: str) -> None:
    assert sum(p.numel() for p in build(name, 3).parameters()) == PARAMETERS[name]


@pytest.mark.parametrize("name", ["resnet18", "resnet34", "resnet50"])
def test_the_larger_ones_compute_what_torchvision_computes(name: str) -> None:
    ours = build(name, 3)
    make = getattr(torchvision.models, name)
    theirs = make(num_classes=3, norm_layer=partial(nn.GroupNorm, 32))
    # ours has a block's shortcut last, as theirs; within a block and between, the order is one
    given = iter(ours.state_dict().values())
    theirs.load_state_dict({key: next(given) for key in theirs.state_dict()}, strict=True)
    image = torch.rand(1, 3, 70, 45)
    torch.testing.assert_close(ours(image).logits, theirs(image), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_the_registry_knows_the_shape_of_the_last_map(name: str) -> None:
    about = NETWORKS[name]
    features = build(name, 2)(torch.rand(1, 3, 65, 33)).features
    stride = about.stride
    assert features.shape == (1, about.channels, -(-65 // stride), -(-33 // stride))


def test_every_convolution_is_followed_by_thirty_two_groups_and_has_no_bias() -> None:
    network = build("resnet10", 3)
    norms = [m for m in network.modules() if isinstance(m, nn.GroupNorm)]
    convs = [m for m in network.modules() if isinstance(m, nn.Conv2d)]
    assert [norm.num_groups for norm in norms] == [32] * 12
    assert sorted(n.num_channels for n in norms) == sorted(c.out_channels for c in convs)
    assert all(conv.bias is None for conv in convs)
    assert not [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]


def test_he_initialisation_has_the_deviation_of_fan_out() -> None:
    network = build("resnet10", 3)
    for conv in (m for m in network.modules() if isinstance(m, nn.Conv2d)):
        fan_out = conv.out_channels * conv.kernel_size[0] ** 2
        count = conv.weight.numel()
        wanted = (2 / fan_out) ** 0.5
        assert float(conv.weight.detach().std()) == pytest.approx(wanted, rel=5 / count**0.5)


@pytest.mark.parametrize(("height", "width"), [(64, 96), (61, 33), (5, 200)])
def test_the_map_is_a_thirty_second_of_the_input_rounded_up(height: int, width: int) -> None:
    output = build("resnet10", 4)(torch.rand(2, 3, height, width))
    assert output.logits.shape == (2, 4)
    assert output.features.shape == (2, 256, -(-height // 32), -(-width // 32))
    assert float(output.features.detach().min()) >= 0


def test_forward_is_the_composition_of_its_parts() -> None:
    network = build("resnet10", 3)
    assert isinstance(network, ResNet)
    image = torch.rand(1, 3, 40, 50)
    features = network.stages(network.stem(image))
    logits = network.head(features.mean((2, 3)))
    output = network(image)
    assert torch.equal(output.features, features)
    assert torch.equal(output.logits, logits)


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_the_smallest_input_works_and_the_next_smaller_does_not(name: str) -> None:
    network = build(name, 2)
    side = smallest_input(name)
    assert network(torch.rand(1, 3, side, side)).logits.isfinite().all()
    if side == 1:
        return
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        network(torch.rand(1, 3, side - 1, side - 1))


def test_the_seed_decides_the_weights_and_the_global_generator_is_left_alone() -> None:
    before = torch.get_rng_state()
    first, again, other = (build("resnet10", 3, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(before, torch.get_rng_state())
    for a, b in zip(first.parameters(), again.parameters(), strict=True):
        assert torch.equal(a, b)
    assert not torch.equal(next(first.parameters()), next(other.parameters()))
