from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from distill.errors import RunError
from distill.files import save
from distill.runs.checkpoint import (
    TrainingState,
    load_checkpoint,
    modules,
    read_progress,
    save_checkpoint,
)

AT = TrainingState(epoch=5, best=0.1 + 0.2, best_epoch=3, kept=3)


def parts(network: nn.Module) -> dict[str, nn.Module]:
    return {"network": network}


def trained() -> tuple[nn.Module, torch.optim.Adam]:
    network = nn.Linear(3, 2)
    adam = torch.optim.Adam(network.parameters())
    for _ in range(3):
        network(torch.ones(1, 3)).sum().backward()
        adam.step()
    return network, adam


def test_a_checkpoint_holds_named_tensors_and_comes_back_exactly(tmp_path: Path) -> None:
    network, adam = trained()
    path = tmp_path / "checkpoint.safetensors"
    save_checkpoint(path, parts(network), adam, AT)
    assert set(load_file(path)) == {
        f"{kind}/{name}{key}"
        for name in ("weight", "bias")
        for kind, keys in (
            ("network", [""]),
            ("optimiser/network", ["/step", "/exp_avg", "/exp_avg_sq"]),
        )
        for key in keys
    }
    other = nn.Linear(3, 2)
    fresh = torch.optim.Adam(other.parameters())
    assert load_checkpoint(path, parts(other), fresh) == AT
    assert torch.equal(other.weight, network.weight)
    for mine, theirs in zip(other.parameters(), network.parameters(), strict=True):
        for key, value in adam.state[theirs].items():
            assert torch.equal(fresh.state[mine][key], value)


def test_a_checkpoint_of_something_else_is_refused(tmp_path: Path) -> None:
    network, adam = trained()
    path = tmp_path / "checkpoint.safetensors"
    save_checkpoint(path, parts(network), adam, AT)
    larger = nn.Linear(4, 2)
    with pytest.raises(RunError, match=r"weight is \(2, 3\) float32 where \(2, 4\)"):
        load_checkpoint(path, parts(larger), torch.optim.Adam(larger.parameters()))
    same = nn.Linear(3, 2)
    with pytest.raises(RunError, match="do not hold the same parameters: network/bias"):
        load_checkpoint(path, parts(same), torch.optim.Adam([same.weight]))
    tensors = load_file(path)
    tensors["optimiser/extra/step"] = torch.ones(1)
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    save_file(tensors, path, metadata)
    with pytest.raises(RunError, match="optimiser state for extra, which does not exist"):
        load_checkpoint(path, parts(same), torch.optim.Adam(same.parameters()))


def test_progress_comes_back_to_the_last_bit(tmp_path: Path) -> None:
    network, adam = trained()
    path = tmp_path / "checkpoint.safetensors"
    for progress in (
        AT,
        TrainingState(1, float("inf"), 0, 1),
        TrainingState(9, 0.5, 1, 1, "all done"),
    ):
        save_checkpoint(path, parts(network), adam, progress)
        assert read_progress(path) == progress
    save(path, {"x": torch.ones(1)}, {"epoch": "1"})
    with pytest.raises(RunError, match="is no checkpoint"):
        read_progress(path)


def test_what_learns_beside_the_network_is_kept_too(tmp_path: Path) -> None:
    class Task:
        def __init__(self, seed: int) -> None:
            torch.manual_seed(seed)
            self.network, self.beside = nn.Linear(2, 2), {"projection": nn.Linear(3, 3)}

    path = tmp_path / "checkpoint.safetensors"
    one, other = Task(0), Task(1)
    adam, fresh = (
        torch.optim.Adam([p for module in modules(task).values() for p in module.parameters()])
        for task in (one, other)
    )
    one.beside["projection"](torch.ones(1, 3)).sum().backward()
    adam.step()
    save_checkpoint(path, modules(one), adam, AT)
    load_checkpoint(path, modules(other), fresh)
    for key, value in one.beside["projection"].state_dict().items():
        assert torch.equal(other.beside["projection"].state_dict()[key], value)
    assert not fresh.state.get(other.network.weight)
    with pytest.raises(ValueError, match=r"name theirs in Task\.beside"):
        save_checkpoint(path, parts(one.network), adam, AT)
    with pytest.raises(RunError, match="holds projection, which this training does not have"):
        load_checkpoint(path, parts(other.network), torch.optim.Adam(other.network.parameters()))


OPTIMIZERS = {
    "Adam": lambda given: torch.optim.Adam(given),
    "AdamW": lambda given: torch.optim.AdamW(given),
    "SGD": lambda given: torch.optim.SGD(given, momentum=0.9),
}


def stepped(kind: str) -> tuple[nn.Module, torch.optim.Optimizer]:
    network = nn.Linear(3, 2)
    optimizer = OPTIMIZERS[kind](network.parameters())
    for _ in range(3):
        network(torch.ones(1, 3)).sum().backward()
        optimizer.step()
    return network, optimizer


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_each_optimizers_state_comes_back_and_no_others(tmp_path: Path, kind: str) -> None:
    network, optimizer = stepped(kind)
    path = tmp_path / "checkpoint.safetensors"
    save_checkpoint(path, parts(network), optimizer, AT)
    for other in OPTIMIZERS:
        fresh_network = nn.Linear(3, 2)
        fresh = OPTIMIZERS[other](fresh_network.parameters())
        if other != kind:
            with pytest.raises(
                RunError, match=f"the state of {kind}, and the optimiser is {other}"
            ):
                load_checkpoint(path, parts(fresh_network), fresh)
            continue
        assert load_checkpoint(path, parts(fresh_network), fresh) == AT
        for mine, theirs in zip(fresh_network.parameters(), network.parameters(), strict=True):
            assert fresh.state[mine].keys() == optimizer.state[theirs].keys() != set()
            for key, value in optimizer.state[theirs].items():
                assert torch.equal(fresh.state[mine][key], value)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("exp_avg", None, "lacks or should not have exp_avg"),
        ("momentum_buffer", torch.ones(2), "lacks or should not have momentum_buffer"),
        ("exp_avg_sq", torch.ones(3), r"exp_avg_sq of network/bias is \(3,\) where \(2,\) is"),
    ],
)
def test_a_state_that_is_not_the_optimizers_is_refused(
    tmp_path: Path, key: str, value: torch.Tensor | None, said: str
) -> None:
    network, adam = trained()
    path = tmp_path / "checkpoint.safetensors"
    save_checkpoint(path, parts(network), adam, AT)
    tensors = load_file(path)
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    name = f"optimiser/network/bias/{key}"
    if value is None:
        del tensors[name]
    else:
        tensors[name] = value
    save_file(tensors, path, metadata)
    with pytest.raises(RunError, match=said):
        load_checkpoint(path, parts(network), adam)
