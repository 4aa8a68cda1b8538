"""The training commands, from a store and options to a run folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from distill.data import LabeledCrops, StainFigures, Subset, class_names
from distill.engine import LabelSettings, SupervisedTask, class_weights
from distill.errors import UsageError
from distill.networks import smallest_input
from distill.runs import TrainingState, class_map
from distill.settings import recorded
from distill.training.fit_run import fit_run
from distill.training.measured_input import measure_input
from distill.training.new_network import new_network
from distill.training.open_session import Data, Say, open_session
from distill.training.options import TrainingOptions


def train_supervised(
    command: str, options: TrainingOptions, say: Say, learned: LabelSettings | None = None
) -> TrainingState:
    """Train a network on labels at one level: a teacher, or a baseline.

    Args:
        command: "train teacher" or "train baseline", for config.json.
        options: what was asked for.
        say: prints one line.
        learned: how labels are learned from; None for the paper's way.

    Returns:
        How the training ended, and the epoch whose weights were kept.

    Raises:
        DistillError: if an option, the store's content or the loss stands in the way.
        wsistore.WsistoreError: if the store or the split cannot be opened.
    """
    with open_session(options, say) as here:
        network, level = options.network, options.level
        told = class_map(here.store, options.split, options.exclude_class, options.merge)
        data = here.data([level], smallest_input(network), labeled=True, classes=told)
        classes = class_names(data.train, data.val)
        made = new_network(options, classes, here.say)
        given = measure_input(here, made.standard, data.train.crops, level)
        crops = _Labeled(options, level, classes, learned or LabelSettings(), data, given.stains)
        phase = {"command": command, **made.record, **given.record}
        phase |= {"class_map": told.to_json(), **crops.record}
        task = SupervisedTask(
            made.network, level, given.standard, here.device, here.look, **crops.of_loss
        )
        weights = here.weights(network, classes, level, given.standard, data, given.stains)
        trained = made.initial is not None
        return fit_run(
            here, task, crops, weights, phase, data, trained=trained, balance=crops.balance
        )


class _Labeled:
    """Makes the labelled data set of a subset, and says how its labels are learned from.

    Attributes:
        of_loss: arguments of `SupervisedTask`.
        record: what config.json says of it.
        balance: class numbers of the training crops, if each class shall come equally often.

    Raises:
        UsageError: if weights of classes are asked for that cannot be.
    """

    def __init__(
        self,
        options: TrainingOptions,
        level: str,
        classes: list[str],
        learned: LabelSettings,
        data: Data,
        stains: StainFigures | None = None,
    ) -> None:
        self._store, self._level, self._classes = options.store, level, classes
        self._stains = {} if stains is None else {level: stains}
        weights = class_weights(learned.class_weights, data.train.labels, classes)
        self.of_loss: dict[str, Any] = {
            "label_smoothing": learned.label_smoothing,
            "class_weights": None if weights is None else list(weights.values()),
        }
        self.record = recorded(learned)
        if weights is not None:
            self.record["class_weight_values"] = weights
        self.balance = self.numbers(data.train) if learned.sampling == "balanced" else None

    def __call__(self, subset: Subset) -> LabeledCrops:
        labels = self.numbers(subset)
        return LabeledCrops(self._store, subset.crops, [self._level], labels, self._stains)

    def numbers(self, subset: Subset) -> list[int]:
        """Return the class number of each crop."""
        return [self._classes.index(str(label)) for label in subset.labels]


def _require_other(run: Path, out: Path, what: str) -> None:
    if run.resolve() == out.resolve():
        raise UsageError(f"{out} is the {what}'s run; choose another --out")
