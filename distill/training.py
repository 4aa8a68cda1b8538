"""The training commands, from a store and options to a run folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import Any, TypeVar

import torch

import wsistore
from distill.config import Options, resolve_device
from distill.console import Console, left_out_note
from distill.errors import SubsetError, UsageError
from distill.kd import KDTask
from distill.loop import fit
from distill.networks import build, smallest_input
from distill.pairs import Crops, LabelledCrops, Sample, Samples
from distill.runs import RunWriter, Weights, check_out
from distill.sources import Distillation, kept, open_source
from distill.standardise import Standard, measure
from distill.subsets import Subset, class_names, has_subset, median_mpp, select
from distill.tasks import SupervisedTask, Task

S = TypeVar("S", bound=Sample)
Say = Callable[[str], None]


def train_supervised(command: str, options: Options, say: Say) -> int:
    """Train a network on labels at one level: a teacher, or a baseline.

    Args:
        command: "train teacher" or "train baseline", for config.json.
        options: what was asked for.
        say: prints one line.

    Returns:
        The epoch whose weights were kept.

    Raises:
        DistillError: if an option, the store's content or the loss stands in the way.
        wsistore.WsistoreError: if the store or the split cannot be opened.
    """
    store, device = _begin(options)
    smallest = smallest_input(options.network)
    train, val = _subsets(store, options, [options.level], smallest, say, labelled=True)
    classes = class_names(train, val)
    standard = measure(store.levels, train.crops, options.level)
    network = build(options.network, len(classes), seed=options.schedule.seed)
    task = SupervisedTask(network, options.level, standard, device)

    def samples(subset: Subset, seed: int | None) -> Samples[Any]:
        labels = [classes.index(str(label)) for label in subset.labels]
        crops = LabelledCrops(options.store, subset.crops, task.levels, labels)
        return Samples(crops, seed, options.workers)

    weights = _weights(store, options, classes, standard, train, val)
    return _fit(task, samples, options, weights, {"command": command}, train, val, say)


def train_kd(options: Options, distillation: Distillation, say: Say) -> int:
    """Train a student at `options.level` to imitate a teacher at its own level, without labels.

    Whether a crop is labelled decides only which crops the student's input is standardised by.

    Args:
        options: what was asked for.
        distillation: the teacher, or its targets, and the losses.
        say: prints one line.

    Returns:
        The epoch whose weights were kept.

    Raises:
        DistillError: if an option, the teacher or its targets, the store's content or the loss
            stands in the way.
        wsistore.WsistoreError: if the store or the split cannot be opened.
    """
    store, device = _begin(options)
    _refuse_same_folder(options, distillation)
    named = build(options.network, 1)
    source = open_source(distillation, store, options.split, options.level, named, device)
    smallest = max(smallest_input(options.network), source.smallest)
    levels = [*source.teacher.levels, options.level]
    there = _subsets(store, options, levels, smallest, say, labelled=False)
    _require_coarser(store, source.level, options.level)
    train, val = kept(source, *there)
    for subset, all_crops in ((train, there[0]), (val, there[1])):
        if subset and len(subset) < len(all_crops or ()):
            say(left_out_note(subset.name, subset.left_out))
    measured = train.labelled()
    if not measured:
        say("no training crop is labelled: standardising by all training crops")
    standard = measure(store.levels, measured or train.crops, options.level)
    seed = options.schedule.seed
    network = build(options.network, len(source.classes), seed=seed)
    criterion = source.criterion
    task = KDTask(network, options.level, standard, source.teacher, criterion, device, seed)

    def samples(subset: Subset, seed: int | None) -> Samples[Any]:
        crops = Crops(options.store, subset.crops, task.levels)
        return Samples(crops, seed, options.workers)

    weights = _weights(store, options, source.classes, standard, train, val)
    if there[1] is not None and val is None and options.schedule.select == "best":
        weights = replace(weights, chosen="last epoch, because the targets have no val crops")
    extra = {
        "command": "train kd",
        **asdict(criterion),
        "standardised_by": "labelled training crops" if measured else "all training crops",
        **source.record,
    }
    return _fit(task, samples, options, weights, extra, train, val, say)


def _refuse_same_folder(options: Options, distillation: Distillation) -> None:
    for what, path in (("run", distillation.teacher), ("targets", distillation.targets)):
        if path is not None and path.resolve() == options.out.resolve():
            raise UsageError(f"{options.out} is the teacher's {what}; choose another --out")


def _begin(options: Options) -> tuple[wsistore.Store, torch.device]:
    check_out(options.out, options.overwrite)
    device = resolve_device(options.device)
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    return wsistore.open(options.store), device


def _subsets(
    store: wsistore.Store,
    options: Options,
    levels: Sequence[str],
    smallest: int,
    say: Say,
    *,
    labelled: bool,
) -> tuple[Subset, Subset | None]:
    found: list[Subset] = []
    for name in ("train", "val"):
        if name == "val" and not has_subset(store, options.split, name):
            continue
        found.append(select(store, options.split, name, levels, smallest, labelled=labelled))
        if found[-1].left_out:
            say(left_out_note(name, found[-1].left_out))
    return found[0], found[1] if len(found) > 1 else None


def _require_coarser(store: wsistore.Store, teacher_level: str, level: str) -> None:
    names = list(store.level_names)
    if names.index(level) < names.index(teacher_level):
        raise SubsetError(
            f"the teacher was trained at {teacher_level}, which is coarser than --level {level}"
        )


def _weights(
    store: wsistore.Store,
    options: Options,
    classes: list[str],
    standard: Standard,
    train: Subset,
    val: Subset | None,
) -> Weights:
    if options.schedule.select == "last":
        chosen = "last epoch"
    elif val is None:
        chosen = "last epoch, because the split has no val crops"
    else:
        chosen = "lowest validation loss"
    return Weights(
        network=options.network,
        classes=classes,
        level=options.level,
        mpp=median_mpp(store, train.crops, options.level),
        mean=standard.mean,
        std=standard.std,
        epoch=0,
        chosen=chosen,
    )


def _fit(
    task: Task[S],
    samples: Callable[[Subset, int | None], Samples[S]],
    options: Options,
    weights: Weights,
    extra: dict[str, Any],
    train: Subset,
    val: Subset | None,
    say: Say,
) -> int:
    subsets = [train] if val is None else [train, val]
    config = {
        **extra,
        **options.resolved(),
        "mpp": weights.mpp,
        "classes": weights.classes,
        "mean": weights.mean,
        "std": weights.std,
        "chosen": weights.chosen,
        "crops": {subset.name: len(subset) for subset in subsets},
        "left_out": {subset.name: dict(subset.left_out) for subset in subsets},
    }
    writer = RunWriter(options.out, config, weights, overwrite=options.overwrite)
    counts = " and ".join(f"{len(subset)} {subset.name}" for subset in subsets)
    say(
        f"{extra['command']}: {counts} crops at {' and '.join(dict.fromkeys(task.levels))}, "
        f"{options.schedule.epochs} epochs on {config['device']}; keeping the {weights.chosen}"
    )
    schedule = options.schedule
    with Console(schedule.epochs, sum(map(len, subsets))) as console:
        kept = fit(
            task,
            samples(train, schedule.seed),
            samples(val, None) if val else None,
            schedule,
            writer,
            console,
        )
    say(f"{options.out}: weights of epoch {kept}")
    return kept
