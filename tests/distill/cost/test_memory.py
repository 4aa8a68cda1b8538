"""Estimated memory against what the network really allocates."""

import gc

import pytest
import torch
from torch.profiler import ProfilerActivity, profile

from distill import networks
from distill.cost.memory import UNIT, inference, peak_memory
from distill.data.normalization import to_input
from distill.networks.execution import memory, modes


def allocated(network: networks.ResNet, height: int, width: int) -> int:
    """Peak bytes that torch's CPU allocator hands out during an answer, by its own records."""
    image = torch.zeros(3, height, width, dtype=torch.uint8)
    network(to_input(image, UNIT, UNIT))
    gc.collect()
    with (
        torch.inference_mode(),
        profile(activities=[ProfilerActivity.CPU], profile_memory=True) as found,
    ):
        network(to_input(image, UNIT, UNIT))
    now = peak = image.nbytes
    for event in found.profiler.kineto_results.events():
        if event.name() == "[memory]":
            now += event.nbytes()
            peak = max(peak, now)
    return peak


@pytest.mark.parametrize("name", ["resnet10", "resnet50"])
def test_memory_to_answer_is_what_torch_allocates(name: str) -> None:
    network = networks.build(name, 3).eval()
    for size in ((256, 320), (301, 203)):
        assert inference(network, *size) == pytest.approx(allocated(network, *size), rel=0.05)


def test_memory_to_train_is_that_of_the_ways() -> None:
    network = networks.build("resnet10", 3)
    found = peak_memory(network, 4096, 4096)
    plain = modes.tiled_prefix(0, len(network.parts()), "plain")
    assert found.training == memory.memory_needed(network, 4096, 4096, plain)
    assert found.training_least == min(memory.memory_of_plans(network, 4096, 4096).values())
    assert found.inference < found.training


def test_the_largest_crop_of_the_paper_needs_no_memory_to_be_estimated() -> None:
    network = networks.build("resnet10", 3)
    # the stem's map and its norm, 32 channels at a quarter of the pixels, beside the input
    stem = 2 * 4 * 32 * 16_832 * 19_304 // 4
    assert inference(network, 16_832, 19_304) == pytest.approx(
        stem + 15 * 16_832 * 19_304, rel=1e-3
    )
    assert next(network.parameters()).device.type == "cpu"
