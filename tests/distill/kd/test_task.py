import dataclasses
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from distill.data.augmentation import AugmentationParams, sample_params, with_own_colors
from distill.data.dataset import Sample
from distill.data.normalization import ChannelStats, network_input, to_input
from distill.errors import UsageError
from distill.kd.losses import (
    attention_loss,
    attention_map,
    pixel_loss,
    resized_attention,
    soft_loss,
)
from distill.kd.settings import Criterion
from distill.kd.targets.target import TeacherOutput
from distill.kd.task import KDTask
from distill.kd.teacher import NetworkTeacher, PendingTargets
from distill.networks import Output, build
from distill.networks.feature_maps import feature_map

CPU = torch.device("cpu")
HIGH, LOW = ChannelStats((0.4,) * 3, (0.2,) * 3), ChannelStats((0.5,) * 3, (0.1,) * 3)
PIXELS = torch.Generator().manual_seed(0)
SAMPLE = Sample(
    "s/0",
    0,
    {
        "10x": torch.randint(0, 256, (3, 64, 48), dtype=torch.uint8, generator=PIXELS),
        "2.5x": torch.randint(0, 256, (3, 40, 72), dtype=torch.uint8, generator=PIXELS),
    },
)


class Other(nn.Module):
    """A teacher of another kind: batch norm, stride 16, 24 channels, perhaps without logits."""

    def __init__(self, logits: bool = True) -> None:
        super().__init__()
        torch.manual_seed(5)
        self.body = nn.Sequential(nn.Conv2d(3, 24, 16, 16), nn.BatchNorm2d(24), nn.ReLU())
        self.head = nn.Linear(24, 3)
        self.logits = logits

    def classify(self, features: Tensor) -> Tensor:
        return self.head(features.mean((2, 3)))

    def forward(self, image: Tensor) -> Output:
        features = self.body(image)
        return Output(self.classify(features) if self.logits else None, features)


def kd_task(
    teacher: nn.Module | None = None, *, own_colors: bool = False, **criterion: Any
) -> tuple[KDTask, nn.Module]:
    asked = Criterion(**criterion)
    looks = teacher or build("resnet10", 3, seed=1)
    taught = NetworkTeacher(looks, "10x", HIGH, CPU, asked.question())
    student = build("resnet10", 3, seed=0)
    return KDTask(student, "2.5x", LOW, taught, asked, CPU, own_colors=own_colors), looks


def loss(
    task: KDTask, chosen: AugmentationParams | None = None, sample: Sample = SAMPLE
) -> dict[str, Tensor]:
    (found,) = task.losses([sample], [chosen])
    return found


def state(module: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in module.state_dict().items()}


def test_the_sample_of_distillation_has_no_label() -> None:
    assert {field.name for field in dataclasses.fields(Sample)} == {"crop", "index", "images"}
    loss(kd_task()[0])


@pytest.mark.parametrize("other", [False, True])
@pytest.mark.parametrize("attention", [0.0, 1.0])
def test_distillation_changes_student_and_projection_and_leaves_the_teacher_bitwise_alone(
    other: bool, attention: float
) -> None:
    task, looks = kd_task(Other().train() if other else None, attention_weight=attention)
    task.network.train()
    teacher, student, projection = state(looks), state(task.network), state(task.projection)
    assert len(projection) == (2 if other else 0)
    adam = torch.optim.Adam(task.parameters())
    for step in range(3):
        loss(task, sample_params(0, 1, step))["loss"].backward()
        adam.step()
    assert not looks.training
    assert all(p.grad is None and not p.requires_grad for p in looks.parameters())
    for name, value in looks.state_dict().items():
        assert torch.equal(value, teacher[name])
    for module, before in ((task.network, student), (task.projection, projection)):
        for name, value in module.state_dict().items():
            assert not torch.equal(value, before[name]), name
    learning = {id(p) for p in task.parameters()}
    assert learning == {id(p) for m in (task.network, task.projection) for p in m.parameters()}


