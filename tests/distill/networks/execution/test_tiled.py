"""A part in strips is the whole part, values and gradients."""

import pytest
import torch
from torch import nn

from distill.networks import Output, ResNet
from distill.networks.execution.strips import Moments, ReceptiveField, ReceptiveFieldOperations
from distill.networks.execution.tiled import Whole, run
from tests.distill.odd import assert_same, gradients, image, loss, network, tolerance

SIZES = [(97, 83), (64, 128), (33, 61), (1, 40), (131, 5)]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("rows", [2, 7, 1000])
def test_a_tiled_stem_is_the_whole_stem(
    size: tuple[int, int], rows: int, dtype: torch.dtype, device: torch.device
) -> None:
    net, most = network("resnet10", dtype).to(device), tolerance(dtype, device)
    whole = image(*size, 3, dtype).to(device)
    wanted = net.stem(whole)
    towards = torch.randn(wanted.shape, generator=torch.Generator().manual_seed(1)).to(wanted)
    (wanted * towards).mean().backward()
    grads = [p.grad.clone() for p in net.stem.parameters() if p.grad is not None]
    net.zero_grad()
    ours = run(net.stem, Whole(whole), strip=32 * size[1] * rows)
    (ours * towards).mean().backward()
    assert_same([ours], [wanted], most)
    assert_same([p.grad for p in net.stem.parameters() if p.grad is not None], grads, most)
    assert len(grads) == 3


@pytest.mark.parametrize("size", [(97, 83), (64, 40)])
def test_every_part_tiled_is_the_whole_network(size: tuple[int, int], device: torch.device) -> None:
    net, most = network("resnet10").to(device), tolerance(torch.float64, device)
    whole = torch.cat([image(*size, 3), image(*size, 4)]).to(device)
    wanted = net(whole)
    loss(Output(wanted.logits[:1], wanted.features), 1).backward()
    grads = gradients(net)
    ours = tiled(net, whole)
    loss(Output(net.classify(ours)[:1], ours), 1).backward()
    assert_same([ours], [wanted.features], most)
    assert_same(gradients(net), grads, most)


@pytest.mark.parametrize(("name", "number"), [("resnet18", 3), ("resnet50", 1), ("resnet50", 4)])
@pytest.mark.parametrize("size", [(13, 9), (8, 6)])
def test_any_block_tiled_is_the_whole_block(name: str, number: int, size: tuple[int, int]) -> None:
    block = network(name).parts()[number]
    channels = next(m for m in block.modules() if isinstance(m, nn.Conv2d)).in_channels
    made = torch.Generator().manual_seed(0)
    x = torch.randn(1, channels, *size, generator=made).double().requires_grad_()
    wanted = block(x)
    towards = torch.randn(wanted.shape, generator=made).double()
    inputs = [x, *block.parameters()]
    grads = torch.autograd.grad((wanted * towards).sum(), inputs)
    ours = run(block, x, strip=1)
    assert_same([ours], [wanted], 1e-12)
    assert_same(list(torch.autograd.grad((ours * towards).sum(), inputs)), list(grads), 1e-12)


def tiled(net: ResNet, x: torch.Tensor) -> torch.Tensor:
    for number, part in enumerate(net.parts()):
        x = run(part, Whole(x) if number == 0 else x, strip=1)
    return x


def test_gradients_reach_the_input_and_only_what_wants_one() -> None:
    net = network("resnet10")
    block = net.parts()[2]
    for parameter in block.parameters():
        parameter.requires_grad_(False)
    x = image(40, 30, 5).repeat(1, 11, 1, 1)[:, :32].requires_grad_()
    block(x).square().mean().backward()
    wanted, x.grad = x.grad, None
    run(block, x, strip=1).square().mean().backward()
    assert wanted is not None
    assert x.grad is not None
    assert_same([x.grad], [wanted], 1e-12)
    assert all(p.grad is None for p in block.parameters())
    with torch.no_grad():
        assert not run(block, x, strip=1).requires_grad


def test_a_parameter_changed_before_the_backward_pass_is_noticed() -> None:
    net = network("resnet10")
    made = run(net.stem, image(40, 40, 0), strip=1)
    with torch.no_grad():
        net.stem.conv.weight.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        made.sum().backward()


def test_a_map_of_one_cell_is_refused() -> None:
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        tiled(network("resnet10"), image(4, 4, 0))


def test_reach() -> None:
    basic, bottleneck = (network(name).parts() for name in ("resnet10", "resnet50"))
    found = [
        part.run(ReceptiveField(), ReceptiveFieldOperations())
        for part in (*basic[:3], *bottleneck[1:2])
    ]
    assert found == [
        ReceptiveField(4, 5),
        ReceptiveField(1, 2),
        ReceptiveField(2, 3),
        ReceptiveField(1, 1),
    ]


def test_moments_merge_to_those_of_the_whole_even_far_from_zero() -> None:
    values = torch.randn(2, 6, 50, 7, generator=torch.Generator().manual_seed(0)).double() + 1e6
    cut = [Moments.of(part, 3) for part in values.split([1, 20, 29], 2)]
    merged = cut[0].merged(cut[1]).merged(cut[2])
    flat = values.view(2, 3, -1)
    assert merged.count == flat.shape[2] == 700
    torch.testing.assert_close(merged.mean, flat.mean(2), rtol=1e-15, atol=0)
    torch.testing.assert_close(merged.squares / 700, flat.var(2, correction=0), rtol=1e-10, atol=0)


def test_autocast_is_the_same_in_the_backward_pass() -> None:
    net = network("resnet10", torch.float32)
    x = image(64, 64, 0, torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        made = run(net.stem, x, strip=1)
        wanted = net.stem(x)
    made.float().mean().backward()
    ours = [p.grad.clone() for p in net.stem.parameters() if p.grad is not None]
    nn.Module.zero_grad(net)
    wanted.float().mean().backward()
    torch.testing.assert_close(made.float(), wanted.float(), rtol=0.02, atol=0.02)
    theirs = [p.grad for p in net.stem.parameters() if p.grad is not None]
    assert_same(ours, theirs, 0.02)
