"""The average is torch's; it is what is validated, and what a run keeps."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from distill.data.batching import by_size, one_by_one
from distill.engine.averaging import WeightAverage
from distill.engine.compute_settings import ComputeSettings
from distill.engine.settings import TrainingSettings
from distill.engine.trainer import fit, validate
from distill.runs.writer import RunWriter
from tests.distill.engine.test_trainer import IMAGES, WEIGHTS, Linear, Quiet, listed

DECAY = 0.7


def moved(network: nn.Module, seed: int) -> None:
    """Give every parameter that learns, and every buffer, other values."""
    made = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for value in (*network.parameters(), *network.buffers()):
            shift = torch.randn(value.shape, generator=made)
            value.add_(shift if value.is_floating_point() else 1)


def network() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Linear(4, 2))


def same(one: nn.Module, other: nn.Module) -> bool:
    ours, theirs = one.state_dict(), other.state_dict()
    return ours.keys() == theirs.keys() and all(torch.equal(ours[k], theirs[k]) for k in ours)


def test_it_is_torchs_average_begun_with_the_start() -> None:
    parts = {"network": network(), "projection": nn.Conv2d(2, 2, 1)}
    average = WeightAverage(parts, DECAY)
    wanted = {
        name: AveragedModel(part, multi_avg_fn=get_ema_multi_avg_fn(DECAY))
        for name, part in parts.items()
    }
    for name, part in parts.items():
        wanted[name].update_parameters(part)  # torch takes the first weights as they are
    for step in range(5):
        for name, part in parts.items():
            moved(part, step)
            wanted[name].update_parameters(part)
        average.update()
    assert average.parts.keys() == {
        "network", "projection", "average_network", "average_projection"
    }  # fmt: skip
    for name, part in parts.items():
        assert average.parts[name] is part
        assert same(average.parts[f"average_{name}"], wanted[name].module)
        assert not same(average.parts[f"average_{name}"], part)
    # the running figures of batch norm are those of the network
    for ours, theirs in zip(
        average.parts["average_network"].buffers(), parts["network"].buffers(), strict=True
    ):
        assert torch.equal(ours, theirs)


def test_it_is_shown_for_a_while_and_taken_back_to_the_bit() -> None:
    part = network()
    average = WeightAverage({"network": part}, DECAY)
    start = {key: value.clone() for key, value in part.state_dict().items()}
    held = list(part.parameters())
    moved(part, 1)
    live = {key: value.clone() for key, value in part.state_dict().items()}

    def fail() -> None:
        with average.shown():
            assert all(torch.equal(value, start[key]) for key, value in part.state_dict().items())
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert all(torch.equal(value, live[key]) for key, value in part.state_dict().items())
    assert all(a is b for a, b in zip(held, part.parameters(), strict=True))


def test_what_does_not_learn_keeps_every_bit() -> None:
    part = nn.Linear(5, 5).requires_grad_(False)
    average = WeightAverage({"network": part}, 0.3)
    for _ in range(3):
        average.update()
    assert same(average.parts["average_network"], part)


def test_without_a_decay_there_is_none() -> None:
    part = network()
    average = WeightAverage({"network": part}, None)
    assert average.parts == {"network": part}
    average.update()
    with average.shown():
        pass
    assert average.parts == {"network": part}


def test_the_average_is_validated_and_kept(tmp_path: Path) -> None:
    task, quiet = Linear(), Quiet()
    val = listed(IMAGES[:3], None)
    settings = TrainingSettings(epochs=3, accumulate=2, lr=0.1, ema=0.9, select="last")
    fit(task, listed(IMAGES), val, settings, RunWriter(tmp_path / "run", {}, WEIGHTS), quiet)
    held = load_file(tmp_path / "run" / "checkpoint.safetensors")
    kept = load_file(tmp_path / "run" / "weights.safetensors")
    for name, value in task.network.state_dict().items():
        assert torch.equal(held[f"network/{name}"], value)
        assert torch.equal(held[f"average_network/{name}"], kept[name])
        assert not torch.equal(kept[name], value)
    told = quiet.records[-1]["val"]["loss"]
    assert validate(task, val, 3, Quiet())["loss"] != pytest.approx(told, rel=1e-3)
    task.network.load_state_dict(kept)
    assert validate(task, val, 3, Quiet())["loss"] == told


@pytest.mark.parametrize("most", [2, 5])
def test_a_whole_recipe_does_not_know_how_groups_are_cut(tmp_path: Path, most: int) -> None:
    ends = []
    for number, cut in enumerate((one_by_one, by_size(1000, most))):
        task = Linear()
        settings = TrainingSettings(
            epochs=3,
            accumulate=5,
            lr=0.05,
            optimizer="sgd",
            lr_schedule="cosine",
            warmup_epochs=1,
            clip_norm=0.5,
            ema=0.8,
        )
        writer = RunWriter(tmp_path / str(number), {}, WEIGHTS)
        quiet = Quiet()
        fit(task, listed(IMAGES), None, settings, writer, quiet, ComputeSettings(cut=cut))
        ends.append(load_file(tmp_path / str(number) / "checkpoint.safetensors"))
    assert ends[0].keys() == ends[1].keys()
    for name, value in ends[0].items():
        torch.testing.assert_close(ends[1][name], value, rtol=1e-12, atol=1e-14, msg=name)
