"""Seconds are of what `distill evaluate` does, and of nothing else."""

import pytest
import torch
from torch import Tensor, nn

from distill.cost.timing import machine, seconds

CPU = torch.device("cpu")


class Slow(nn.Module):
    """Takes 20 ms a crop, and 300 ms for the first of each size, on a clock of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = 0.0
        self.seen: list[tuple[int, ...]] = []

    def forward(self, image: Tensor) -> Tensor:
        self.clock += 0.02 if image.shape in self.seen else 0.3
        self.seen.append(image.shape)
        assert torch.is_inference_mode_enabled()
        assert image.dtype == torch.float32
        return image.mean()


def test_passes_are_timed_after_one_that_warms_up(monkeypatch: pytest.MonkeyPatch) -> None:
    network = Slow()
    monkeypatch.setattr("time.perf_counter", lambda: network.clock)
    found = seconds(network, [(8, 8), (9, 7)], CPU, 3)
    assert network.seen == [(1, 3, 8, 8), (1, 3, 9, 7)] * 4
    assert (found["passes"], found["crops"]) == (3, 2)
    for name in ("fastest", "median", "slowest"):
        assert found[name] == pytest.approx(0.04)


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
