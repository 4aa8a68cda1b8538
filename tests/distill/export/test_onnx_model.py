"""The network that is exported is the run's, in other operations."""

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from distill import networks
from distill.errors import ExportError
from distill.evaluation.answering import Answering
from distill.evaluation.inference import crop_logits
from distill.export import onnx_model, parity
from distill.export.portable_norm import PORTABLE
from distill.networks import CropImage
from distill.runs.ensemble import open_run
from distill.runs.weights import Weights
from tests.distill.commands import done
from tests.distill.evaluating import CLASSES, make_run

ABOUT = Weights("resnet10", ["a", "b"], "10x", 1.0, (0.5, 0.4, 0.6), (0.2, 0.1, 0.3), 1, "last")


@pytest.mark.parametrize(("groups", "channels"), [(32, 32), (4, 12), (1, 3)])
def test_the_group_norm_is_torchs(groups: int, channels: int) -> None:
    layer = nn.GroupNorm(groups, channels).double()
    nn.init.normal_(layer.weight)
    nn.init.normal_(layer.bias)
    made = torch.Generator().manual_seed(1)
    x = torch.randn(2, channels, 7, 13, dtype=torch.float64, generator=made) * 3 + 40
    torch.testing.assert_close(PORTABLE.norm(layer, x), layer(x), rtol=1e-11, atol=1e-11)


def test_the_group_norm_stays_exact_in_float32_on_a_large_map() -> None:
    layer = nn.GroupNorm(2, 2)
    x = torch.rand(1, 2, 1500, 1100, generator=torch.Generator().manual_seed(2)) + 5
    wanted = copy.deepcopy(layer).double()(x.double())
    assert (PORTABLE.norm(layer, x).double() - wanted).abs().max() < 2e-5


@pytest.mark.parametrize("name", networks.NETWORKS)
def test_forward_is_the_networks_own(name: str) -> None:
    exported = onnx_model.Exported(networks.build(name, 2), ABOUT, "uint8").double()
    pixels = torch.randint(
        0, 256, (2, 3, 41, 70), dtype=torch.uint8, generator=torch.Generator().manual_seed(3)
    )
    # one input for both: standardisation is float32 whatever the network is
    image = exported.standardized(pixels).double()
    exported.takes = "float"
    for ours, theirs in zip(exported(image), exported.reference(image), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)


def test_the_run_s_network_is_left_alone() -> None:
    network = networks.build("resnet10", 2).train()
    exported = onnx_model.Exported(network, ABOUT, "uint8")
    assert network.training
    assert all(parameter.requires_grad for parameter in network.parameters())
    assert not exported.training
    assert not exported.network.training


@pytest.mark.parametrize("name", networks.NETWORKS)
def test_from_the_least_side_on_no_group_norm_sees_two_numbers(name: str) -> None:
    network = networks.build(name, 2).eval()
    seen: list[int] = []
    for layer in network.modules():
        if isinstance(layer, nn.GroupNorm):
            layer.register_forward_hook(
                lambda layer, given, _: seen.append(given[0].numel() // layer.num_groups)
            )
    least = onnx_model.least_side(name)
    network(torch.zeros(1, 3, least, least))
    assert min(seen) >= 4
    seen.clear()
    network(torch.zeros(1, 3, networks.smallest_input(name), networks.smallest_input(name)))
    assert min(seen) == 2


def test_differences_that_are_too_large_or_no_number_are_refused() -> None:
    good = parity.Difference(1, 9, 9, 1e-4, 0.0, 0.0)
    assert parity.worst([good, good._replace(logits=1e-6)]) == 1e-4
    for wrong in (1.01e-4, float("nan"), float("inf")):
        with pytest.raises(ExportError, match=r"differ by .* at 1 × 3 × 9 × 9, more than 1e-04"):
            parity.worst([good._replace(logits=1e-9), good._replace(logits=wrong)])


def test_the_sizes_checked_are_smallest_odd_thin_and_batched() -> None:
    shapes = parity.shapes(9)
    sizes = {shape[1:] for shape in shapes}
    assert len(sizes) >= 5
    assert (9, 9) in sizes
    assert any(height % 2 and width % 2 and height != width for height, width in sizes)
    assert any(batch > 1 for batch, *_ in shapes)


@pytest.mark.parametrize("mean", ["probabilities", "logits"])
@pytest.mark.parametrize("views", [1, 4, 8])
def test_several_networks_and_views_are_exported_as_they_are_evaluated(
    run: Path, store: Path, tmp_path: Path, mean: str, views: int
) -> None:
    other = make_run(tmp_path / "other", store, 1, classes=CLASSES[::-1])
    done("ensemble", run, other, "--mean", mean, "--views", views, "--out", tmp_path / "both")
    answering = Answering.load(open_run(tmp_path / "both"))
    exported = onnx_model.ExportedMean(answering)
    made = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (2, 3, 40, 60), dtype=torch.uint8, generator=made)
    crops = [CropImage(f"s/{k}", "s", image) for k, image in enumerate(images)]
    wanted = np.stack(list(crop_logits(answering, crops)))
    with torch.inference_mode():
        for logits, probabilities in (exported(images), exported.reference(images)):
            np.testing.assert_allclose(logits, wanted, atol=2e-5)
            np.testing.assert_allclose(probabilities, logits.softmax(1))
