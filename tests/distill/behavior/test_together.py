"""Small crops of many sizes go through a network together, and each has what it has alone."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from distill.data.augmentation import AugmentationParams, sample_params
from distill.data.batching import by_size, one_by_one
from distill.data.dataset import Crops, LabeledSample
from distill.data.normalization import ChannelStats
from distill.engine.compute_settings import ComputeSettings
from distill.engine.settings import TrainingSettings
from distill.engine.task import SupervisedTask, Task
from distill.engine.trainer import train_epoch
from distill.kd.settings import Criterion
from distill.kd.stored_teacher import StoredTeacher
from distill.kd.targets.reader import TargetsReader
from distill.kd.task import KDTask
from distill.kd.teacher import NetworkTeacher
from distill.networks import ResNet
from distill.networks import build as build_network
from distill.networks.execution import masked
from distill.networks.execution.memory import MASKED_FACTOR, memory_needed, pixels_that_fit
from distill.networks.execution.runner import CropRunner
from tests.distill.listed import Listed

CPU = torch.device("cpu")
STANDARD = ChannelStats((0.7, 0.6, 0.7), (0.2, 0.2, 0.3))
SIZES = [(40, 44), (33, 90), (41, 42), (90, 35), (44, 44), (36, 92), (200, 150), (42, 40)]


def samples() -> list[LabeledSample]:
    made = torch.Generator().manual_seed(1)

    def noise(height: int, width: int) -> Tensor:
        return torch.randint(0, 256, (3, height, width), dtype=torch.uint8, generator=made)

    return [
        LabeledSample(f"s/{i}", i, {"10x": noise(2 * h, 2 * w), "5x": noise(h, w)}, label=i % 3)
        for i, (h, w) in enumerate(SIZES)
    ]


class Silent:
    def crop(self, epoch: int, subset: str) -> None: ...

    def epoch(self, record: object) -> None: ...


def task_of(kind: str, look: CropRunner, device: torch.device = CPU) -> Task[LabeledSample]:
    network = build_network("resnet10", 3, seed=1)
    if kind == "supervised":
        return SupervisedTask(network, "5x", STANDARD, device, look)
    criterion = Criterion(attention_weight=1.0)
    high = build_network("resnet10", 3, seed=2)
    teacher = NetworkTeacher(high, "10x", STANDARD, device, criterion.question(), look)
    return KDTask(network, "5x", STANDARD, teacher, criterion, device, look=look)


class Passes(list[int]):
    """How many crops went through the network at a time."""

    def watch(self, network: torch.nn.Module) -> None:
        # the stem runs once for each pass, masked or not
        assert isinstance(network, ResNet)
        network.stem.conv.register_forward_hook(lambda _m, given, _o: self.append(len(given[0])))


@pytest.mark.parametrize("kind", ["supervised", "kd"])
def test_each_crop_has_the_figures_it_has_alone(kind: str, device: torch.device) -> None:
    draws: list[AugmentationParams | None] = [
        None,
        *(sample_params(0, 1, i) for i in range(1, len(SIZES))),
    ]
    assert {d.turns % 2 for d in draws if d} == {0, 1}
    alone = task_of(kind, CropRunner(), device)
    batched = task_of(kind, CropRunner(batch_pixels=10**5), device)
    passes = Passes()
    passes.watch(batched.network)
    wanted = [
        alone.losses([sample], [chosen])[0] for sample, chosen in zip(samples(), draws, strict=True)
    ]
    found = batched.losses(samples(), draws)
    assert max(passes) >= 3
    for one, other in zip(found, wanted, strict=True):
        assert one.keys() == other.keys()
        for name, value in other.items():
            torch.testing.assert_close(
                one[name], value, rtol=near(device), atol=near(device) / 20, msg=name
            )


def near(device: torch.device) -> float:
    """What rounding may change of a figure or a gradient; see `tests.distill.odd.tolerance`."""
    return 2e-5 if device.type == "cpu" else 4e-4


def test_stored_targets_of_a_batch_are_each_crops_own(
    real_store: Path, tmp_path: Path, distill, train
) -> None:
    """Crops of several sizes, turned or not, and plain views: nobody gets another's answer."""
    train("teacher", real_store, tmp_path / "teacher", "--level", "10x")
    words = ("--student-level", "2.5x", "--views", "2", "--device", "cpu")
    done = distill("teach", tmp_path / "teacher", real_store, "--out", tmp_path / "t", *words)
    assert done.exit_code == 0, done.output
    crops = list(TargetsReader(tmp_path / "t").crops)
    read = Crops(real_store, crops, ["2.5x"])
    given = [read[i] for i in range(len(crops))]

    def losses(pixels: int) -> list[dict[str, Tensor]]:
        criterion = Criterion()
        teacher = StoredTeacher(TargetsReader(tmp_path / "t"), criterion.question(), CPU)
        network = build_network("resnet10", 2, seed=3)
        look = CropRunner(batch_pixels=pixels)
        task = KDTask(network, "2.5x", STANDARD, teacher, criterion, CPU, look=look)
        draws = [
            task.view(crop, None if crop in crops[5:] else sample_params(0, 1 + i % 2, i))
            for i, crop in enumerate(crops)
        ]
        if pixels:
            return task.losses(given, draws)
        pairs = zip(given, draws, strict=True)
        return [task.losses([sample], [chosen])[0] for sample, chosen in pairs]

    alone, batched = losses(0), losses(10**6)
    assert len({float(one["soft"]) for one in alone}) == len(crops)
    for one, other in zip(batched, alone, strict=True):
        for name, value in other.items():
            torch.testing.assert_close(one[name], value, rtol=1e-4, atol=1e-6, msg=name)


