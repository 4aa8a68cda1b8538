"""Whatever the memory, a network says the same of a crop, and learns the same from it."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import wsistore
from distill.data.augmentation import sample_params
from distill.data.normalization import ChannelStats, network_input
from distill.errors import TrainingError
from distill.networks import LiveMemory, build
from distill.networks.execution.memory import AUGMENTATION_BYTES, memory_of_forward, memory_of_plans
from distill.networks.execution.modes import forward, plan_name
from distill.networks.execution.runner import UNBOUNDED, CropRunner
from distill.networks.execution.streamed_input import StreamedInput

CPU = torch.device("cpu")
STANDARD = ChannelStats((0.7, 0.6, 0.7), (0.2, 0.2, 0.3))
SIZE = (301, 415)


def crop() -> torch.Tensor:
    made = torch.Generator().manual_seed(3)
    return torch.randint(0, 256, (3, *SIZE), dtype=torch.uint8, generator=made)


def gradients(look: CropRunner, drawn: bool, device: torch.device) -> dict[str, torch.Tensor]:
    network = build("resnet10", 3, seed=1).to(device)
    chosen = sample_params(0, 1, 5) if drawn else None
    (output,) = look(network, [crop()], [chosen], STANDARD, device)
    (output.logits.square().sum() + output.features.square().mean()).backward()
    found = {key: p.grad for key, p in network.named_parameters() if p.grad is not None}
    return {"logits": output.logits.detach(), "features": output.features.detach(), **found}


@pytest.mark.parametrize("drawn", [False, True])
def test_every_way_says_and_learns_the_same(drawn: bool, device: torch.device) -> None:
    needed = memory_of_plans(build("resnet10", 3), *SIZE)
    assert [plan_name(way) for way in needed][:2] == ["plain", "checkpointed"]
    plain = gradients(UNBOUNDED, drawn, device)
    budgets = sorted(set(needed.values()))
    assert len(budgets) >= 3
    for budget in budgets:
        found = gradients(CropRunner(budget), drawn, device)
        assert found.keys() == plain.keys()
        for key, value in plain.items():
            near = 2e-5 * (1 if device.type == "cpu" else 10) * float(value.abs().max())
            torch.testing.assert_close(found[key], value, rtol=1e-3, atol=near)


@torch.inference_mode()
def test_every_way_of_only_looking_says_the_same(device: torch.device) -> None:
    network = build("resnet10", 3, seed=1).to(device)
    (plain,) = UNBOUNDED(network, [crop()], [None], STANDARD, device)
    ways = list(memory_of_forward(network, *SIZE))
    assert [way.count("tiled") for way in ways] == [0, 1, 2, 3, 4, 5]
    for way in ways[1:]:
        found = forward(network, StreamedInput(crop(), None, STANDARD, device), way, strip=1 << 16)
        near = 1e-5 if device.type == "cpu" else 1e-4
        torch.testing.assert_close(found, plain, rtol=1e-4, atol=near)


def test_estimates_are_the_same_while_nothing_is_learnt() -> None:
    network = build("resnet10", 3)
    wanted = memory_of_plans(network, *SIZE), memory_of_forward(network, *SIZE)
    for mode in (torch.no_grad, torch.inference_mode):
        with mode():
            assert (memory_of_plans(network, *SIZE), memory_of_forward(network, *SIZE)) == wanted


def test_a_draw_takes_no_more_than_the_estimate_says() -> None:
    chosen, (height, width) = sample_params(0, 1, 5), SIZE
    live = LiveMemory()
    with torch.no_grad(), live:
        image = torch.empty(3, height, width, dtype=torch.uint8, device="meta")
        network_input(image, chosen, STANDARD, torch.device("meta"))
    assert 0.5 * AUGMENTATION_BYTES < live.peak / (height * width) <= AUGMENTATION_BYTES + 3
    network = build("resnet10", 3)
    for needs in (memory_of_plans, memory_of_forward):
        drawn, plain = needs(network, 4096, 4096, drawn=True), needs(network, 4096, 4096)
        for way, need in drawn.items():
            assert need >= plain[way]
            assert way[0] == "tiled" or need >= (AUGMENTATION_BYTES + 3) * 4096**2


def test_only_looking_takes_less_memory() -> None:
    network, size = build("resnet10", 3), (4096, 4096)
    needed, learning = memory_of_forward(network, *size), memory_of_plans(network, *size)
    plain, tiled = list(needed.values())[:2]
    assert tiled < plain < 0.5 * next(iter(learning.values()))
    assert tiled < min(learning.values())
    assert CropRunner(plain, learns=False)._way(network, *size) is None
    assert (CropRunner(plain - 1, learns=False)._way(network, *size) or ()).count("tiled") == 1
    with pytest.raises(TrainingError, match=r"4096 × 4096 pixels needs 1\.0 GiB, .*; raise it$"):
        CropRunner(tiled - 1, learns=False)._way(network, *size)


def test_the_quickest_way_that_fits_is_taken() -> None:
    network = build("resnet10", 3)
    needed = memory_of_plans(network, *SIZE)
    for way, need in needed.items():
        if need == min(list(needed.values())[: list(needed).index(way) + 1]):
            found = CropRunner(need)._way(network, *SIZE)
            assert (found or next(iter(needed))) == way


def test_too_little_memory_names_the_flag() -> None:
    with pytest.raises(TrainingError, match=r"301 × 415 pixels needs .* GiB, and --memory is 0\.0"):
        CropRunner(1000)(build("resnet10", 3), [crop()], [None], STANDARD, CPU)
    needed = memory_of_plans(build("resnet10", 3), *SIZE)
    with (
        torch.autocast("cpu", torch.bfloat16),
        pytest.raises(TrainingError, match="--precision fp32"),
    ):
        CropRunner(min(needed.values()) // 2)(build("resnet10", 3), [crop()], [None], STANDARD, CPU)


def test_training_within_less_memory_is_the_same_training(
    real_store: Path, tmp_path: Path, train
) -> None:
    network, levels = build("resnet10", 2), wsistore.open(real_store).levels
    sizes = levels[levels["level"] == "10x"][["height", "width"]].itertuples(index=False)
    ways = [memory_of_plans(network, height, width) for height, width in sizes]
    little = max(min(needed.values()) for needed in ways) / 2**30
    # some crops must work in strips, or this compares a thing with itself
    assert any(next(iter(needed.values())) > little * 2**30 for needed in ways)
    for run, memory in {"much": 8, "little": little}.items():
        train("teacher", real_store, tmp_path / run, "--level", "10x", "--memory", memory)
    config = json.loads((tmp_path / "little" / "config.json").read_text())
    assert config["memory_gib"] == little
    one, other = (load_file(tmp_path / run / "weights.safetensors") for run in ("much", "little"))
    for key, value in one.items():
        torch.testing.assert_close(other[key], value, rtol=1e-3, atol=1e-4)
