"""Seconds are of what `distill evaluate` does, and of nothing else."""

import time

import pytest
import torch
from torch import Tensor, nn

from distill.cost.timing import machine, seconds

CPU = torch.device("cpu")


class Slow(nn.Module):
    """Takes 20 ms a crop, and 300 ms for the first of each size."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[int, ...]] = []

    def forward(self, image: Tensor) -> Tensor:
        time.sleep(0.02 if image.shape in self.seen else 0.3)
        self.seen.append(image.shape)
        assert torch.is_inference_mode_enabled()
        assert image.dtype == torch.float32
        return image.mean()


def test_passes_are_timed_after_one_that_warms_up() -> None:
    network = Slow()
    found = seconds(network, [(8, 8), (9, 7)], CPU, 3)
    assert network.seen == [(1, 3, 8, 8), (1, 3, 9, 7)] * 4
    assert (found["passes"], found["crops"]) == (3, 2)
    assert 0.04 <= found["fastest"] <= found["median"] <= found["slowest"]
    assert found["fastest"] < 0.3


def test_the_machine_is_named() -> None:
    found = machine(CPU)
    assert (found["type"], found["threads"]) == ("cpu", torch.get_num_threads())
    assert found["name"].strip()
    assert found["torch"] == torch.__version__


def test_the_processor_is_named_where_no_file_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pathlib.Path.is_file", lambda path: False)
    monkeypatch.setattr("platform.processor", lambda: "")
    monkeypatch.setattr("platform.machine", lambda: "arm64")
    assert machine(CPU)["name"] == "arm64"
