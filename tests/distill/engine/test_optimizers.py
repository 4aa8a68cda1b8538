"""Each optimizer is what its docstring says, and is asked for by its name only."""

from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor, nn

from distill.cli.training_options import with_effect
from distill.engine.optimizers import make_optimizer
from distill.engine.settings import TrainingSettings
from distill.errors import UsageError
from distill.settings import settings_of
from distill.training.presets import DIPALMA2021, PRESETS

LR, DECAY, MOMENTUM = 0.05, 0.3, 0.7
Step = Callable[[Tensor, Tensor, int], Tensor]


class One:
    """A task of one weight vector."""

    def __init__(self) -> None:
        self.network: nn.Module = nn.Linear(3, 1, bias=False).double()

    def parameters(self) -> Iterator[nn.Parameter]:
        return self.network.parameters()


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
