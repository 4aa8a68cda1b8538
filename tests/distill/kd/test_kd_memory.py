"""Distillation within --memory: the teacher's maps are gone before the student's are made."""

from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from distill.data.augmentation import AugmentationParams, sample_params
from distill.data.dataset import Sample
from distill.data.normalization import ChannelStats
from distill.errors import TrainingError
from distill.kd.criterion import loss_parts
from distill.kd.losses import total_loss
from distill.kd.settings import Criterion
from distill.kd.targets.target import TeacherOutput
from distill.kd.task import KDTask
from distill.kd.teacher import NetworkTeacher, PendingTargets
from distill.networks import build
from distill.networks.execution.memory import memory_of_forward, memory_of_plans
from distill.networks.execution.runner import UNBOUNDED, CropRunner

CPU = torch.device("cpu")
HIGH, LOW = ChannelStats((0.4,) * 3, (0.2,) * 3), ChannelStats((0.5,) * 3, (0.1,) * 3)


def sample(high: tuple[int, int], low: tuple[int, int]) -> Sample:
    made = torch.Generator().manual_seed(2)
    images = {
        name: torch.randint(0, 256, (3, *size), dtype=torch.uint8, generator=made)
        for name, size in (("10x", high), ("2.5x", low))
    }
    return Sample("s/0", 0, images)


def teacher_of(criterion: Criterion, memory: int | None = None) -> NetworkTeacher:
    look = CropRunner(memory, learns=False)
    return NetworkTeacher(
        build("resnet10", 3, seed=1), "10x", HIGH, CPU, criterion.question(), look
    )


def task_of(teacher: object, criterion: Criterion, memory: int | None = None) -> KDTask:
    student = build("resnet10", 3, seed=0)
    return KDTask(student, "2.5x", LOW, teacher, criterion, CPU, look=CropRunner(memory))  # type: ignore[arg-type]


class Remembering:
    """A teacher that has its answers ready."""

    levels = ("10x",)
    channels = 256

    def __init__(self, said: list[TeacherOutput]) -> None:
        self._said = said

    def view(self, crop: str, chosen: AugmentationParams | None) -> AugmentationParams | None:
        return chosen

    def ask(
        self,
        samples: Sequence[Sample],
        draws: Sequence[AugmentationParams | None],
        sizes: Sequence[tuple[int, int]],
    ) -> PendingTargets:
        return lambda: self._said


def peak(run: Callable[[], object]) -> int:
    """Bytes that torch's CPU allocator has given out at the peak of a run, by its own records."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as found:
        run()
    now = most = 0
    for event in found.profiler.kineto_results.events():
        if event.name() == "[memory]":
            now += event.nbytes()
            most = max(most, now)
    return most


def learn(task: KDTask, given: Sample, chosen: AugmentationParams | None) -> None:
    (found,) = task.losses([given], [chosen])
    found["loss"].backward()
    task.network.zero_grad(set_to_none=True)


@pytest.mark.parametrize("attention", [0.0, 1.0])
@pytest.mark.parametrize("chosen", [None, sample_params(0, 1, 5)], ids=["plain", "drawn"])
def test_distillation_takes_what_the_larger_of_its_two_passes_takes(
    attention: float, chosen: AugmentationParams | None
) -> None:
    criterion = Criterion(attention_weight=attention)
    given, size = sample((640, 512), (448, 416)), (14, 13)
    if chosen and chosen.turns % 2:
        size = size[::-1]
    teacher = teacher_of(criterion)
    ((said,),) = teacher.answers([given], [chosen], [[size]])
    looking = peak(lambda: teacher.answers([given], [chosen], [[size]]))
    told, asking = task_of(Remembering([said]), criterion), task_of(teacher, criterion)
    learning = peak(lambda: learn(told, given, chosen))
    both = peak(lambda: learn(asking, given, chosen))
    assert min(looking, learning) > 0.2 * max(looking, learning)  # or there is nothing to tell
    assert both < 1.02 * max(looking, learning)


def test_a_pass_of_distillation_stays_within_the_memory_it_was_given() -> None:
    """Little memory: as much as either pass needs alone, the pixels of both levels in it."""
    criterion, given = Criterion(), sample((2560, 2304), (1600, 1472))
    network = build("resnet10", 3)
    pixels = sum(image.nbytes for image in given.images.values())
    alone = [
        next(iter(memory_of_forward(network, 2560, 2304).values())),
        next(iter(memory_of_plans(network, 1600, 1472).values())),
    ]
    budget = max(alone) + pixels
    task = task_of(teacher_of(criterion, budget), criterion, budget)
    assert pixels + peak(lambda: learn(task, given, None)) < budget


def test_pixels_of_other_levels_are_part_of_a_crops_memory() -> None:
    network, size = build("resnet10", 3), (301, 415)
    plain, checkpointed, *_ = memory_of_plans(network, *size).values()
    assert CropRunner(plain)._way(network, *size) is None
    for held in (1, plain - checkpointed):
        assert set(CropRunner(plain)._way(network, *size, held=held) or ()) == {"checkpointed"}
    with pytest.raises(TrainingError, match=r"needs 0\.\d GiB, and --memory is"):
        CropRunner(plain)._way(network, *size, held=plain)
    given = sample((640, 512), (320, 256))
    assert (given.beside("10x"), given.beside("2.5x")) == (3 * 320 * 256, 3 * 640 * 512)


@pytest.mark.parametrize("attention", [0.0, 1.0])
def test_losses_and_gradients_are_those_of_a_teacher_that_looks_after_the_student(
    attention: float,
) -> None:
    criterion, chosen = Criterion(attention_weight=attention), sample_params(0, 1, 5)
    given, teacher = sample((200, 168), (97, 81)), teacher_of(criterion)
    task = task_of(teacher, criterion)
    (found,) = task.losses([given], [chosen])
    found["loss"].backward()

    student = build("resnet10", 3, seed=0)
    (learnt,) = UNBOUNDED(student, [given.images["2.5x"]], [chosen], LOW, CPU)
    ((taught,),) = teacher.answers([given], [chosen], [[tuple(learnt.features.shape[2:])]])
    parts = loss_parts(criterion, learnt, taught, torch.nn.Identity())
    wanted: Tensor = total_loss(parts, criterion.weights)
    wanted.backward()
    assert torch.equal(found["loss"], wanted)
    for ours, theirs in zip(task.network.parameters(), student.parameters(), strict=True):
        assert ours.grad is not None
        assert torch.equal(ours.grad, theirs.grad)


def test_students_of_several_levels_take_one_look() -> None:
    given, teacher = sample((640, 512), (32, 32)), teacher_of(Criterion())
    sizes = [(20, 16), (10, 8), (5, 4)]
    answers = sum(4 * 256 * rows * columns for rows, columns in sizes)
    one = peak(lambda: teacher.answers([given], [None], [sizes[:1]]))
    assert peak(lambda: teacher.answers([given], [None], [sizes])) < one + answers
