"""Distillation, from a store, a teacher and options to a run folder."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import wsistore
from distill.data import (
    AugmentationSettings,
    Crops,
    Stains,
    Subset,
    has_subset,
    left_out_note,
    select,
)
from distill.errors import SubsetError, UsageError
from distill.kd import (
    Criterion,
    DistillationSettings,
    KDTask,
    TeacherSource,
    open_source,
    restrict_to_targets,
)
from distill.networks import smallest_input
from distill.runs import TrainingState
from distill.settings import recorded
from distill.training.fit_run import fit_run
from distill.training.measured_input import MeasuredInput, measure_input
from distill.training.new_network import NewNetwork, new_network
from distill.training.open_session import Data, Say, Session, open_session
from distill.training.options import TrainingOptions
from distill.training.supervised import _require_other


def train_kd(
    options: TrainingOptions, distillation: DistillationSettings, say: Say
) -> TrainingState:
    """Train a student at `options.level` to imitate a teacher at its own level, without labels.

    The student's input is standardised by the crops of `train`, whatever it is distilled on: the
    paper standardises by the labelled training set, which `train` is.

    Args:
        options: what was asked for; of its subset no label is read.
        distillation: the teacher or its targets, and the losses.
        say: prints one line.

    Returns:
        How the training ended, and the epoch whose weights were kept.

    Raises:
        DistillError: if an option, the teacher or its targets, the store's content or the loss
            stands in the way.
        wsistore.WsistoreError: if the store or the split cannot be opened.
    """
    _require_apart(options, distillation)
    with open_session(options, say) as here:
        spec, level = options.network, options.level
        source = open_source(
            distillation, here.store, options.split, level, spec, here.device, here.glance
        )
        _require_same_draws(source, options.schedule.augmentation)
        there, data = _taught(here, source)
        measured = _measured(here, data, smallest_input(spec))
        made = new_network(options, source.classes, here.say)
        given = measure_input(here, made.standard, measured.crops, level)
        stains = _stains(source, given, level)
        task = KDTask(
            made.network,
            level,
            given.standard,
            source.teacher,
            source.criterion,
            here.device,
            options.schedule.seed,
            here.look,
            own_colors=distillation.student_colors == "own",
            augmentation=options.schedule.augmentation,
        )
        if source.criterion.attention_weight:
            _check_attention(here, data, source.criterion, task.stride)
        phase = _phase(options.subset, distillation, source, made, given, measured)
        weights = here.weights(spec, source.classes, level, given.standard, data, given.stains)
        if there.val is not None and data.val is None and options.schedule.select == "best":
            why = f"because the targets have no {there.val.name} crops"
            weights = replace(weights, chosen=f"last epoch, {why}")

        def crops(subset: Subset) -> Crops:
            return Crops(options.store, subset.crops, task.levels, stains)

        return fit_run(here, task, crops, weights, phase, data, trained=made.initial is not None)


def _phase(
    subset: str,
    distillation: DistillationSettings,
    source: TeacherSource,
    made: NewNetwork,
    given: MeasuredInput,
    measured: Subset,
) -> dict[str, Any]:
    """Return what config.json of a student says beside the options of every training."""
    return {
        "command": "train kd",
        **made.record,
        **given.record,
        "subset": subset,
        **recorded(replace(distillation, criterion=source.criterion)),
        "standardised_by": measured.name if made.standard is None else "network",
        "class_map": source.class_map.to_json(),
        **source.record,
    }


def _stains(source: TeacherSource, given: MeasuredInput, level: str) -> Stains:
    """Return what each level is read with: the teacher's with its run's, the student's with its.

    Raises:
        UsageError: if they want the same pixels in two ways.
    """
    own = {} if given.stains is None else {level: given.stains}
    if level in source.teacher.levels and source.stains.get(level) != own.get(level):
        raise UsageError(
            f"--stain-normalization: the teacher takes {level} too, with its stains normalized "
            "otherwise, and a crop is read once; choose another --level, or distil from the "
            "--targets that distill teach writes"
        )
    return {**source.stains, **own}


def _require_apart(options: TrainingOptions, distillation: DistillationSettings) -> None:
    """Refuse to write over the teacher, and to distil on what chooses epochs or gives scores."""
    for what, path in (("run", distillation.teacher), ("targets", distillation.targets)):
        if path is not None:
            _require_other(path, options.out, f"teacher's {what}")
    if {options.val_subset, "test"} & set(options.subset.split("+")):
        raise UsageError(
            f"--subset {options.subset}: epochs are chosen on {options.val_subset} and scores "
            "taken on test; distil on other subsets, or choose another --val-subset"
        )


def _require_same_draws(source: TeacherSource, now: AugmentationSettings) -> None:
    """Refuse augmentation other than that of stored targets, which it could not change.

    What made its draws by another rule is not known to have had any of these.
    """
    if source.targets is None or "rule" not in source.targets.about.draws:
        return
    ours = recorded(now)
    theirs = recorded(AugmentationSettings()) | source.targets.about.draws.get("augmentation", {})
    odd = [f"{key} {theirs.get(key)}, not {ours[key]}" for key in ours if ours[key] != theirs[key]]
    if odd:
        raise UsageError(
            f"{source.targets.path} was drawn with {'; '.join(odd)}; give the augmentation options "
            "that distill teach was given, or teach again"
        )


def _taught(here: Session, source: TeacherSource) -> tuple[Data, Data]:
    """Return the crops that there are to distil on, and those that the teacher can speak of."""
    options = here.options
    smallest = max(smallest_input(options.network), source.smallest)
    levels = [*source.teacher.levels, options.level]
    there = here.data(levels, smallest, labeled=False)
    unknown = set(source.class_map.exclude) - set(here.store.class_map(options.split).exclude)
    if unknown:
        here.say(
            f"the teacher leaves out {', '.join(sorted(unknown))}; no label is read here, so "
            "crops of it are distilled on unless the split leaves them out"
        )
    _require_coarser(here.store, source.level, options.level)
    data = Data(*restrict_to_targets(source, there.train, there.val))
    for left, before in zip(data.subsets, there.subsets, strict=False):
        if len(left) < len(before):
            here.say(left_out_note(left.name, left.left_out))
    return there, data


def _measured(here: Session, data: Data, smallest: int) -> Subset:
    """Return the crops that a student's input is standardised by."""
    split, level = here.options.split, here.options.level
    if data.train.name == "train" or not has_subset(here.store, split, "train"):
        if data.train.name != "train":
            here.say(f"split {split} has no subset train: standardising by {data.train.name}")
        return data.train
    return select(here.store, split, "train", [level], smallest, labeled=False)


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


def _require_coarser(store: wsistore.Store, teacher_level: str, level: str) -> None:
    names = list(store.level_names)
    if names.index(level) < names.index(teacher_level):
        raise SubsetError(
            f"the teacher was trained at {teacher_level}, which is coarser than --level {level}"
        )
