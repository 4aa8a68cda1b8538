"""`distill teach`: a teacher's answers for seeded draws of each crop, computed once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack

import torch

import wsistore
from distill.data import ChannelStats, Crops, Sample, SampleLoader, Stains
from distill.embeddings import EmbeddingsReader, vectors_of
from distill.errors import TrainingError, UsageError
from distill.kd import teach_plan
from distill.kd.embedded_teacher import EmbeddedTeacher, draws
from distill.kd.targets.arrays import check_targets_out, is_targets, require_same
from distill.kd.targets.target import TargetSpec, TeacherOutput
from distill.kd.targets.views import View, group_views, plan_views
from distill.kd.targets.writer import TargetsWriter
from distill.kd.teach_plan import TeachSettings
from distill.kd.teacher import NetworkTeacher
from distill.networks import (
    BATCH_PIXELS,
    FeatureMap,
    build,
    feature_map,
    inference_runner,
    resolve_device,
)
from distill.runs import Run

Say = Callable[[str], None]
Watch = Callable[[Iterable[Sample], int], Iterable[Sample]]


def teach(request: TeachSettings, say: Say, watch: Watch = lambda samples, total: samples) -> None:
    """Write the targets of a teacher: K views of each crop of a subset, one plain of another's.

    Args:
        request: what was asked for.
        say: prints one line.
        watch: passes on the samples (and how many there are) to show progress.

    Raises:
        DistillError: if an option, the teacher or the store's content stands in the way.
        wsistore.WsistoreError: if the store or the split cannot be opened, or a crop be read.
    """
    _check_out(request)
    if not request.no_lock:
        wsistore.require_locks(request.out)
    device = resolve_device(request.device)
    if request.threads is not None:
        torch.set_num_threads(request.threads)
    run, store = Run.open(request.teacher), wsistore.open(request.store)
    run.require_crops()
    about = run.weights
    if request.level not in (None, about.level):
        raise UsageError(f"{run.path} was trained at {about.level}, not at --level {request.level}")
    map_ = feature_map(build(request.student, len(about.classes)))
    pixel = request.hint != "none"
    question = TargetSpec(pixel=pixel, resizers=request.resizers, attention=request.attention)
    vectors = vectors_of(run, request.embeddings)
    if vectors is not None:
        vectors.require(store, teach_plan.order(store, request))
        stored = EmbeddedTeacher(run, vectors, question, device)
        with ExitStack() as stack:
            writers = _writers(stack, request, store, run, map_, stored.channels, vectors, say)
            _read(writers, stored, request, store)
    elif request.embeddings is not None:
        raise UsageError(f"--embeddings has no effect: {run.path} is a whole network; leave it out")
    else:
        network = run.load_network(device)
        batch = BATCH_PIXELS[device.type] if request.batch_pixels is None else request.batch_pixels
        look = inference_runner(device, request.memory_gib, batch)
        standard = ChannelStats(about.mean, about.std)
        teacher = NetworkTeacher(network, about.level, standard, device, question, look)
        with ExitStack() as stack:
            writers = _writers(stack, request, store, run, map_, teacher.channels, None, say)
            _answer(writers, teacher, about.read_with, request, store, look.limit(network), watch)
    for writer in writers:
        say(f"{writer.path}: {len(writer.views)} views of {len(writer.lessons)} crops")


def _writers(
    stack: ExitStack,
    request: TeachSettings,
    store: wsistore.Store,
    run: Run,
    map_: FeatureMap,
    channels: int | None,
    vectors: EmbeddingsReader | None,
    say: Say,
) -> list[TargetsWriter]:
    """Open the targets of each level that are not there yet; the stack closes them."""
    about = run.weights
    there = _check_out(request)
    looks = None if vectors is not None else about.spec
    writers: list[TargetsWriter] = []
    for level in request.student_levels:
        chosen = teach_plan.subsets(store, request, level, about.level, looks, say)
        stored = None if vectors is None else draws(vectors)
        lessons = teach_plan.crop_targets(store, request, level, chosen, map_, stored)
        artifact = teach_plan.about(store, request, level, run, chosen, map_, channels, vectors)
        out = request.folder(level)
        if level in there:
            require_same(out, artifact, lessons)
            say(f"{out}: is there already")
            continue
        writer = TargetsWriter(
            out, artifact, lessons, overwrite=request.overwrite, lock=not request.no_lock
        )
        writers.append(stack.enter_context(writer))
        say(_summary(writer))
    return writers


def _check_out(request: TeachSettings) -> list[str]:
    """Return the levels whose targets are there, beside others that are not.

    Raises:
        UsageError: if something is in the way, or all is there.
    """
    levels = request.student_levels
    if len({request.folder(level) for level in levels}) > 1 and is_targets(request.out):
        raise UsageError(f"{request.out} holds targets itself; choose another --out")
    for level in levels:
        folder = request.folder(level)
        wsistore.atomic.clear(folder.parent, folder.name)
    there = [level for level in levels if is_targets(request.folder(level))]
    if request.overwrite or len(there) == len(levels):
        there = []
    for level in levels:
        if level not in there:
            check_targets_out(request.folder(level), request.overwrite)
    return there


def _answer(
    writers: Sequence[TargetsWriter],
    teacher: NetworkTeacher,
    stains: Stains,
    request: TeachSettings,
    store: wsistore.Store,
    limit: int,
    watch: Watch,
) -> None:
    """Read each crop once, look at each of its views once, and tell every writer that lacks it."""
    (level,) = teacher.levels
    order = teach_plan.order(store, request)
    rows = store.levels[store.levels["level"] == level]
    areas = (rows["height"] * rows["width"]).astype("int64")
    pixels = dict(zip(rows["crop"].astype(str), areas, strict=True))
    looks = plan_views([writer.lessons for writer in writers], order)
    left = [
        group
        for group in group_views(looks, pixels, limit)
        if any(want.view >= writers[want.artifact].done for look in group for want in look.wanted)
    ]
    crops = list(dict.fromkeys(look.crop for group in left for look in group))
    samples = SampleLoader(Crops(request.store, crops, [level], stains), None, request.workers)
    coming = iter(watch(samples.epoch(0), len(crops)))
    held: dict[str, Sample] = {}
    for group in left:
        wanted = dict.fromkeys(look.crop for look in group)
        held = {crop: held[crop] if crop in held else next(coming) for crop in wanted}
        for look, answers in zip(group, _taught(teacher, held, group), strict=True):
            for want, said in zip(look.wanted, answers, strict=True):
                writer = writers[want.artifact]
                if want.view > writer.done:
                    raise ValueError(f"{writer.path}: view {want.view} before {writer.done}")
                if want.view == writer.done:
                    writer.add(said)
    next(coming, None)  # the end of the progress bar


def _read(
    writers: Sequence[TargetsWriter],
    teacher: EmbeddedTeacher,
    request: TeachSettings,
    store: wsistore.Store,
) -> None:
    """Read the vectors of each view once, and tell every writer that lacks it."""
    order = teach_plan.order(store, request)
    for look in plan_views([writer.lessons for writer in writers], order):
        left = [want for want in look.wanted if want.view >= writers[want.artifact].done]
        if not left:
            continue
        said = teacher.answers(look.crop, look.draw, [want.size for want in left])
        for want, one in zip(left, said, strict=True):
            writers[want.artifact].add(one)


def _taught(
    teacher: NetworkTeacher, held: Mapping[str, Sample], group: Sequence[View]
) -> list[list[TeacherOutput]]:
    try:
        return teacher.answers(
            [held[look.crop] for look in group],
            [look.draw for look in group],
            [[want.size for want in look.wanted] for look in group],
        )
    except torch.OutOfMemoryError as error:
        raise TrainingError(
            f"crop {group[0].crop} does not fit in the device's memory; lower --batch-pixels or "
            "--memory, or use --device cpu"
        ) from error


def _summary(writer: TargetsWriter) -> str:
    about = writer.about
    views = len(writer.views)
    cells = sum(len(lesson.draws) * lesson.cells for lesson in writer.lessons)
    width = (about.channels or 0) * (2 if about.hint_dtype == "float16" else 4)
    begun = f", {writer.done} of them done before" if writer.done else ""
    return (
        f"teach: {views} views of {len(writer.lessons)} crops{begun}, {about.level} → "
        f"{about.student_level}, about {cells * width / 2**20:.0f} MiB"
    )
