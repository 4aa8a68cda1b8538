import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from distill.errors import RunError, UsageError
from distill.networks import NetworkSpec, build
from distill.runs.init_from import start_from


def test_a_run_or_its_file_gives_its_weights_and_is_on_record(
    real_store: Path, tmp_path: Path, train
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    train("baseline", real_store, first, "--level", "10x")
    for source in (first, first / "weights.safetensors"):
        network = build("resnet10", 2, seed=9)
        about = start_from(source, network, NetworkSpec("resnet10"), ["coarse", "fine"])
        assert about["run"] == str(first.resolve())
        for name, value in load_file(first / "weights.safetensors").items():
            assert torch.equal(network.state_dict()[name], value)
    train("baseline", real_store, second, "--level", "2.5x", "--init-from", first, "--lr", "1e-12")
    config = json.loads((second / "config.json").read_text())
    assert config["init_from"] == about
    near = load_file(second / "weights.safetensors")
    for name, value in load_file(first / "weights.safetensors").items():
        torch.testing.assert_close(near[name], value, rtol=0, atol=1e-9)


def test_another_network_or_other_classes_are_refused_naming_both(tmp_path: Path) -> None:
    network = build("resnet10", 2)
    file = tmp_path / "weights.safetensors"
    other = {"network": "resnet18", "classes": '["a", "b"]'}
    save_file(network.state_dict(), file, other)
    with pytest.raises(RunError, match=r"is of network resnet18, and this run's is resnet10"):
        start_from(file, network, NetworkSpec("resnet10"), ["a", "b"])
    save_file(network.state_dict(), file, {**other, "network": "resnet10"})
    for classes in (["b", "a"], ["a", "b", "c"]):
        with pytest.raises(RunError, match=rf"of classes a, b, .* are {', '.join(classes)}"):
            start_from(file, build("resnet10", len(classes)), NetworkSpec("resnet10"), classes)
    save_file(network.state_dict(), file)  # a file that says nothing about itself
    with pytest.raises(RunError, match=r"head\.bias is \(2,\) float32 where \(3,\) float32"):
        start_from(file, build("resnet10", 3), NetworkSpec("resnet10"), ["a", "b", "c"])
    assert start_from(file, network, NetworkSpec("resnet10"), ["a", "b"])["run"] is None


def test_what_could_run_code_or_is_no_run_is_refused(tmp_path: Path) -> None:
    network = build("resnet10", 2)
    with pytest.raises(UsageError, match=r"weights\.pt is not a \.safetensors file"):
        start_from(tmp_path / "weights.pt", network, NetworkSpec("resnet10"), ["a", "b"])
    with pytest.raises(UsageError, match="is not a run folder"):
        start_from(tmp_path, network, NetworkSpec("resnet10"), ["a", "b"])
    with pytest.raises(RunError, match="does not exist"):
        start_from(tmp_path / "no.safetensors", network, NetworkSpec("resnet10"), ["a", "b"])