@pytest.mark.parametrize("kind", ["supervised", "kd"])
@pytest.mark.parametrize("most", [1, 2, 4])
def test_eight_by_one_is_four_by_two_is_two_by_four(
    kind: str, most: int, device: torch.device
) -> None:
    """One update of eight crops of a real network: the gradient does not know how it was cut."""
    seen = []
    for cut in (one_by_one, by_size(10**5, most)):
        passes = Passes()
        task = task_of(kind, CropRunner(batch_pixels=10**5), device)
        passes.watch(task.network)
        adam = torch.optim.SGD(task.parameters(), lr=0.0)
        adam.register_step_pre_hook(
            lambda *_, task=task: seen.append([p.grad.clone() for p in task.parameters()])
        )
        train_epoch(
            task,
            Listed(samples()),
            adam,
            TrainingSettings(accumulate=8),
            1,
            Silent(),
            ComputeSettings(cut=cut),
        )
        assert max(passes) == (1 if cut is one_by_one else most)
        assert sum(passes) == 8
    for one, other in zip(*seen, strict=True):
        scale = float(other.abs().max())
        torch.testing.assert_close(one, other, rtol=0, atol=near(device) * scale)


def test_bf16_in_a_batch_is_as_near_as_bf16_alone(device: torch.device) -> None:
    exact = task_of("supervised", CropRunner(), device).losses(samples(), [None] * 8)
    far = []
    for pixels in (0, 10**5):
        with torch.autocast(device.type, torch.bfloat16):
            found = task_of("supervised", CropRunner(batch_pixels=pixels), device).losses(
                samples(), [None] * 8
            )
        pairs = zip(found, exact, strict=True)
        far.append(max(float((one["loss"] - other["loss"]).detach().abs()) for one, other in pairs))
    assert 0 < far[1] < 2 * far[0] + 0.01


@pytest.mark.parametrize("name", ["resnet10", "resnet18"])
def test_a_masked_batch_keeps_less_than_the_estimate_says(name: str) -> None:
    network, kept = build_network(name, 3), []
    images = [torch.randn(1, 3, 96 - i, 90) for i in range(4)]
    padded, sizes = masked.pad(images)
    for run in (lambda: network(padded).logits, lambda: masked.forward(network, padded, sizes)):
        storages: dict[int, int] = {}
        held: list[Tensor] = []  # or a storage's address would be given away again

        def note(tensor: Tensor, storages=storages, held=held) -> Tensor:
            held.append(tensor)
            storage = tensor.untyped_storage()
            storages[storage._cdata] = storage.nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
            run()
        kept.append(sum(storages.values()))
    assert kept[0] < kept[1] < MASKED_FACTOR * kept[0]


def test_a_batch_stays_within_the_memory_and_other_networks_go_one_by_one() -> None:
    network = build_network("resnet10", 3)
    little = memory_needed(network, 256, 256, ("plain",) * 5)
    fits = pixels_that_fit(network, little)
    assert 0 < fits < 256 * 256
    assert CropRunner(little, 10**9).limit(network) == fits
    assert CropRunner(little, 1000).limit(network) == 1000
    assert CropRunner(None, 1000).limit(network) == 1000
    assert CropRunner(1, 1000).limit(network) == 0
    assert CropRunner(little, 10**9).limit(torch.nn.Identity()) == 0


@pytest.mark.parametrize("kind", ["baseline", "kd"])
def test_the_command_trains_the_same_in_batches(
    kind: str, real_store: Path, tmp_path: Path, train
) -> None:
    more: list[object] = ["--level", "2.5x", "--accumulate", "4"]
    if kind == "kd":
        train("teacher", real_store, tmp_path / "teacher", "--level", "10x")
        more += ["--teacher", tmp_path / "teacher"]
    for name, pixels in {"alone": 0, "together": 10**6}.items():
        train(kind, real_store, tmp_path / name, *more, "--batch-pixels", pixels)
        config = json.loads((tmp_path / name / "config.json").read_text())
        assert config["batch_pixels"] == pixels
    one, other = (load_file(tmp_path / n / "checkpoint.safetensors") for n in ("alone", "together"))
    differ = 0
    for key, value in one.items():
        torch.testing.assert_close(other[key], value, rtol=1e-3, atol=2e-4, msg=key)
        differ += not torch.equal(other[key], value)
    assert differ  # or nothing was batched, and this compares a thing with itself


def test_a_run_that_is_resumed_keeps_its_batches(real_store: Path, tmp_path: Path, train) -> None:
    out = tmp_path / "run"
    train("baseline", real_store, out, "--level", "2.5x", "--batch-pixels", 1234)
    (out / "outcome.json").unlink()
    train("baseline", real_store, out, "--level", "2.5x", "--resume")
    assert json.loads((out / "config.json").read_text())["batch_pixels"] == 1234
