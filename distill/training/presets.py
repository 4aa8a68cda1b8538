"""Presets: every value of a recipe, by name.

A preset gives options their values; what the command line says overrides it, and config.json lists
the differences. What no option can change (initial weights, augmentation, …) stands here too, and
the tests hold it against the code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any


@dataclass(frozen=True)
class Preset:
    """A recipe. The fields down to `resize` are options of the command line.

    Attributes:
        network: key of `distill.networks.NETWORKS`.
        epochs: passes over the training crops.
        accumulate: crops to an update.
        lr: Adam's learning rate, constant.
        weight_decay: Adam's L2 penalty.
        temperature: T of equation 2.
        soft_weight: weight of equation 2 in equation 1.
        pixel_weight: weight of equation 3 in equation 1.
        attention_weight: weight of attention transfer, which the paper does not have.
        student_colours: "shared" with the teacher, or "own".
        resize: how the teacher's map is brought to the student's size.
        parameters: of the network with three classes.
        initialisation: how convolutions start.
        optimizer: its name in torch.optim.
        batch: crops that go through the network at once.
        distance: of equation 3, a key of `distill.kd.losses.DISTANCES`.
        color: brightness, contrast and saturation lie in 1 ± this.
        hue: the hue moves by at most this, either way.
        flips: axes that may be mirrored.
        turns: quarter turns that may be drawn.
        draws: resamples of the bootstrap.
        confidence: of its percentile intervals.
    """

    network: str
    epochs: int
    accumulate: int
    lr: float
    weight_decay: float
    temperature: float
    soft_weight: float
    pixel_weight: float
    attention_weight: float
    student_colours: str
    resize: str
    parameters: int
    initialisation: str
    optimizer: str
    batch: int
    distance: str
    color: float
    hue: float
    flips: tuple[str, ...]
    turns: tuple[int, ...]
    draws: int
    confidence: float

    def options(self) -> dict[str, Any]:
        """Return the values of command line options, by parameter name."""
        names = [field.name for field in fields(self)]
        last = names.index("resize")
        return {name: getattr(self, name) for name in names[: last + 1]}

    def departures(self, config: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
        """Return what a configuration has otherwise: {option: {"preset": …, "used": …}}.

        Options that the command does not have (a baseline has no temperature) are no departure.
        """
        resizers = self.resize.split("+")
        values = {**self.options(), "resizers": resizers, "distance": self.distance}
        return {
            name: {"preset": value, "used": config[name]}
            for name, value in values.items()
            if name in config and config[name] != value
        }


DIPALMA2021 = Preset(
    network="resnet10",
    epochs=100,
    accumulate=32,
    lr=1e-3,
    weight_decay=1e-4,
    temperature=1.0,
    soft_weight=1.0,
    pixel_weight=1.0,
    attention_weight=0.0,
    student_colours="shared",
    resize="max+bicubic",
    parameters=1_231_011,
    initialisation="kaiming_normal, fan_out",
    optimizer="Adam",
    batch=1,
    distance="mse",
    color=0.5,
    hue=0.2,
    flips=("horizontal", "vertical"),
    turns=(0, 1, 2, 3),
    draws=10_000,
    confidence=0.95,
)

LUNG2026 = replace(DIPALMA2021, epochs=200, student_colours="own")
"""For students: what had the best macro F1 on the validation crops of docs/explanation/results.md.
It wants a new view in every epoch, or at least sixty: `--teacher`, or `distill teach
--views 60`."""

PRESETS: dict[str, Preset] = {"dipalma2021": DIPALMA2021, "lung2026": LUNG2026}
