"""How many crops, tiles and views a second, and how long the loop waits for data meanwhile.

Each measurement is made once before those that count, so that libraries are loaded, and the device
has chosen how to compute. Nothing that was read is kept: each round reads the store again. Waiting
is what the loop spends in asking for the next crop, and with stored targets in reading them; work
that the device has been given meanwhile goes on, so that the device waits less than that.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any
from unittest.mock import patch

import numpy as np

import wsistore
from bench.gpu.setup import HIGH, LOW, PRECISIONS, Clock, Rate, Setup
from bench.kd import Clocked, ClockedTeacher, Silent
from distill.data import Crops, LabeledCrops, by_size
from distill.embeddings import EmbeddingsReader, EmbedSettings, embed
from distill.engine import ComputeSettings, SupervisedTask, Task, TrainingSettings
from distill.engine.optimizers import make_optimizer
from distill.engine.trainer import train_epoch
from distill.evaluation import Answering
from distill.evaluation.inference import crop_logits, logits
from distill.kd import TargetsReader
from distill.kd.settings import Criterion
from distill.kd.task import KDTask
from distill.kd.teach_plan import TeachSettings
from distill.kd.teacher import NetworkTeacher
from distill.kd.teaching import teach
from distill.networks import BATCH_PIXELS, CropImage, CropRunner, build, inference_runner
from distill.predict import RunJob, SlideJob, predict_slide
from distill.predict import reading as prediction
from distill.runs import Run, sha256

Round = Callable[[], tuple[int, float, float]]
"""Does something once: how many were done, in how many seconds, of which the loop has waited."""


def rates(here: Setup) -> Iterator[Rate]:
    """Measure everything."""
    yield from training(here)
    yield from embedding(here)
    yield teaching(here)
    yield evaluating(here)
    yield predicting(here)


def measured(here: Setup, what: str, precision: str, unit: str, once: Round) -> Rate:
    """Do something once for nothing, and then as often as the scale says."""
    once()
    found = np.array([once() for _ in range(here.scale.rounds)])
    done, seconds, waited = found.T
    per_second = statistics.median((done / seconds).tolist())
    share = float(waited.sum() / seconds.sum())
    return Rate(what, precision, unit, per_second, share, here.scale.rounds)


def training(here: Setup) -> Iterator[Rate]:
    """Measure epochs of teacher and student, from labels, stored targets and the teacher itself."""
    with here.emptied("targets") as targets:
        settings = TeachSettings(
            here.teacher, here.store, (LOW,), targets, views=1, device=str(here.device)
        )
        teach(settings, here.said.append)
        look = CropRunner(batch_pixels=BATCH_PIXELS[here.device.type])
        high, low = here.standard(HIGH), here.standard(LOW)
        criterion, many = Criterion(), here.crops * here.scale.repeat
        asked = criterion.question()

        def labeled(crops: list[str], level: str) -> Clocked:
            labels = [number % 2 for number in range(len(crops))]
            return Clocked(LabeledCrops(here.store, crops, [level], labels), 0, here.scale.workers)

        for precision in PRECISIONS:
            task: Task[Any] = SupervisedTask(build("resnet10", 2), HIGH, high, here.device, look)
            yield _epochs(here, "train teacher", precision, task, labeled(here.crops, HIGH), look)
            task = SupervisedTask(build("resnet10", 2), LOW, low, here.device, look)
            yield _epochs(here, "train baseline", precision, task, labeled(many, LOW), look)
            held = ClockedTeacher(TargetsReader(targets), asked, here.device)
            task = KDTask(build("resnet10", 2), LOW, low, held, criterion, here.device, look=look)
            samples = Clocked(Crops(here.store, many, [LOW]), 0, here.scale.workers)
            yield _epochs(here, "train kd, stored targets", precision, task, samples, look)
            online = NetworkTeacher(
                Run.open(here.teacher).load_network(here.device), HIGH, high, here.device, asked,
                look,
            )  # fmt: skip
            task = KDTask(build("resnet10", 2), LOW, low, online, criterion, here.device, look=look)
            samples = Clocked(Crops(here.store, here.crops, [HIGH, LOW]), 0, here.scale.workers)
            yield _epochs(here, "train kd, teacher online", precision, task, samples, look)


def _epochs(
    here: Setup, what: str, precision: str, task: Task[Any], samples: Clocked, look: CropRunner
) -> Rate:
    schedule = TrainingSettings()
    optimizer = make_optimizer(task, schedule)
    cut = by_size(look.limit(task.network), schedule.accumulate)  # as `distill train` does
    setting = ComputeSettings(cut=cut, precision=precision)
    clocks: list[Clocked | ClockedTeacher] = [samples]
    if isinstance(task, KDTask) and isinstance(task.teacher, ClockedTeacher):
        clocks.append(task.teacher)
    epoch = 0

    def once() -> tuple[int, float, float]:
        nonlocal epoch
        epoch += 1
        before = sum(clock.waited for clock in clocks)
        began = time.perf_counter()
        train_epoch(task, samples, optimizer, schedule, epoch, Silent(), setting)
        here.wait()
        seconds = time.perf_counter() - began
        return len(samples), seconds, sum(clock.waited for clock in clocks) - before

    return measured(here, what, precision, f"crops at {task.level}", once)


def embedding(here: Setup) -> Iterator[Rate]:
    """Measure `distill embed`, from the network in memory to the published folder."""
    file, architecture = here.encoder
    for precision in PRECISIONS:

        def once(precision: str = precision) -> tuple[int, float, float]:
            clock, began = Clock(), [0.0]

            def say(line: str) -> None:
                if line.startswith("embed:"):  # it has its network, and begins to look
                    began[0] = time.perf_counter()

            with here.emptied("embedded") as out:
                settings = EmbedSettings(
                    here.store, out, file, HIGH, architecture, tile=here.scale.tile,
                    precision=precision, device=str(here.device), workers=here.scale.workers,
                )  # fmt: skip
                embed(settings, say, clock)
                seconds = time.perf_counter() - began[0]
                vectors = EmbeddingsReader(out)
                tiles = sum(len(vectors.bag(crop)) for crop in here.crops)
            return tiles, seconds, clock.waited

        name = here.scale.encoder.partition("/")[2]
        yield measured(here, f"embed, {name}", precision, f"tiles of {here.scale.tile} px", once)


def teaching(here: Setup) -> Rate:
    """Measure `distill teach`, from opening the run to the published folder."""

    def once() -> tuple[int, float, float]:
        clock = Clock()
        with here.emptied("taught") as out:
            settings = TeachSettings(
                here.teacher, here.store, (LOW,), out, views=here.scale.views,
                device=str(here.device), workers=here.scale.workers,
            )  # fmt: skip
            began = time.perf_counter()
            teach(settings, here.said.append, clock)
            seconds = time.perf_counter() - began
            views = TargetsReader(out).views
        return views, seconds, clock.waited

    return measured(here, "teach", "fp32", f"views at {HIGH}", once)


def evaluating(here: Setup) -> Rate:
    """Measure the logits of `distill evaluate`, small crops of a slide together."""
    run, store = Run.open(here.teacher), wsistore.open(here.store)
    answering, look = Answering.load(run, here.device), inference_runner(here.device)

    def once() -> tuple[int, float, float]:
        clock = Clock()
        began = time.perf_counter()
        logits(answering, store, here.crops, here.scale.workers, clock, look)
        return len(here.crops), time.perf_counter() - began, clock.waited

    return measured(here, "evaluate", "fp32", f"crops at {HIGH}", once)


def predicting(here: Setup) -> Rate:
    """Measure `distill predict` in one process, slide by slide.

    All is waiting for data but what the network takes: a slide's pixels are decoded and made into a
    level while it has nothing to do.
    """
    run = here.teacher
    job = SlideJob(
        RunJob(run, sha256(run / "weights.safetensors")),
        wsistore.open(here.store).settings,
        mpp=1.0,
        device=str(here.device),
    )
    files = wsistore.find_slides(here.slides)

    def once() -> tuple[int, float, float]:
        looked = 0.0

        def clocked(answering: Answering, crops: Iterable[CropImage], *given: Any) -> Any:
            nonlocal looked
            clock = Clock()
            began = time.perf_counter()
            found = list(crop_logits(answering, clock(crops, 0), *given))
            looked += time.perf_counter() - began - clock.waited
            return found

        with patch.object(prediction, "crop_logits", clocked):
            began = time.perf_counter()
            work = partial(predict_slide, job=job)
            found = [result for _, result in wsistore.in_workers(work, files, 0)]
            seconds = time.perf_counter() - began
        bad = [
            one.reason for one in found if isinstance(one, wsistore.Death) or one.outcome != "ok"
        ]
        if bad:
            raise RuntimeError(f"a slide could not be predicted: {bad[0]}")
        return len(files), seconds, seconds - looked

    return measured(here, "predict", "fp32", f"slides of {here.scale.side}² px", once)
