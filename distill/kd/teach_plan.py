"""What `distill teach` is asked for, and what it means for a store."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import wsistore
from distill.data import (
    DEFAULT_AUGMENTATION,
    VAL,
    AugmentationParams,
    AugmentationSettings,
    Subset,
    has_subset,
    left_out_note,
    median_mpp,
    rows_of,
    sample_params,
    select,
)
from distill.embeddings import EmbeddingsReader
from distill.errors import SubsetError, UsageError
from distill.kd.maps import PAPER
from distill.kd.settings import LEVEL
from distill.kd.targets.schema import CropTargets, TargetsMetadata, pixels_sha256
from distill.networks import FeatureMap, NetworkSettings, NetworkSpec, smallest_input
from distill.runs import CLASS_MAP, Run
from distill.settings import recorded

DRAW_RULE = "distill.augment.draw(seed, view, index), view from 1, index in the subset"
STORED_RULE = "the views of the embeddings, see docs/reference/embeddings-format.md"
NO_SUBSET = "none"
"""In place of a plain subset, says that no crop gets a plain view."""


@dataclass(frozen=True)
class TeachSettings:
    """What `distill teach` takes; see `distill teach --help` for each."""

    teacher: Path
    store: Path
    student_levels: tuple[str, ...]
    out: Path
    level: str | None = None
    split: str = "main"
    subset: str = "train"
    plain_subset: str | None = "val"
    views: int = 10
    seed: int = 0
    architecture: NetworkSettings = field(default_factory=NetworkSettings)
    augmentation: AugmentationSettings = DEFAULT_AUGMENTATION
    resizers: tuple[str, ...] = PAPER
    hint: str = "float32"
    attention: bool = False
    device: str = "auto"
    workers: int = 0
    threads: int | None = None
    memory_gib: float | None = None
    batch_pixels: int | None = None
    overwrite: bool = False
    no_lock: bool = False
    embeddings: Path | None = None

    @property
    def student(self) -> NetworkSpec:
        """The network of the students; its feature map's size counts."""
        return self.architecture.spec

    def folder(self, level: str) -> Path:
        """Return where the targets of students at a level go.

        `{level}` in `out` stands for the level. Without it, several levels are folders in `out`.
        """
        if LEVEL in str(self.out):
            return Path(str(self.out).replace(LEVEL, level))
        return self.out / level if len(self.student_levels) > 1 else self.out


def _names(store: wsistore.Store, request: TeachSettings) -> dict[str, bool]:
    """Return the subsets' names, and whether the view is plain."""
    plain = request.plain_subset
    if plain in (None, NO_SUBSET):
        return {request.subset: False}
    if plain == VAL and not has_subset(store, request.split, plain):
        return {request.subset: False}
    if plain == request.subset:
        raise UsageError(f"--subset {plain} and --plain-subset {plain} are the same")
    both = set(rows_of(store, request.split, plain)["crop"])
    if both & set(rows_of(store, request.split, request.subset)["crop"]):
        raise UsageError(
            f"--subset {request.subset} and --plain-subset {plain} share crops; "
            "choose sets that do not"
        )
    return {request.subset: False, plain: True}


def order(store: wsistore.Store, request: TeachSettings) -> list[str]:
    """Return the crops of both subsets, usable or not, in the order that all levels have."""
    names = _names(store, request)
    return [str(crop) for name in names for crop in rows_of(store, request.split, name)["crop"]]


def subsets(
    store: wsistore.Store,
    request: TeachSettings,
    student_level: str,
    level: str,
    network: NetworkSpec | None,
    say: Callable[[str], None],
) -> list[tuple[Subset, bool]]:
    """Return the subsets to teach, and whether the view is plain.

    `network` is the teacher's, that must take the crops; None where none looks at them.

    Raises:
        DistillError: if a level or a subset stands in the way.
    """
    smallest = max(smallest_input(one) for one in (request.student, network) if one is not None)
    levels = (level, student_level)
    found = []
    for name, is_plain in _names(store, request).items():
        subset = select(store, request.split, name, levels, smallest, labeled=False)
        if subset.left_out:
            say(left_out_note(name, subset.left_out))
        found.append((subset, is_plain))
    finest_first = list(store.level_names)
    if finest_first.index(student_level) < finest_first.index(level):
        raise SubsetError(
            f"the teacher was trained at {level}, which is coarser than "
            f"--student-level {student_level}"
        )
    return found


def crop_targets(
    store: wsistore.Store,
    request: TeachSettings,
    student_level: str,
    chosen: list[tuple[Subset, bool]],
    map_: FeatureMap,
    stored: tuple[AugmentationParams | None, ...] | None = None,
) -> list[CropTargets]:
    """Return the crops of the subsets with their draws and the cells of a student's map.

    The draws are `stored`, the same for all crops, or else those of the request's seed.
    """
    rows = store.levels[store.levels["level"] == student_level].set_index("crop")
    sizes = {str(c): (int(h), int(w)) for c, h, w in rows[["height", "width"]].itertuples()}
    views, how = range(1, request.views + 1), request.augmentation
    return [
        CropTargets(
            crop,
            *map_.cells(*sizes[crop]),
            (None,)
            if plain
            else stored or tuple(sample_params(request.seed, view, index, how) for view in views),
        )
        for subset, plain in chosen
        for index, crop in enumerate(subset.crops)
    ]


def about(
    store: wsistore.Store,
    request: TeachSettings,
    student_level: str,
    run: Run,
    chosen: list[tuple[Subset, bool]],
    map_: FeatureMap,
    channels: int | None,
    vectors: EmbeddingsReader | None = None,
) -> TargetsMetadata:
    """Return what is true of all targets for students at a level."""
    weights = run.weights
    crops = [crop for subset, _ in chosen for crop in subset.crops]
    hinted = request.hint != "none"
    return TargetsMetadata(
        level=weights.level,
        mpp=median_mpp(store, crops, weights.level),
        student_level=student_level,
        stride=map_.stride,
        classes=weights.classes,
        channels=channels if hinted else None,
        hint_dtype=request.hint if hinted else None,
        resizers=list(request.resizers) if hinted else [],
        logits=True,
        attention=request.attention,
        split=request.split,
        split_sha256=store.split_sha256(request.split),
        pixels_sha256=pixels_sha256(store.levels, crops, (weights.level, student_level)),
        draws=_draws(request)
        if vectors is None
        else {"rule": STORED_RULE, "views": vectors.about.views},
        teacher={
            **run.origin(),
            # targets travel: a path as seen from them tells nothing of what lies above both
            "run": os.path.relpath(run.path.resolve(), request.folder(student_level).resolve()),
            # only where there is one, so that targets of earlier versions can be added to
            **({CLASS_MAP: run.class_map.to_json()} if run.class_map else {}),
        },
    )


def _draws(request: TeachSettings) -> dict[str, Any]:
    """Return where the draws come from, for people."""
    found: dict[str, Any] = {"rule": DRAW_RULE, "seed": request.seed, "views": request.views}
    # only where they are others, so that targets of earlier versions can be added to
    if request.augmentation != DEFAULT_AUGMENTATION:
        found["augmentation"] = recorded(request.augmentation)
    return found
