from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from distill.errors import RunError
from distill.tensors import load_checkpoint, publish, save_checkpoint


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
    save_checkpoint(path, network, adam, 5)
    assert set(load_file(path)) == {
        f"{kind}/{name}{key}"
        for name in ("weight", "bias")
        for kind, keys in (
            ("network", [""]),
            ("optimiser", ["/step", "/exp_avg", "/exp_avg_sq"]),
        )
        for key in keys
    }
    other = nn.Linear(3, 2)
    fresh = torch.optim.Adam(other.parameters())
    assert load_checkpoint(path, other, fresh) == 5
    assert torch.equal(other.weight, network.weight)
    for mine, theirs in zip(other.parameters(), network.parameters(), strict=True):
        for key, value in adam.state[theirs].items():
            assert torch.equal(fresh.state[mine][key], value)


def test_a_checkpoint_of_something_else_is_refused(tmp_path: Path) -> None:
    network, adam = trained()
    path = tmp_path / "checkpoint.safetensors"
    save_checkpoint(path, network, adam, 5)
    larger = nn.Linear(4, 2)
    with pytest.raises(RunError, match=r"weight is \(2, 3\) float32 where \(2, 4\)"):
        load_checkpoint(path, larger, torch.optim.Adam(larger.parameters()))
    same = nn.Linear(3, 2)
    with pytest.raises(RunError, match="do not hold the same parameters: bias"):
        load_checkpoint(path, same, torch.optim.Adam([same.weight]))
    tensors = load_file(path)
    tensors["optimiser/extra/step"] = torch.ones(1)
    save_file(tensors, path, {"epoch": "5"})
    with pytest.raises(RunError, match="optimiser state for extra, which does not exist"):
        load_checkpoint(path, same, torch.optim.Adam(same.parameters()))


def test_a_failed_write_leaves_the_old_file_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    publish(path, b"old")
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        publish(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
