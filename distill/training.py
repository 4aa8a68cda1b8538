"""The training commands, from a store and options to a run folder."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import wsistore
from distill.config import Options
from distill.data.dataset import Crops, LabelledCrops
from distill.data.normalization import Standard, measure
from distill.data.subsets import Subset, class_names, has_subset, left_out_note, select
from distill.errors import SubsetError, UsageError
from distill.finetune import FinetuneTask
from distill.kd import Criterion, KDTask
from distill.networks import build, smallest_input
from distill.runs.checkpoint import Progress
from distill.runs.class_maps import class_map
from distill.runs.provenance import sha256
from distill.runs.run import Run
from distill.session import Data, Say, Session, session
from distill.sources import Distillation, kept, open_source
from distill.tasks import SupervisedTask


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
        told = class_map(here.store, options.split, options.exclude_class, options.merge)
        data = here.data([level], smallest_input(name), labelled=True, classes=told)
        classes = class_names(data.train, data.val)
        standard = measure(here.store.levels, data.train.crops, level)
        network = build(name, len(classes), seed=options.schedule.seed)
        initial = here.start(network, name, classes)
        extra = {"command": command, "init_from": initial, "class_map": told.to_json()}
        task = SupervisedTask(network, level, standard, here.device, here.look)
        weights = here.weights(name, classes, level, standard, data)
        crops = _Labelled(options, level, classes)
        return here.fit(task, crops, weights, extra, data, trained=initial is not None)


def train_kd(options: Options, distillation: Distillation, say: Say) -> Progress:
    """Train a student at `options.level` to imitate a teacher at its own level, without labels.

    The student's input is standardised by the crops of `train`, whatever it is distilled on: the
    paper standardises by the labelled training set, which `train` is.

    Args:
        options: what was asked for.
        distillation: the teacher or its targets, the subsets, and the losses.
        say: prints one line.

    Returns:
        How the training ended, and the epoch whose weights were kept.

    Raises:
        DistillError: if an option, the teacher or its targets, the store's content or the loss
            stands in the way.
        wsistore.WsistoreError: if the store or the split cannot be opened.
    """
    for what, path in (("run", distillation.teacher), ("targets", distillation.targets)):
        if path is not None:
            _require_other(path, options.out, f"teacher's {what}")
    if {options.val_subset, "test"} & set(distillation.subset.split("+")):
        raise UsageError(
            f"--subset {distillation.subset}: epochs are chosen on {options.val_subset} and scores "
            "taken on test; distil on other subsets, or choose another --val-subset"
        )
    with session(options, say) as here:
        name, level, seed = options.network, options.level, options.schedule.seed
        source = open_source(
            distillation, here.store, options.split, level, build(name, 1), here.device, here.glance
        )
        smallest = max(smallest_input(name), source.smallest)
        levels = [*source.teacher.levels, level]
        there = here.data(levels, smallest, labelled=False, subset=distillation.subset)
        unknown = set(source.class_map.exclude) - set(here.store.class_map(options.split).exclude)
        if unknown:
            here.say(
                f"the teacher leaves out {', '.join(sorted(unknown))}; no label is read here, so "
                "crops of it are distilled on unless the split leaves them out"
            )
        _require_coarser(here.store, source.level, level)
        data = Data(*kept(source, there.train, there.val))
        for subset, before in zip(data.subsets, there.subsets, strict=False):
            if len(subset) < len(before):
                say(left_out_note(subset.name, subset.left_out))
        measured = _measured(here, data, smallest_input(name))
        standard = measure(here.store.levels, measured.crops, level)
        network = build(name, len(source.classes), seed=seed)
        initial = here.start(network, name, source.classes)
        task = KDTask(
            network,
            level,
            standard,
            source.teacher,
            source.criterion,
            here.device,
            seed,
            here.look,
            own_colours=distillation.student_colours == "own",
        )
        if source.criterion.attention_weight:
            _check_attention(here, data, source.criterion, task.stride)
        extra = {
            "command": "train kd",
            "init_from": initial,
            "subset": distillation.subset,
            **asdict(source.criterion),
            "resizers": list(source.criterion.resizers),
            "student_colours": distillation.student_colours,
            "standardised_by": measured.name,
            "class_map": source.class_map.to_json(),
            **source.record,
        }
        weights = here.weights(name, source.classes, level, standard, data)
        if there.val is not None and data.val is None and options.schedule.select == "best":
            why = f"because the targets have no {there.val.name} crops"
            weights = replace(weights, chosen=f"last epoch, {why}")

        def crops(subset: Subset) -> Crops:
            return Crops(options.store, subset.crops, task.levels)

        return here.fit(task, crops, weights, extra, data, trained=initial is not None)


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
        told = run.class_map
        data = here.data([about.level], smallest_input(about.network), labelled=True, classes=told)
        for subset in data.subsets:
            _require_classes(subset, about.classes, student)
        standard = Standard(about.mean, about.std)
        task = FinetuneTask(
            run.load_network(here.device), about.level, standard, here.device, here.look
        )
        weights = here.weights(about.network, about.classes, about.level, standard, data)
        extra = {
            "command": "train finetune",
            "student": _origin(run),
            "class_map": told.to_json(),
        }
        crops = _Labelled(options, about.level, about.classes)
        return here.fit(task, crops, weights, extra, data, trained=True)


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


def _check_attention(here: Session, data: Data, criterion: Criterion, stride: int) -> None:
    """Say that maps of one cell have nothing to transfer, or refuse if nothing else is learned."""
    rows = here.store.levels[here.store.levels["level"] == here.options.level]
    rows = rows[rows["crop"].isin(data.train.crops)]
    if (rows[["height", "width"]] > stride).any(axis=None):
        return
    why = (
        f"no {data.train.name} crop has more than {stride} pixels a side at {here.options.level}, "
        "so that every feature map is one cell"
    )
    if criterion.weights.keys() == {"attention"}:
        raise UsageError(f"--attention-weight alone teaches nothing: {why}; choose a finer --level")
    here.say(f"--attention-weight has no effect: {why}")


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
