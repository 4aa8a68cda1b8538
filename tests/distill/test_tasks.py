import dataclasses

import pytest
import torch

from distill.augment import Draw, apply, draw
from distill.losses import pixel_loss, soft_loss
from distill.networks import build
from distill.pairs import LabelledSample, Sample
from distill.standardise import Standard, to_input
from distill.tasks import KDTask, SupervisedTask, prepare

CPU = torch.device("cpu")
HIGH, LOW = Standard((0.4,) * 3, (0.2,) * 3), Standard((0.5,) * 3, (0.1,) * 3)
SAMPLE = Sample(
    "s/0",
    0,
    {
        "10x": torch.randint(0, 256, (3, 64, 48), dtype=torch.uint8),
        "2.5x": torch.randint(0, 256, (3, 16, 12), dtype=torch.uint8),
    },
)


def kd_task(**weights: float) -> KDTask:
    student, teacher = build("resnet10", 3, seed=0), build("resnet10", 3, seed=1)
    return KDTask(student, "2.5x", LOW, teacher, "10x", HIGH, CPU, **weights)


def test_the_sample_of_distillation_has_no_label() -> None:
    assert {field.name for field in dataclasses.fields(Sample)} == {"crop", "index", "images"}
    kd_task().loss(SAMPLE, None)


def test_distillation_changes_the_student_and_leaves_the_teacher_bitwise_alone() -> None:
    task = kd_task()
    task.network.train()
    teacher = {name: value.clone() for name, value in task.teacher.state_dict().items()}
    student = {name: value.clone() for name, value in task.network.state_dict().items()}
    adam = torch.optim.Adam(task.parameters())
    for step in range(2):
        task.loss(SAMPLE, draw(0, 1, step))["loss"].backward()
        adam.step()
    assert not task.teacher.training
    assert all(p.grad is None and not p.requires_grad for p in task.teacher.parameters())
    for name, value in task.teacher.state_dict().items():
        assert torch.equal(value, teacher[name])
    for name, value in task.network.state_dict().items():
        assert not torch.equal(value, student[name]), name


def test_the_loss_is_the_weighted_sum_of_both_parts_each_level_by_its_own_standard() -> None:
    task = kd_task(temperature=2.0, soft_weight=3.0, pixel_weight=0.5)
    found = task.loss(SAMPLE, None)
    taught = task.teacher(to_input(SAMPLE.images["10x"], HIGH.mean, HIGH.std))
    learnt = task.network(to_input(SAMPLE.images["2.5x"], LOW.mean, LOW.std))
    soft = soft_loss(learnt.logits, taught.logits, 2.0)
    pixel = pixel_loss(learnt.features, taught.features)
    torch.testing.assert_close(found["soft"], soft.detach())
    torch.testing.assert_close(found["pixel"], pixel.detach())
    torch.testing.assert_close(found["loss"], 3 * soft + 0.5 * pixel)


def test_teacher_and_student_see_the_same_draw() -> None:
    seen: list[torch.Tensor] = []
    task = kd_task()
    for network in (task.teacher, task.network):
        network.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    chosen = dataclasses.replace(draw(0, 1, 0), turns=1, hflip=True)
    task.loss(SAMPLE, chosen)
    for image, level, standard in zip(seen, ("10x", "2.5x"), (HIGH, LOW), strict=True):
        assert torch.equal(image, prepare(SAMPLE.images[level], chosen, standard, CPU))
        assert image.shape[-2:] == SAMPLE.images[level].shape[:0:-1]


def test_augmentation_comes_before_standardisation() -> None:
    bright = Draw(1.5, 1, 1, 0, ("brightness", "contrast", "saturation", "hue"), True, False, 0)
    image = SAMPLE.images["2.5x"]
    unit = apply(bright, image / 255)
    wanted = (unit - 0.5) / 0.1
    torch.testing.assert_close(prepare(image, bright, LOW, CPU)[0], wanted)


@pytest.mark.parametrize("label", [0, 1, 2])
def test_supervision_is_cross_entropy_and_counts_right_answers(label: int) -> None:
    network = build("resnet10", 3)
    task = SupervisedTask(network, "10x", HIGH, CPU)
    sample = LabelledSample(SAMPLE.crop, 0, SAMPLE.images, label=label)
    found = task.loss(sample, None)
    logits = network(to_input(SAMPLE.images["10x"], HIGH.mean, HIGH.std)).logits[0]
    torch.testing.assert_close(found["loss"], logits.exp().sum().log() - logits[label])
    assert float(found["accuracy"]) == float(int(logits.argmax()) == label)
