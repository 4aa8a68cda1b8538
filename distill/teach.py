"""`distill teach`: a teacher's answers for seeded draws of each crop, computed once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import torch

import wsistore
from distill.augment import Draw, draw
from distill.config import resolve_device, sha256
from distill.console import left_out_note
from distill.errors import SubsetError, TrainingError, UsageError
from distill.look import for_answers
from distill.losses import PAPER
from distill.networks import build, smallest_input
from distill.pairs import Crops, Sample, Samples
from distill.probe import FeatureMap, feature_map
from distill.runs import Run
from distill.standardise import Standard
from distill.subsets import Subset, has_subset, median_mpp, select
from distill.targets_arrays import check_targets_out
from distill.targets_format import About, Lesson, pixels_sha256, shape
from distill.targets_write import TargetsWriter
from distill.teachers import NetworkTeacher, Question

DRAW_RULE = "distill.augment.draw(seed, view, index), view from 1, index in the subset"
Say = Callable[[str], None]
Watch = Callable[[Iterable[Sample], int], Iterable[Sample]]


@dataclass(frozen=True)
class Teaching:
    """What `distill teach` takes; see `distill teach --help` for each."""

    teacher: Path
    store: Path
    student_level: str
    out: Path
    level: str | None = None
    split: str = "main"
    subset: str = "train"
    plain_subset: str | None = "val"
    views: int = 10
    seed: int = 0
    network: str = "resnet10"
    resizers: tuple[str, ...] = PAPER
    hint: str = "float32"
    attention: bool = False
    device: str = "auto"
    workers: int = 0
    threads: int | None = None
    overwrite: bool = False


def teach(request: Teaching, say: Say, watch: Watch = lambda samples, total: samples) -> None:
    """Write the targets of a teacher: K views of each crop of a subset, one plain of another's.

    Args:
        request: what was asked for.
        say: prints one line.
        watch: passes on the samples (and how many there are) to show progress.

    Raises:
        DistillError: if an option, the teacher or the store's content stands in the way.
        wsistore.WsistoreError: if the store or the split cannot be opened, or a crop be read.
    """
    check_targets_out(request.out, request.overwrite)
    device = resolve_device(request.device)
    if request.threads is not None:
        torch.set_num_threads(request.threads)
    run, store = Run.open(request.teacher), wsistore.open(request.store)
    about = run.weights
    if request.level not in (None, about.level):
        raise UsageError(f"{run.path} was trained at {about.level}, not at --level {request.level}")
    subsets = _subsets(store, request, about.level, about.network, say)
    map_ = feature_map(build(request.network, len(about.classes)))
    lessons = _lessons(store, request, subsets, map_)
    question = Question(
        pixel=request.hint != "none", resizers=request.resizers, attention=request.attention
    )
    standard = Standard(about.mean, about.std)
    network = run.load_network(device)
    look = for_answers(device)
    teacher = NetworkTeacher(network, about.level, standard, device, question, look)
    artifact = _about(store, request, run, subsets, map_, teacher.channels)
    with TargetsWriter(request.out, artifact, lessons, overwrite=request.overwrite) as writer:
        say(_summary(request, lessons, writer.done, artifact))
        _answer(writer, teacher, request, about.level, watch)
    say(f"{request.out}: {len(writer.views)} views of {len(lessons)} crops")


def _answer(
    writer: TargetsWriter, teacher: NetworkTeacher, request: Teaching, level: str, watch: Watch
) -> None:
    """Read each crop once and answer its views."""
    left: dict[str, int] = {}
    for lesson, _ in writer.views[writer.done :]:
        left[lesson.crop] = left.get(lesson.crop, 0) + 1
    samples = Samples(Crops(request.store, list(left), [level]), None, request.workers)
    views = writer.pending()
    for sample in watch(samples.epoch(0), len(left)):
        for _ in range(left[sample.crop]):
            lesson, chosen = next(views)
            try:
                (said,) = teacher.ask([sample], [chosen])([_size(lesson, chosen)])
            except torch.OutOfMemoryError as error:
                raise TrainingError(
                    f"crop {sample.crop} does not fit in the device's memory; use --device cpu"
                ) from error
            writer.add(said)
    next(views, None)


def _size(lesson: Lesson, chosen: Draw | None) -> tuple[int, int]:
    return shape(lesson.rows, lesson.columns, chosen)


def _subsets(
    store: wsistore.Store, request: Teaching, level: str, network: str, say: Say
) -> list[tuple[Subset, bool]]:
    """Return the subsets to teach, and whether the view is plain."""
    smallest = max(smallest_input(request.network), smallest_input(network))
    levels = (level, request.student_level)
    names = [(request.subset, False)]
    plain = request.plain_subset
    if plain is not None and has_subset(store, request.split, plain):
        if plain == request.subset:
            raise UsageError(f"--subset {plain} and --plain-subset {plain} are the same")
        names.append((plain, True))
    found = []
    for name, is_plain in names:
        subset = select(store, request.split, name, levels, smallest, labelled=False)
        if subset.left_out:
            say(left_out_note(name, subset.left_out))
        found.append((subset, is_plain))
    order = list(store.level_names)
    if order.index(request.student_level) < order.index(level):
        raise SubsetError(
            f"the teacher was trained at {level}, which is coarser than "
            f"--student-level {request.student_level}"
        )
    return found


def _lessons(
    store: wsistore.Store,
    request: Teaching,
    subsets: list[tuple[Subset, bool]],
    map_: FeatureMap,
) -> list[Lesson]:
    rows = store.levels[store.levels["level"] == request.student_level].set_index("crop")
    sizes = {str(c): (int(h), int(w)) for c, h, w in rows[["height", "width"]].itertuples()}
    views = range(1, request.views + 1)
    return [
        Lesson(
            crop,
            *map_.cells(*sizes[crop]),
            (None,) if plain else tuple(draw(request.seed, view, index) for view in views),
        )
        for subset, plain in subsets
        for index, crop in enumerate(subset.crops)
    ]


def _about(
    store: wsistore.Store,
    request: Teaching,
    run: Run,
    subsets: list[tuple[Subset, bool]],
    map_: FeatureMap,
    channels: int | None,
) -> About:
    weights = run.weights
    crops = [crop for subset, _ in subsets for crop in subset.crops]
    hinted = request.hint != "none"
    return About(
        level=weights.level,
        mpp=median_mpp(store, crops, weights.level),
        student_level=request.student_level,
        stride=map_.stride,
        classes=weights.classes,
        channels=channels if hinted else None,
        hint_dtype=request.hint if hinted else None,
        resizers=list(request.resizers) if hinted else [],
        logits=True,
        attention=request.attention,
        split=request.split,
        split_sha256=sha256(store.path / "splits" / f"{request.split}.csv"),
        pixels_sha256=pixels_sha256(store.levels, crops, (weights.level, request.student_level)),
        draws={"rule": DRAW_RULE, "seed": request.seed, "views": request.views},
        teacher={
            "run": str(run.path.resolve()),
            "weights_sha256": sha256(run.path / "weights.safetensors"),
            "level": weights.level,
            "mpp": weights.mpp,
            "epoch": weights.epoch,
        },
    )


def _summary(request: Teaching, lessons: list[Lesson], done: int, about: About) -> str:
    views = sum(len(lesson.draws) for lesson in lessons)
    cells = sum(len(lesson.draws) * lesson.cells for lesson in lessons)
    width = (about.channels or 0) * (2 if about.hint_dtype == "float16" else 4)
    begun = f", {done} of them done before" if done else ""
    return (
        f"teach: {views} views of {len(lessons)} crops{begun}, {about.level} → "
        f"{about.student_level}, about {cells * width / 2**20:.0f} MiB"
    )
