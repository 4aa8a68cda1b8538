"""The loss of labels is the equation's, and validation's is the plain one."""

import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight

from distill.data.dataset import LabeledSample
from distill.data.normalization import ChannelStats
from distill.engine.label_settings import LabelSettings, class_weights
from distill.engine.task import SupervisedTask
from distill.errors import UsageError
from distill.networks import build

CPU = torch.device("cpu")
STANDARD = ChannelStats((0.7, 0.6, 0.7), (0.2, 0.2, 0.3))
WEIGHTS = (0.5, 2.0, 1.25)


def samples() -> list[LabeledSample]:
    made = torch.Generator().manual_seed(2)
    return [
        LabeledSample(
            f"s/{i}",
            i,
            {"x": torch.randint(0, 256, (3, 40, 40), dtype=torch.uint8, generator=made)},
            label=i % 3,
        )
        for i in range(5)
    ]


def task(**more: object) -> SupervisedTask:
    return SupervisedTask(build("resnet10", 3, seed=1), "x", STANDARD, CPU, **more)  # type: ignore[arg-type]


def losses(one: SupervisedTask) -> list[float]:
    return [float(figures["loss"].detach()) for figures in one.losses(samples(), [None] * 5)]


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_the_loss_is_that_of_the_equation(
    smoothing: float, weights: tuple[float, ...] | None
) -> None:
    asked = task(label_smoothing=smoothing, class_weights=weights)
    images = [sample.images["x"] for sample in samples()]
    with torch.no_grad():
        outputs = asked._look(asked.network, images, [None] * 5, STANDARD, CPU)
        plain = losses(asked)
    logits = torch.cat([output.logits for output in outputs]).numpy().astype(np.float64)
    surprise = np.log(np.exp(logits).sum(1, keepdims=True)) - logits
    w, labels = np.array(weights or (1.0,) * 3), [sample.label for sample in samples()]
    for number, (found, without) in enumerate(zip(losses(asked), plain, strict=True)):
        of_label = w[labels[number]] * surprise[number, labels[number]]
        wanted = (1 - smoothing) * of_label + smoothing / 3 * (w * surprise[number]).sum()
        assert found == pytest.approx(wanted, rel=1e-5)
        assert without == pytest.approx(surprise[number, labels[number]], rel=1e-5)


def test_by_default_it_is_the_plain_loss_to_the_bit() -> None:
    wanted = losses(task())
    assert losses(task(label_smoothing=0.0, class_weights=None)) == wanted
    with torch.no_grad():
        assert losses(task(label_smoothing=0.5, class_weights=WEIGHTS)) == wanted


def test_balanced_weights_are_scikit_learns() -> None:
    labels = ["b"] * 7 + ["a"] * 2 + ["c"]
    wanted = compute_class_weight("balanced", classes=np.array(["a", "b", "c"]), y=labels)
    found = class_weights("balanced", labels, ["a", "b", "c"])
    assert found is not None
    assert list(found.values()) == pytest.approx(wanted.tolist(), rel=1e-15)
    assert sum(found[label] for label in labels) == pytest.approx(10)


def test_weights_are_given_by_class() -> None:
    assert class_weights("none", ["a"], ["a", "b"]) is None
    found = class_weights("x=y=3,b=0.5", ["b"], ["b", "x=y"])
    assert found == {"b": 0.5, "x=y": 3.0}
    assert list(found) == ["b", "x=y"]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("balanced", "no training crop is of class b; give weights"),
        ("a=1", "give each class once, which are a, b"),
        ("a=1,b=1,a=1", "give each class once, which are a, b"),
        ("a=1,b=1,c=1", "give each class once, which are a, b"),
        ("a=1,b=-1", "b=-1 is not CLASS=W with a number W above 0"),
        ("a=1,b=inf", "b=inf is not CLASS=W"),
        ("a=1,b=", "b= is not CLASS=W"),
        ("balance", "balance is not CLASS=W"),
        ("", " is not CLASS=W"),
    ],
)
def test_weights_that_cannot_be_are_refused(asked: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        class_weights(asked, ["a", "a"], ["a", "b"])


def test_balanced_twice_is_refused() -> None:
    with pytest.raises(UsageError, match="twice; give one"):
        LabelSettings(class_weights="balanced", sampling="balanced")
