"""The training commands, from a store and options to a run folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import wsistore
from distill.checkpoint import Progress
from distill.config import Distillation, Options, sha256
from distill.errors import SubsetError, UsageError
from distill.finetune import FinetuneTask
from distill.networks import build, smallest_input
from distill.pairs import Crops, LabelledCrops
from distill.runs import Run
from distill.session import Data, Say, Session, session
from distill.standardise import Standard, measure
from distill.subsets import Subset, class_names, has_subset, select
from distill.tasks import KDTask, SupervisedTask


def train_supervised(command: str, options: Options, say: Say) -> Progress:
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
    with session(options, say) as here:
        name, level = options.network, options.level
        data = here.data([level], smallest_input(name), labelled=True)
        classes = class_names(data.train, data.val)
        standard = measure(here.store.levels, data.train.crops, level)
        network = build(name, len(classes), seed=options.schedule.seed)
        extra = {"command": command, "init_from": here.start(network, name, classes)}
        task = SupervisedTask(network, level, standard, here.device)
        weights = here.weights(name, classes, level, standard, data)
        return here.fit(task, _Labelled(options, level, classes), weights, extra, data)


def train_kd(options: Options, distillation: Distillation, say: Say) -> Progress:
    """Train a student at `options.level` to imitate a teacher at its own level, without labels.

    The student's input is standardised by the crops of `train`, whatever it is distilled on: the
    paper standardises by the labelled training set, which `train` is.

    Args:
        options: what was asked for.
        distillation: the teacher, the subsets, and the weights of the losses.
        say: prints one line.

    Returns:
        How the training ended, and the epoch whose weights were kept.

    Raises:
        DistillError: if an option, the teacher, the store's content or the loss stands in the way.
        wsistore.WsistoreError: if the store or the split cannot be opened.
    """
    _require_other(distillation.teacher, options.out, "teacher")
    if {"val", "test"} & set(distillation.subset.split("+")):
        raise UsageError(
            f"--subset {distillation.subset}: epochs are chosen on val and scores taken on test; "
            "distil on other subsets"
        )
    with session(options, say) as here:
        run = Run.open(distillation.teacher)
        teacher, about = run.load_network(here.device), run.weights
        name, level = options.network, options.level
        smallest = max(smallest_input(name), smallest_input(about.network))
        levels = [about.level, level]
        data = here.data(levels, smallest, labelled=False, subset=distillation.subset)
        _require_coarser(here.store, about.level, level)
        measured = _measured(here, data, smallest_input(name))
        standard = measure(here.store.levels, measured.crops, level)
        network = build(name, len(about.classes), seed=options.schedule.seed)
        initial = here.start(network, name, about.classes)
        task = KDTask(
            network,
            level,
            standard,
            teacher,
            about.level,
            Standard(about.mean, about.std),
            here.device,
            temperature=distillation.temperature,
            soft_weight=distillation.soft_weight,
            pixel_weight=distillation.pixel_weight,
        )
        extra = {
            "command": "train kd",
            "init_from": initial,
            "subset": distillation.subset,
            "temperature": distillation.temperature,
            "soft_weight": distillation.soft_weight,
            "pixel_weight": distillation.pixel_weight,
            "standardised_by": measured.name,
            "teacher": _origin(run),
        }
        weights = here.weights(name, about.classes, level, standard, data)

        def crops(subset: Subset) -> Crops:
            return Crops(options.store, subset.crops, task.levels)

        return here.fit(task, crops, weights, extra, data)


def train_finetune(student: Path, options: Options, say: Say) -> Progress:
    """Train the fully connected layer of a student on labels, at the student's level.

    Network, classes, level and standardisation are the student's.

    Args:
        student: its run.
        options: what was asked for; level and network are ignored.
        say: prints one line.

    Returns:
        How the training ended, and the epoch whose weights were kept.

    Raises:
        DistillError: if an option, the student, the store's content or the loss is in the way.
        wsistore.WsistoreError: if the store or the split cannot be opened.
    """
    _require_other(student, options.out, "student")
    run = Run.open(student)
    about = run.weights
    options = replace(options, level=about.level, network=about.network)
    with session(options, say) as here:
        data = here.data([about.level], smallest_input(about.network), labelled=True)
        for subset in data.subsets:
            _require_classes(subset, about.classes, student)
        standard = Standard(about.mean, about.std)
        task = FinetuneTask(run.load_network(here.device), about.level, standard, here.device)
        weights = here.weights(about.network, about.classes, about.level, standard, data)
        extra = {"command": "train finetune", "student": _origin(run)}
        crops = _Labelled(options, about.level, about.classes)
        return here.fit(task, crops, weights, extra, data)


class _Labelled:
    """Makes the labelled data set of a subset."""

    def __init__(self, options: Options, level: str, classes: list[str]) -> None:
        self._store, self._level, self._classes = options.store, level, classes

    def __call__(self, subset: Subset) -> LabelledCrops:
        labels = [self._classes.index(str(label)) for label in subset.labels]
        return LabelledCrops(self._store, subset.crops, [self._level], labels)


def _origin(run: Run) -> dict[str, object]:
    return {
        "run": str(run.path.resolve()),
        "weights_sha256": sha256(run.path / "weights.safetensors"),
        "level": run.weights.level,
        "mpp": run.weights.mpp,
        "epoch": run.weights.epoch,
    }


def _measured(here: Session, data: Data, smallest: int) -> Subset:
    """Return the crops that a student's input is standardised by."""
    split, level = here.options.split, here.options.level
    if data.train.name == "train" or not has_subset(here.store, split, "train"):
        if data.train.name != "train":
            here.say(f"split {split} has no subset train: standardising by {data.train.name}")
        return data.train
    return select(here.store, split, "train", [level], smallest, labelled=False)


def _require_other(run: Path, out: Path, what: str) -> None:
    if run.resolve() == out.resolve():
        raise UsageError(f"{out} is the {what}'s run; choose another --out")


def _require_coarser(store: wsistore.Store, teacher_level: str, level: str) -> None:
    names = list(store.level_names)
    if names.index(level) < names.index(teacher_level):
        raise SubsetError(
            f"the teacher was trained at {teacher_level}, which is coarser than --level {level}"
        )


def _require_classes(subset: Subset, classes: list[str], student: Path) -> None:
    for crop, label in zip(subset.crops, subset.labels, strict=True):
        if label not in classes:
            raise SubsetError(
                f"{subset.name} crop {crop} is labelled {label}, which is no class of {student}: "
                f"{', '.join(classes)}; choose another --split or --student"
            )
