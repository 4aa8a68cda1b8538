"""Each optimizer is what its docstring says, and is asked for by its name only."""

from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor, nn

from distill.cli.training_options import with_effect
from distill.data import ChannelStats
from distill.engine.optimizers import make_optimizer, make_update
from distill.engine.settings import TrainingSettings
from distill.engine.task import SupervisedTask
from distill.errors import UsageError
from distill.kd import Criterion, KDTask
from distill.networks import build
from distill.settings import settings_of
from distill.training.presets import DIPALMA2021, PRESETS
from distill.training.pretrained import freeze

LR, DECAY, MOMENTUM = 0.05, 0.3, 0.7
Step = Callable[[Tensor, Tensor, int], Tensor]


class One:
    """A task of one weight vector."""

    def __init__(self) -> None:
        self.network: nn.Module = nn.Linear(3, 1, bias=False).double()

    def parameters(self) -> Iterator[nn.Parameter]:
        return self.network.parameters()

    def head(self) -> Iterator[nn.Parameter]:
        return iter(())


def adam(*, decoupled: bool) -> Step:
    mean, square = torch.zeros(3).double(), torch.zeros(3).double()

    def step(weight: Tensor, gradient: Tensor, t: int) -> Tensor:
        if decoupled:
            weight = weight - LR * DECAY * weight
        else:
            gradient = gradient + DECAY * weight
        mean.copy_(0.9 * mean + 0.1 * gradient)
        square.copy_(0.999 * square + 0.001 * gradient**2)
        root = (square / (1 - 0.999**t)).sqrt() + 1e-8
        return weight - LR * mean / (1 - 0.9**t) / root

    return step


def sgd(momentum: float) -> Step:
    held: list[Tensor] = []

    def step(weight: Tensor, gradient: Tensor, t: int) -> Tensor:
        gradient = gradient + DECAY * weight
        held[:] = [momentum * held[0] + gradient if held else gradient]
        return weight - LR * held[0]

    return step


@pytest.mark.parametrize(
    ("asked", "reference"),
    [
        ({}, adam(decoupled=False)),
        ({"optimizer": "adamw"}, adam(decoupled=True)),
        ({"optimizer": "sgd"}, sgd(0.9)),
        ({"optimizer": "sgd", "momentum": MOMENTUM}, sgd(MOMENTUM)),
        ({"optimizer": "sgd", "momentum": 0.0}, sgd(0.0)),
    ],
)
def test_an_update_is_that_of_the_equation(asked: dict[str, object], reference: Step) -> None:
    task, made = One(), torch.Generator().manual_seed(3)
    settings = TrainingSettings(lr=LR, weight_decay=DECAY, **asked)  # type: ignore[arg-type]
    optimizer = make_optimizer(task, settings)  # type: ignore[type-var]
    (weight,) = task.parameters()
    wanted = weight.detach().flatten().clone()
    for t in range(1, 6):
        gradient = torch.randn(3, generator=made, dtype=torch.float64)
        weight.grad = gradient.reshape(1, 3).clone()
        optimizer.step()
        wanted = reference(wanted, gradient, t)
        torch.testing.assert_close(weight.detach().flatten(), wanted, rtol=1e-12, atol=1e-14)


def test_there_is_an_optimizer_for_every_choice() -> None:
    (choice,) = (one for one in settings_of(TrainingSettings) if one.name == "optimizer")
    assert choice.says.choices is not None
    for name in choice.says.choices:
        made = make_optimizer(One(), TrainingSettings(optimizer=name))  # type: ignore[type-var]
        assert type(made).__name__.lower() == name
    with pytest.raises(ValueError, match="no optimizer is called 'lion'"):
        make_optimizer(One(), TrainingSettings(optimizer="lion"))  # type: ignore[type-var]


def test_momentum_is_of_sgd() -> None:
    assert TrainingSettings().momentum is None
    assert TrainingSettings(optimizer="sgd").momentum == 0.9
    assert TrainingSettings(optimizer="sgd", momentum=0.5).momentum == 0.5
    with pytest.raises(UsageError, match="--momentum is of --optimizer sgd only"):
        TrainingSettings(optimizer="adamw", momentum=0.9)


def test_what_a_preset_says_of_another_optimizer_is_dropped() -> None:
    rest = {"optimizer": "adam", "schedule": "cosine", "lr": 0.1}
    given = {**rest, "momentum": 0.9, "step_epochs": 3, "step_factor": 0.5}
    assert with_effect(given) == rest
    both = {"optimizer": "sgd", "schedule": "step"}
    assert with_effect({**given, **both}) == {**given, **both}