def test_with_own_colors_student_and_teacher_see_one_geometry_in_two_colors() -> None:
    task, looks = kd_task(own_colors=True)
    chosen = sample_params(7, 3, 1)
    found = loss(task, chosen)
    own = with_own_colors(chosen, 0, SAMPLE.index)
    taught = looks(network_input(SAMPLE.images["10x"], chosen, HIGH, CPU))
    learnt = task.network(network_input(SAMPLE.images["2.5x"], own, LOW, CPU))
    torch.testing.assert_close(found["soft"], soft_loss(learnt.logits, taught.logits))
    torch.testing.assert_close(found["pixel"], pixel_loss(learnt.features, taught.features))
    shared = loss(kd_task()[0], chosen)
    assert not torch.allclose(found["soft"], shared["soft"])
    # validation has no draw, and nothing of its own
    torch.testing.assert_close(loss(task)["loss"], loss(kd_task()[0])["loss"])


class Plain:
    """A teacher that saw every crop as it is, as stored targets of a foundation model."""

    levels: tuple[str, ...] = ()
    channels = 256

    def __init__(self) -> None:
        self.said: list[TeacherOutput] = []

    def view(self, crop: str, chosen: AugmentationParams | None) -> AugmentationParams | None:
        return None

    def ask(self, samples: Any, draws: Any, sizes: Sequence[tuple[int, int]]) -> PendingTargets:
        made = torch.Generator().manual_seed(1)
        self.said = [
            TeacherOutput(
                torch.randn(1, 3, generator=made),
                (torch.rand(1, 256, *size, generator=made),),
                torch.tensor(0.5),
            )
            for size in sizes
        ]
        return lambda: self.said


def test_own_colors_are_shown_where_the_teacher_saw_the_crop_as_it_is() -> None:
    seen: list[Tensor] = []

    def shown(own: bool, epoch: int | None, seed: int = 3) -> Tensor:
        student = build("resnet10", 3, seed=0)
        student.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
        task = KDTask(student, "2.5x", LOW, Plain(), Criterion(), CPU, seed, own_colors=own)
        offered = None if epoch is None else sample_params(seed, epoch, SAMPLE.index)
        loss(task, task.view(SAMPLE.crop, offered))
        return seen[-1]

    plain = network_input(SAMPLE.images["2.5x"], None, LOW, CPU)
    assert torch.equal(shown(False, 1), plain)  # the teacher's colours are the crop's own
    assert torch.equal(shown(True, None), plain)  # and validation changes nothing
    first = shown(True, 1)
    own = with_own_colors(sample_params(3, 1, SAMPLE.index), 3, SAMPLE.index)
    upright = dataclasses.replace(own, hflip=False, vflip=False, turns=0)
    assert torch.equal(first, network_input(SAMPLE.images["2.5x"], upright, LOW, CPU))
    assert first.shape == plain.shape
    assert not torch.allclose(first, plain)
    assert not torch.allclose(first, shown(True, 2))
    assert torch.equal(first, shown(True, 1))


def test_the_loss_is_the_weighted_sum_of_its_parts_each_level_by_its_own_standard() -> None:
    task, looks = kd_task(temperature=2.0, soft_weight=3.0, pixel_weight=0.5, attention_weight=7.0)
    found = loss(task)
    taught = looks(to_input(SAMPLE.images["10x"], HIGH.mean, HIGH.std))
    learnt = task.network(to_input(SAMPLE.images["2.5x"], LOW.mean, LOW.std))
    soft = soft_loss(learnt.logits, taught.logits, 2.0)
    pixel = pixel_loss(learnt.features, taught.features)
    top = int(taught.logits.argmax())
    maps = []
    for network, output in ((looks, taught), (task.network, learnt)):
        # with a global mean and a linear layer, the gradient is the class' weight over the cells
        weight = network.head.weight[top].view(1, -1, 1, 1) / output.features[0, 0].numel()
        maps.append(attention_map(output.features, weight.expand_as(output.features)))
    teacher_map = resized_attention(maps[0], tuple(learnt.features.shape[-2:]))
    attention = attention_loss(maps[1], teacher_map)
    assert float(attention.detach()) > 0
    for name, part in {"soft": soft, "pixel": pixel, "attention": attention}.items():
        torch.testing.assert_close(found[name], part.detach())
    torch.testing.assert_close(found["loss"], 3 * soft + 0.5 * pixel + 7 * attention)


