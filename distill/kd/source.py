"""Where a student's teacher comes from: a run that looks at every crop, or stored targets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

import wsistore
from distill.data import ChannelStats, Stains, Subset
from distill.errors import SubsetError, TargetsError, UsageError
from distill.kd.maps import PAPER
from distill.kd.settings import Criterion, DistillationSettings
from distill.kd.stored_teacher import StoredTeacher
from distill.kd.targets.reader import TargetsReader
from distill.kd.targets.schema import pixels_sha256
from distill.kd.teacher import NetworkTeacher, Teacher
from distill.networks import UNBOUNDED, CropRunner, NetworkSpec, build, feature_map, smallest_input
from distill.runs import CLASS_MAP, Run, class_map_of, sha256


@dataclass(frozen=True)
class TeacherSource:
    """A teacher, and what a run records of it.

    Attributes:
        teacher: who answers.
        criterion: the losses, with the resizers that count.
        classes: names of the classes, in the order of the logits.
        level: the level that the teacher looks, or looked, at.
        smallest: least height and width, in pixels, that the teacher needs of a crop; 1 if stored.
        record: "teacher" and "targets" of config.json.
        class_map: which classes of the store the teacher leaves out or takes together.
        targets: the stored targets, if there are any.
        stains: what the crops that a network looks at are read with; see `read_crops`.
    """

    teacher: Teacher
    criterion: Criterion
    classes: list[str]
    level: str
    smallest: int
    record: dict[str, Any]
    class_map: wsistore.ClassMap
    targets: TargetsReader | None = None
    stains: Stains = field(default_factory=dict)

    def keep(self, subset: Subset, *, plain: bool) -> Subset | None:
        """Return the crops of a subset that the teacher can speak of; None if there is none."""
        if self.targets is None:
            return subset
        there = self.targets.teaches(subset.crops, plain=plain)
        restrict_to_targets = [place for place, crop in enumerate(subset.crops) if crop in there]
        missing = {
            crop: f"has no targets in {self.targets.path}"
            for crop in subset.crops
            if crop not in there
        }
        if not restrict_to_targets:
            return None
        return Subset(
            subset.name,
            tuple(subset.crops[place] for place in restrict_to_targets),
            tuple(subset.labels[place] for place in restrict_to_targets),
            {**subset.left_out, **missing},
        )


def open_source(
    distillation: DistillationSettings,
    store: wsistore.Store,
    split: str,
    level: str,
    student: NetworkSpec,
    device: torch.device,
    look: CropRunner = UNBOUNDED,
) -> TeacherSource:
    """Open the teacher's run, or the stored targets, and check that they fit.

    Args:
        distillation: what was asked for.
        store: of the crops.
        split: name of the split.
        level: the student's.
        student: its network; only stored targets are held against its feature map.
        device: where the teacher runs, or its answers go.
        look: how the teacher's network is run.

    Raises:
        UsageError: unless exactly one of teacher and targets is given.
        RunError: if the teacher's run cannot be loaded.
        TargetsError: if the targets cannot be read, or were made for something else.
    """
    if distillation.teacher is not None and distillation.targets is None:
        return _online(distillation, distillation.teacher, device, look)
    if distillation.targets is not None and distillation.teacher is None:
        return _stored(distillation, distillation.targets, store, split, level, student, device)
    raise UsageError("give either --teacher or --targets")


def _teacher(told: Mapping[str, Any], targets: Path) -> dict[str, Any]:
    """Return what targets say of their teacher, with the absolute path of its run."""
    teacher = {key: value for key, value in told.items() if key != CLASS_MAP}
    if teacher.get("run"):
        teacher["run"] = str((targets.resolve() / str(teacher["run"])).resolve())
    return teacher


def _online(
    distillation: DistillationSettings, path: Path, device: torch.device, look: CropRunner
) -> TeacherSource:
    run = Run.open(path)
    about = run.weights
    criterion = replace(distillation.criterion, resizers=distillation.resize or PAPER)
    teacher = NetworkTeacher(
        run.load_network(device),
        about.level,
        ChannelStats(about.mean, about.std),
        device,
        criterion.question(),
        look,
    )
    smallest = smallest_input(about.spec)
    return TeacherSource(
        teacher,
        criterion,
        about.classes,
        about.level,
        smallest,
        {"teacher": run.origin()},
        run.class_map,
        stains=about.read_with,
    )


def _stored(
    distillation: DistillationSettings,
    path: Path,
    store: wsistore.Store,
    split: str,
    level: str,
    student: NetworkSpec,
    device: torch.device,
) -> TeacherSource:
    targets = TargetsReader(path)
    about = targets.about
    store.split(split)  # says so in its own words where there is none, or half of one
    expected = {
        "student level": (about.student_level, level, "--level"),
        "split": (about.split, split, "--split"),
        "split SHA-256": (about.split_sha256, store.split_sha256(split), "--split"),
        "stride": (about.stride, feature_map(build(student, 1)).stride, "--network"),
    }
    for name, (theirs, ours, flag) in expected.items():
        if theirs != ours:
            raise TargetsError(
                f"{path} was made for {name} {theirs}, and this is {ours}; choose another {flag}, "
                "or teach again"
            )
    try:
        pixels = pixels_sha256(store.levels, targets.crops, (about.level, about.student_level))
    except KeyError as error:
        raise TargetsError(f"{path} has targets of {error}, which {store.path} lacks") from error
    if about.pixels_sha256 != pixels:
        raise TargetsError(
            f"{path} was made of crops with pixels_sha256 {about.pixels_sha256}, and those of "
            f"{store.path} have {pixels}; use the store that was taught, or teach again"
        )
    resizers = distillation.resize or tuple(about.resizers) or PAPER
    criterion = replace(distillation.criterion, resizers=resizers)
    teacher = StoredTeacher(targets, criterion.question(), device)
    record = {
        "teacher": _teacher(about.teacher, path),
        "targets": {
            "path": str(path.resolve()),
            "zarr_json_sha256": sha256(targets.metadata_file),
            "draws": about.draws,
            "hint_dtype": about.hint_dtype,
        },
    }
    told = class_map_of(about.teacher.get(CLASS_MAP), targets.metadata_file)
    return TeacherSource(teacher, criterion, about.classes, about.level, 1, record, told, targets)


def restrict_to_targets(
    source: TeacherSource, train: Subset, val: Subset | None
) -> tuple[Subset, Subset | None]:
    """Return the crops of both subsets that the teacher can speak of.

    Raises:
        SubsetError: if no training crop is left.
    """
    taught = source.keep(train, plain=False)
    if taught is None:
        assert source.targets is not None
        raise SubsetError(f"{source.targets.path} has targets of no crop of {train.name}")
    return taught, source.keep(val, plain=True) if val else None
