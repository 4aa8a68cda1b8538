"""Costs counted without pixels against fvcore, which runs the network."""

import logging
from typing import NamedTuple

import pytest
import torch
from torch import Tensor, nn

from distill import networks
from distill.cost import flops


@pytest.fixture(scope="module")
def network() -> nn.Module:
    return networks.build("resnet10", 3).eval()


@pytest.mark.parametrize("size", [(64, 64), (127, 201), (5, 333)])
def test_the_meta_device_counts_what_fvcore_counts(
    network: nn.Module, size: tuple[int, int]
) -> None:
    theirs = flops.fvcore_mac(network, *size)
    ours = flops.cost(network, *size)
    assert ours.mac == sum(theirs.values())
    assert ours.flop == 2 * (theirs["conv"] + theirs["linear"])
    assert flops.gmac(network, *size) == ours.mac / 1e9


def test_fvcore_is_quiet(network: nn.Module, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        assert set(flops.fvcore_mac(network, 64, 64)) == {"conv", "linear", "group_norm"}
    assert not caplog.records


def test_the_thin_resnet10_costs_what_the_authors_network_costs(network: nn.Module) -> None:
    assert flops.parameters(network) == 1_231_011
    assert flops.gmac(network, 1000, 1000) == pytest.approx(5.10, abs=0.1)
    per_megapixel = flops.gmac(network, 8192, 8192) / (8192**2 / 1e6)
    assert per_megapixel == pytest.approx(5.10, abs=0.005)


def test_the_largest_crop_of_the_paper_can_be_counted(network: nn.Module) -> None:
    whole = flops.cost(network, 16_832, 19_304)
    assert whole.flop == pytest.approx(2 * 5.016e3 * 16_832 * 19_304, rel=1e-3)
    assert next(network.parameters()).device.type == "cpu"


class Tiny(nn.Module):
    """A convolution and a linear layer whose multiply-adds can be counted by hand."""

    class Output(NamedTuple):
        logits: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1, bias=False)
        self.norm = nn.GroupNorm(2, 4, affine=False)
        self.drop = nn.Dropout(0.5)
        self.head = nn.Linear(4, 2)
        self.sizes: list[tuple[int, ...]] = []

    def forward(self, x: Tensor) -> "Tiny.Output":
        self.sizes.append(tuple(x.shape[-2:]))
        y = torch.relu(self.norm(self.conv(x)))
        return Tiny.Output(self.head(self.drop(y.mean((2, 3)))))


def test_the_count_by_hand() -> None:
    convolution, linear, norm = 6 * 5 * 4 * 3 * 9, 4 * 2, 4 * 6 * 5 * 4
    assert flops.cost(Tiny(), 6, 5) == (convolution + linear + norm, 2 * (convolution + linear))
    assert sum(flops.fvcore_mac(Tiny(), 6, 5).values()) == convolution + linear + norm


def test_counting_leaves_the_network_as_it_was() -> None:
    network = Tiny().train()
    network.norm.eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    flops.cost(network, 8, 8)
    flops.fvcore_mac(network, 8, 8)
    assert (network.training, network.drop.training, network.norm.training) == (True, True, False)
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name])


def test_a_summary_weighs_every_crop_and_counts_each_size_once() -> None:
    network = Tiny()
    sizes = [(8, 8), (4, 4), (8, 8), (16, 4)]
    summary = flops.over_sizes(network, sizes)
    assert sorted(network.sizes) == sorted(set(sizes))
    gmac = [flops.gmac(network, *size) for size in sizes]
    assert summary["gmac_per_crop"]["mean"] == pytest.approx(sum(gmac) / 4, rel=1e-12)
    assert summary["gmac_per_crop"]["median"] == pytest.approx(gmac[0], rel=1e-12)
    assert summary["gmac_per_crop"]["max"] == max(gmac)
    assert summary["gflop_per_crop"]["max"] == flops.cost(network, 8, 8).flop / 1e9
    with pytest.raises(ValueError, match="no crops"):
        flops.over_sizes(network, [])


def test_both_counters_agree_and_a_large_input_is_cut_first(network: nn.Module) -> None:
    agreed = flops.agree(network, 127, 201)
    assert agreed[:2] == (127, 201)
    assert agreed.fvcore_mac == agreed.mac == flops.cost(network, 127, 201).mac
    assert agreed.difference == 0
    tiny = flops.agree(Tiny(), 3, 4_000_000)
    assert tiny[:2] == (3, 1_000_000)
    assert flops.Agreement(1, 1, 100, 99).difference == pytest.approx(-0.01)


TABLE_1 = {  # median height and width, GMAC of convolutions and the linear layer, to so much
    "CD 10x": (1934, 1550, 15.1, 0.05),
    "CD 5x": (967, 775, 3.8, 0.05),
    "CD 2.5x": (484, 388, 0.98, 0.005),
    "CD 1.25x": (242, 194, 0.25, 0.005),
    "CD 0.625x": (121, 97, 0.07, 0.005),
    "RCC 5x": (7152, 8424, 302, 1),
}


@pytest.mark.parametrize("name", TABLE_1)
def test_costs_at_the_median_sizes_of_the_paper(network: nn.Module, name: str) -> None:
    height, width, gmac, tolerance = TABLE_1[name]
    found = flops.cost(network, height, width)
    assert found.flop / 2e9 == pytest.approx(gmac, abs=tolerance)
    megapixels = height * width / 1e6
    # with the group norms; the rounding up of map sizes tells in small inputs
    assert found.mac / 1e9 / megapixels == pytest.approx(5.10, rel=0.01 if megapixels > 1 else 0.2)


@pytest.mark.parametrize(
    "spec",
    [
        networks.NetworkSpec("resnet10", enlarge=2),
        networks.NetworkSpec("resnet10", stem_stride=1),
        networks.NetworkSpec("timm/test_efficientnet"),
        networks.NetworkSpec("timm/test_convnext"),
        networks.NetworkSpec("torchvision/resnet18"),
        networks.NetworkSpec("torchvision/swin_t"),
    ],
    ids=lambda spec: spec.text,
)
def test_networks_of_libraries_are_counted_as_fvcore_counts_them(
    spec: networks.NetworkSpec,
) -> None:
    if spec.library == "timm":
        pytest.importorskip("timm", reason="timm is an optional extra")
    found = flops.agree(networks.build(spec, 3).eval(), 96, 64)
    assert found.mac == found.fvcore_mac


def test_a_transformer_s_attention_is_counted_though_fvcore_does_not_see_it() -> None:
    pytest.importorskip("timm", reason="timm is an optional extra")
    network = networks.build("timm/test_vit", 3).eval()
    found = flops.agree(network, 96, 64)
    tokens, width, blocks = 6 * 4 + 1, 64, 6
    assert found.mac - found.fvcore_mac == blocks * 2 * tokens**2 * width
