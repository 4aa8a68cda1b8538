"""Presets: every value of a recipe, by name.

A preset gives options their values; what the command line says overrides it, and config.json lists
the differences. What no option can change (initial weights, augmentation, …) stands here too, and
the tests hold it against the code.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from distill.data import AugmentationSettings
from distill.engine import LabelSettings, TrainingSettings
from distill.kd import PAPER, Criterion, DistillationSettings
from distill.settings import Declared, settings_of, values_of
from distill.training.options import TrainingOptions
from distill.training.pretrained_settings import PretrainedSettings


@dataclass(frozen=True)
class Preset:
    """A recipe: values of those settings that are declared as a preset's, and what no option is.

    Attributes:
        network: its name.
        pretrained: how its input is normalized, and what of it learns.
        training: how to train.
        labels: how labels are learned from.
        distillation: what to imitate of a teacher, and how.
        parameters: of the network with three classes.
        initialisation: how convolutions start.
        batch: crops that go through the network at once.
        turns: quarter turns that may be drawn.
        draws: resamples of the bootstrap.
        confidence: of its percentile intervals.
    """

    network: str
    pretrained: PretrainedSettings
    training: TrainingSettings
    labels: LabelSettings
    distillation: DistillationSettings
    parameters: int
    initialisation: str
    batch: int
    turns: tuple[int, ...]
    draws: int
    confidence: float

    def options(self) -> dict[str, Any]:
        """Return the values of command line options, by parameter name, as one would type them."""
        return {
            one.parameter: "+".join(value) if isinstance(value, tuple) else value
            for one, value in self._settings()
            if one.says.group is not None
        }

    def departures(self, config: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
        """Return what a configuration has otherwise: {option: {"preset": …, "used": …}}.

        Options that the command does not have (a baseline has no temperature) are no departure.
        """
        values = {
            one.key: one.says.record(value)
            for one, value in self._settings()
            if one.says.record is not None
        }
        return {
            name: {"preset": value, "used": config[name]}
            for name, value in values.items()
            if name in config and config[name] != value
        }

    def _settings(self) -> Iterator[tuple[Declared, Any]]:
        values = {"network": self.network, **values_of(self.pretrained)}
        values |= values_of(self.training)
        values |= values_of(self.labels) | values_of(self.distillation)
        for cls in (TrainingOptions, LabelSettings, DistillationSettings):
            for one in settings_of(cls):
                if one.says.preset:
                    yield one, values[one.name]


DIPALMA2021 = Preset(
    network="resnet10",
    pretrained=PretrainedSettings(stain_normalization="none", freeze="none"),
    training=TrainingSettings(
        augmentation=AugmentationSettings(brightness=0.5, contrast=0.5, saturation=0.5, hue=0.2),
        epochs=100,
        accumulate=32,
        optimizer="adam",
        lr=1e-3,
        weight_decay=1e-4,
    ),
    labels=LabelSettings(label_smoothing=0.0, class_weights="none", sampling="each"),
    distillation=DistillationSettings(
        criterion=Criterion(
            temperature=1.0,
            soft_weight=1.0,
            pixel_weight=1.0,
            attention_weight=0.0,
            resizers=PAPER,
            distance="mse",
        ),
        resize=PAPER,
        student_colors="shared",
    ),
    parameters=1_231_011,
    initialisation="kaiming_normal, fan_out",
    batch=1,
    turns=(0, 1, 2, 3),
    draws=10_000,
    confidence=0.95,
)

LUNG2026 = replace(
    DIPALMA2021,
    training=replace(DIPALMA2021.training, epochs=200),
    distillation=replace(DIPALMA2021.distillation, student_colors="own"),
)
"""For students: what had the best macro F1 on the validation crops of docs/explanation/results.md.
It wants a new view in every epoch, or at least sixty: `--teacher`, or `distill teach
--views 60`."""

PRESETS: dict[str, Preset] = {"dipalma2021": DIPALMA2021, "lung2026": LUNG2026}