def test_the_attention_term_teaches_the_head_and_the_stem() -> None:
    task, _ = kd_task(soft_weight=0.0, pixel_weight=0.0, attention_weight=1.0)
    loss(task)["loss"].backward()
    head, stem = task.network.head.weight.grad, task.network.stem.conv.weight.grad
    assert head.abs().sum() > 0
    assert stem.abs().sum() > 0


def test_validation_gives_the_same_figures_and_keeps_no_graph() -> None:
    task, _ = kd_task(attention_weight=1.0)
    training = loss(task)
    with torch.no_grad():
        found = loss(task)
    assert not any(value.requires_grad for value in found.values())
    assert {k: float(v) for k, v in found.items()} == {
        k: float(v.detach()) for k, v in training.items()
    }


def test_a_part_without_weight_is_not_computed() -> None:
    task, _ = kd_task(Other(logits=False), soft_weight=0.0)
    assert set(loss(task)) == {"loss", "pixel"}
    task, _ = kd_task(Other(), pixel_weight=0.0)
    assert isinstance(task.projection, nn.Identity)
    assert set(loss(task)) == {"loss", "soft"}
    with pytest.raises(ValueError, match="gives no logits; use --soft-weight 0"):
        loss(kd_task(Other(logits=False))[0])


def test_attention_of_a_network_that_cannot_classify_a_map_is_refused() -> None:
    opaque = Other()
    opaque.__class__ = type("Opaque", (nn.Module,), {"forward": Other.forward})
    question = Criterion(attention_weight=1.0).question()
    with pytest.raises(UsageError, match="leave --attention-weight at 0"):
        NetworkTeacher(opaque, "10x", HIGH, CPU, question)


def test_the_projection_is_a_function_of_the_seed_and_leaves_torchs_generator_alone() -> None:
    criterion = Criterion()
    student = build("resnet10", 3)
    teacher = NetworkTeacher(Other(), "10x", HIGH, CPU, criterion.question())
    before = torch.get_rng_state()
    tasks = [KDTask(student, "2.5x", LOW, teacher, criterion, CPU, seed) for seed in (0, 0, 1)]
    assert torch.equal(before, torch.get_rng_state())
    one, same, differs = (task.projection.weight for task in tasks)
    assert one.shape == (24, 256, 1, 1)
    assert torch.equal(one, same)
    assert not torch.equal(one, differs)


def test_l1_compares_with_each_resized_map() -> None:
    task, looks = kd_task(distance="l1", soft_weight=0.0)
    taught = looks(to_input(SAMPLE.images["10x"], HIGH.mean, HIGH.std))
    learnt = task.network(to_input(SAMPLE.images["2.5x"], LOW.mean, LOW.std))
    wanted = pixel_loss(learnt.features, taught.features, distance="l1")
    torch.testing.assert_close(loss(task)["loss"], wanted)


def test_teacher_and_student_see_the_same_draw() -> None:
    seen: dict[str, Tensor] = {}
    task, looks = kd_task()
    looks.register_forward_pre_hook(lambda _, inputs: seen.update(teacher=inputs[0]))
    task.network.register_forward_pre_hook(lambda _, inputs: seen.update(student=inputs[0]))
    chosen = dataclasses.replace(sample_params(0, 1, 0), turns=1, hflip=True)
    loss(task, chosen)
    for who, level, standard in (("teacher", "10x", HIGH), ("student", "2.5x", LOW)):
        assert torch.equal(seen[who], network_input(SAMPLE.images[level], chosen, standard, CPU))
        assert seen[who].shape[-2:] == SAMPLE.images[level].shape[:0:-1]


@pytest.mark.parametrize("size", [(5, 33), (64, 65), (31, 96)])
def test_a_feature_map_is_known_without_running_the_network(size: tuple[int, int]) -> None:
    network = build("resnet10", 2)
    found = feature_map(network)
    assert (found.channels, found.stride) == (256, 32)
    features = network(torch.zeros(1, 3, *size)).features
    assert found.cells(*size) == tuple(features.shape[-2:])
    other = feature_map(Other())
    assert (other.channels, other.stride) == (24, 16)
