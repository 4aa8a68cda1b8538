"""No tensor is left on the CPU where a network runs on CUDA: proved without a CUDA device.

torch's fake tensors have a shape and a device and no values; to add one of the CPU's to one of
CUDA's is an error, as it is on a machine that has both.
"""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from distill.data.augmentation import AugmentationParams, AugmentationSettings, sample_params
from distill.data.dataset import LabeledSample
from distill.data.normalization import ChannelStats
from distill.embeddings.heads import build_head
from distill.embeddings.tiled import TiledClassifier
from distill.embeddings.tiles import TileRule
from distill.engine.gradients import GradientAccumulator
from distill.engine.task import SupervisedTask
from distill.explain.gradcam import gradcam_plus_plus
from distill.kd.maps import RESIZERS
from distill.kd.settings import Criterion
from distill.kd.task import KDTask
from distill.kd.teacher import NetworkTeacher
from distill.networks import NetworkSpec, build, build_encoder
from distill.networks.execution.modes import execution_plans, forward, plan_name
from distill.networks.execution.runner import CropRunner
from distill.networks.execution.streamed_input import StreamedInput

CUDA = torch.device("cuda:0")
STANDARD = ChannelStats((0.7, 0.6, 0.7), (0.2, 0.2, 0.3))
SIZES = [(64, 80), (61, 77), (96, 40)]
STAINS = AugmentationSettings(hed_jitter=0.05)
DRAWS: list[AugmentationParams | None] = [None, *(sample_params(0, 1, i, STAINS) for i in (1, 2))]
WAYS = execution_plans(build("resnet10", 2))


def moved(self: nn.Module, device: torch.device) -> nn.Module:
    """As `nn.Module.to`, which exchanges tensors in place, as fake ones cannot be."""
    for module in self.modules():
        for name, parameter in module._parameters.items():
            if parameter is not None:
                made = nn.Parameter(parameter.detach().to(device), parameter.requires_grad)
                module._parameters[name] = made
        for name, buffer in module._buffers.items():
            module._buffers[name] = None if buffer is None else buffer.to(device)
    return self


@pytest.fixture(autouse=True)
def _fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """All tensors of a test are fake."""
    monkeypatch.setattr(nn.Module, "to", moved)
    # or autocast would see that there is no CUDA, and do nothing
    monkeypatch.setattr("torch.cuda.amp.common.amp_definitely_not_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda *_: True)
    with FakeTensorMode():
        yield


def samples() -> list[LabeledSample]:
    def image(height: int, width: int) -> Tensor:
        return torch.zeros(3, height, width, dtype=torch.uint8)

    return [
        LabeledSample(f"s/{i}", i, {"10x": image(2 * h, 2 * w), "5x": image(h, w)}, label=i % 2)
        for i, (h, w) in enumerate(SIZES)
    ]


def test_a_tensor_that_is_left_behind_is_found() -> None:
    """Or the other tests prove nothing."""
    network = build("resnet10", 2).to(CUDA)
    assert network(torch.zeros(1, 3, 64, 64, device=CUDA)).logits.device == CUDA
    with pytest.raises(RuntimeError, match="device"):
        network(torch.zeros(1, 3, 64, 64))


@pytest.mark.parametrize("way", WAYS, ids=plan_name)
@pytest.mark.parametrize("drawn", [0, 1])
def test_each_way_of_running_a_network(way: Any, drawn: int) -> None:
    network = build("resnet10", 2).to(CUDA)
    image = samples()[drawn].images["5x"]
    found = forward(network, StreamedInput(image, DRAWS[drawn], STANDARD, CUDA), way, strip=5000)
    assert found.logits.device == found.features.device == CUDA


@pytest.mark.parametrize(
    ("name", "pixels", "precision"),
    [
        ("resnet10", 0, torch.bfloat16),
        ("resnet10", 10**6, torch.float32),
        ("resnet10", 10**6, torch.bfloat16),
        ("torchvision/resnet18", 10**6, torch.bfloat16),
    ],
)
def test_crops_alone_and_in_batches(name: str, pixels: int, precision: torch.dtype) -> None:
    network = build(name, 2).to(CUDA)
    images = [sample.images["5x"] for sample in [*samples(), *samples()]]
    with torch.autocast("cuda", precision, enabled=precision != torch.float32):
        found = CropRunner(None, pixels)(network, images, 2 * DRAWS, STANDARD, CUDA)
    assert {(one.logits.device, one.features.device) for one in found} == {(CUDA, CUDA)}
    assert {one.logits.dtype for one in found} == {precision}


@pytest.mark.parametrize(
    ("precision", "learns"),
    [(torch.float32, True), (torch.bfloat16, True), (torch.float32, False)],
)
def test_losses(precision: torch.dtype, learns: bool) -> None:
    network = build("resnet10", 2)
    given = {"label_smoothing": 0.1, "class_weights": [0.5, 1.5]}
    supervised = SupervisedTask(network, "5x", STANDARD, CUDA, CropRunner(None, 10**6), **given)
    tasks: list[Any] = [supervised]
    for distance in ("mse", "l1"):
        criterion = Criterion(resizers=tuple(RESIZERS), distance=distance)
        high, question = build("resnet10", 2), criterion.question()
        teacher = NetworkTeacher(high, "10x", STANDARD, CUDA, question, CropRunner(None, 10**6))
        tasks.append(KDTask(build("resnet10", 2), "5x", STANDARD, teacher, criterion, CUDA))
    for task in tasks:
        with (
            torch.autocast("cuda", torch.bfloat16, enabled=precision != torch.float32),
            torch.set_grad_enabled(learns),
        ):
            found = task.losses(samples(), DRAWS)
        assert len(found) == len(SIZES)
        for one in found:
            assert one["loss"].requires_grad == learns
            assert {value.device for value in one.values()} == {CUDA}
            assert one["loss"].dtype == torch.float32


def test_gradients_are_gathered_where_they_are() -> None:
    network = build("resnet10", 2).to(CUDA)
    gathered = GradientAccumulator(network.parameters())
    for parameter in network.parameters():
        parameter.grad = torch.ones_like(parameter)
    gathered.add()
    assert gathered._held.device == CUDA


@pytest.mark.parametrize("head", ["linear", "attention"])
def test_tiles_of_a_foundation_model(head: str) -> None:
    encoder = build_encoder(NetworkSpec("torchvision/resnet18"))
    whole = TiledClassifier(encoder, build_head(head, 512, 2), TileRule(64, 16)).to(CUDA)
    found = whole(torch.zeros(1, 3, 200, 150, device=CUDA))
    assert found.logits.device == found.features.device == CUDA


def test_a_map_that_explains() -> None:
    network = build("resnet10", 2).to(CUDA)
    found = network(torch.zeros(1, 3, 96, 96, device=CUDA))
    assert gradcam_plus_plus(found.features[0], network.head.weight[1]).device == CUDA