@pytest.mark.parametrize("name", PRESETS)
def test_the_presets_are_adam(name: str) -> None:
    assert PRESETS[name].training.optimizer == DIPALMA2021.options()["optimizer"] == "adam"


CPU = torch.device("cpu")
FLAT = ChannelStats((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
BODY_LR, HEAD_LR = 0.25, 0.5
HEADS = TrainingSettings(optimizer="sgd", lr=BODY_LR, head_lr=HEAD_LR)


def supervised(network: str) -> SupervisedTask:
    if "/" in network:
        pytest.importorskip("timm", reason="timm is an optional extra")
    return SupervisedTask(build(network, 3), "x", FLAT, CPU)


def names(task: SupervisedTask | KDTask, group: dict[str, object]) -> list[str]:
    known = {id(one): name for name, one in task.network.named_parameters()}
    found = group["params"]
    assert isinstance(found, list)
    return [known.get(id(one), "projection") for one in found]


@pytest.mark.parametrize("network", ["resnet10", "timm/test_efficientnet", "timm/test_vit"])
def test_the_head_has_a_rate_of_its_own(network: str) -> None:
    task = supervised(network)
    body, head = make_optimizer(task, HEADS).param_groups
    assert names(task, head) == ["head.weight", "head.bias"]
    every = [name for name, _ in task.network.named_parameters()]
    assert [*names(task, body), *names(task, head)] == every
    assert (body["lr"], head["lr"]) == (BODY_LR, HEAD_LR)


@pytest.mark.parametrize("network", ["resnet10", "timm/test_vit"])
def test_behind_a_frozen_backbone_only_the_head_is_moved(network: str) -> None:
    task = supervised(network)
    freeze(task.network, "backbone")  # type: ignore[arg-type]
    (head,) = make_optimizer(task, HEADS).param_groups
    assert names(task, head) == ["head.weight", "head.bias"]
    assert head["lr"] == HEAD_LR


def test_behind_frozen_stages_what_learns_has_the_body_rate() -> None:
    task = supervised("resnet10")
    freeze(task.network, "stages=2")  # type: ignore[arg-type]
    body, head = make_optimizer(task, HEADS).param_groups
    left = [name for name, one in task.network.named_parameters() if one.requires_grad]
    assert [*names(task, body), *names(task, head)] == left
    assert len(names(task, body)) < len(list(task.parameters())) - 2


class Wide:
    """A teacher whose map has other channels than the student's."""

    levels = ("y",)
    channels = 7


def test_a_projection_counts_as_head() -> None:
    task = KDTask(build("resnet10", 3), "x", FLAT, Wide(), Criterion(), CPU)  # type: ignore[arg-type]
    _, head = make_optimizer(task, HEADS).param_groups
    assert names(task, head) == ["head.weight", "head.bias", "projection", "projection"]


def test_without_the_option_there_is_one_group() -> None:
    task = supervised("resnet10")
    (group,) = make_optimizer(task, TrainingSettings()).param_groups
    assert len(group["params"]) == len(list(task.network.parameters()))


def test_a_schedule_multiplies_both_rates() -> None:
    task = supervised("resnet10")
    optimizer = make_optimizer(task, HEADS)
    for factor in (0.5, 1.0, 0.25):
        make_update(optimizer, factor, None)
        body, head = optimizer.param_groups
        assert (body["lr"], head["lr"]) == (factor * BODY_LR, factor * HEAD_LR)


def test_an_update_moves_each_by_its_own_rate() -> None:
    task = supervised("resnet10")
    optimizer = make_optimizer(task, TrainingSettings(
        optimizer="sgd", momentum=0.0, weight_decay=0.0, lr=BODY_LR, head_lr=HEAD_LR,
    ))  # fmt: skip
    before = {name: one.detach().clone() for name, one in task.network.named_parameters()}
    for one in task.parameters():
        one.grad = torch.ones_like(one)
    make_update(optimizer, 0.5, None)
    for name, one in task.network.named_parameters():
        rate = HEAD_LR if name.startswith("head.") else BODY_LR
        assert torch.equal(one.detach(), before[name] - 0.5 * rate), name


def test_a_network_without_a_head_has_no_rate_for_it() -> None:
    task = SupervisedTask(nn.Linear(3, 1), "x", FLAT, CPU)
    with pytest.raises(UsageError, match="--head-lr: the network has no head of its own"):
        make_optimizer(task, HEADS)
