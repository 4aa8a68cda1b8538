"""The training commands, from a store and options to a run folder."""

from __future__ import annotations

from pathlib import Path

from distill.data import LabeledCrops, Subset, channel_stats, class_names
from distill.engine import SupervisedTask
from distill.errors import UsageError
from distill.networks import smallest_input
from distill.runs import TrainingState, class_map
from distill.training.fit_run import fit_run
from distill.training.new_network import new_network
from distill.training.open_session import Say, open_session
from distill.training.options import TrainingOptions


def train_supervised(command: str, options: TrainingOptions, say: Say) -> TrainingState:
    """Train a network on labels at one level: a teacher, or a baseline.

    Args:
        command: "train teacher" or "train baseline", for config.json.
        options: what was asked for.
        say: prints one line.

    Returns:
        How the training ended, and the epoch whose weights were kept.

    Raises:
        DistillError: if an option, the store's content or the loss stands in the way.
        wsistore.WsistoreError: if the store or the split cannot be opened.
    """
    with open_session(options, say) as here:
        name, level = options.network, options.level
        told = class_map(here.store, options.split, options.exclude_class, options.merge)
        data = here.data([level], smallest_input(name), labeled=True, classes=told)
        classes = class_names(data.train, data.val)
        standard = channel_stats(here.store.levels, data.train.crops, level)
        network, initial = new_network(options, classes)
        phase = {"command": command, "init_from": initial, "class_map": told.to_json()}
        task = SupervisedTask(network, level, standard, here.device, here.look)
        weights = here.weights(name, classes, level, standard, data)
        crops = _Labeled(options, level, classes)
        return fit_run(here, task, crops, weights, phase, data, trained=initial is not None)


class _Labeled:
    """Makes the labelled data set of a subset."""

    def __init__(self, options: TrainingOptions, level: str, classes: list[str]) -> None:
        self._store, self._level, self._classes = options.store, level, classes

    def __call__(self, subset: Subset) -> LabeledCrops:
        labels = [self._classes.index(str(label)) for label in subset.labels]
        return LabeledCrops(self._store, subset.crops, [self._level], labels)


def _require_other(run: Path, out: Path, what: str) -> None:
    if run.resolve() == out.resolve():
        raise UsageError(f"{out} is the {what}'s run; choose another --out")
