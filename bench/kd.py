"""Distillation epochs against each other, and reading pairs against PNG files.

    python -m bench.kd

On generated crops of about 2,000² px at 10×, paired with 1.25×, epochs of
(a) the student alone, supervised by labels; (b) KD from stored targets; (c) KD with the teacher
online, on a few of the crops, for it takes long. Time waiting for data is what the loop spends in
asking for the next sample, and with targets in reading them. Seconds are per crop.

Before that the pairs alone, 10× and 1.25×, (d) from the store and (e) from PNG files that Pillow
reads in torch's loader: in this process, and with as many reading processes each.

Rounds take the ways in turn, so that a busy machine slows all of them; a ratio is the median of the
rounds' ratios.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

import wsistore
from bench.kd_data import HIGH, LOW, picture, save_pictures, stored, teacher_run
from distill.data.augmentation import AugmentationParams
from distill.data.batching import by_size
from distill.data.dataset import Crops, LabeledCrops, Sample
from distill.data.loader import SampleLoader
from distill.data.normalization import channel_stats
from distill.engine.compute_settings import ComputeSettings
from distill.engine.optimizers import make_optimizer
from distill.engine.settings import TrainingSettings
from distill.engine.task import SupervisedTask, Task
from distill.engine.trainer import train_epoch
from distill.kd.settings import Criterion
from distill.kd.stored_teacher import StoredTeacher
from distill.kd.targets.reader import TargetsReader
from distill.kd.targets.target import TeacherOutput
from distill.kd.task import KDTask
from distill.kd.teach_plan import TeachSettings
from distill.kd.teacher import NetworkTeacher, PendingTargets
from distill.kd.teaching import teach
from distill.networks import build_resnet
from distill.networks.choices import BATCH_PIXELS
from distill.networks.execution.runner import CropRunner

CPU = torch.device("cpu")
LOOK = CropRunner(batch_pixels=BATCH_PIXELS["cpu"])
Pairs = Iterable[Mapping[str, Tensor]]


class Silent:
    """An observer that sees nothing."""

    def crop(self, epoch: int, subset: str) -> None: ...

    def epoch(self, record: Mapping[str, Any]) -> None: ...


class Clocked(SampleLoader[Any]):
    """Samples that add up how long the loop waits for them."""

    waited = 0.0

    def read(self, indices: Sequence[int]) -> Iterator[Any]:
        found = super().read(indices)
        while True:
            started = time.perf_counter()
            sample = next(found, None)
            self.waited += time.perf_counter() - started
            if sample is None:
                return
            yield sample


class ClockedTeacher(StoredTeacher):
    """Stored targets that add up how long the loop waits for them."""

    waited = 0.0

    def ask(
        self,
        samples: Sequence[Sample],
        draws: Sequence[AugmentationParams | None],
        sizes: Sequence[tuple[int, int]],
    ) -> PendingTargets:
        started = time.perf_counter()
        answer = super().ask(samples, draws, sizes)
        self.waited += time.perf_counter() - started

        def clocked() -> list[TeacherOutput]:
            started = time.perf_counter()
            said = answer()
            self.waited += time.perf_counter() - started
            return said

        return clocked


class Pictures(Dataset[dict[str, Tensor]]):
    """The same crops as PNG files, read by Pillow."""

    def __init__(self, folder: Path, crops: Sequence[str]) -> None:
        self._folder, self._crops = folder, list(crops)

    def __len__(self) -> int:
        return len(self._crops)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        found = {}
        for level in (HIGH, LOW):
            pixels = np.asarray(Image.open(picture(self._folder, self._crops[index], level)))
            found[level] = torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))
        return found


def seconds_a_crop(task: Task[Any], samples: Clocked, epoch: int) -> float:
    """Return the seconds of one training epoch, per crop."""
    schedule = TrainingSettings()
    adam = make_optimizer(task, schedule)
    started = time.perf_counter()
    cut = by_size(LOOK.limit(task.network), schedule.accumulate)  # as `distill train` does
    train_epoch(task, samples, adam, schedule, epoch, Silent(), ComputeSettings(cut=cut))
    return (time.perf_counter() - started) / len(samples)


def seconds(pairs: Pairs) -> float:
    """Return the seconds of taking every pair once, and looking at its first pixel."""
    started = time.perf_counter()
    for images in pairs:
        for image in images.values():
            int(image[0, 0, 0])
    return time.perf_counter() - started


def ratio(times: Mapping[str, list[float]], over: str, under: str) -> float:
    """Return the median over the rounds of one way's seconds over another's."""
    pairs = zip(times[over], times[under], strict=True)
    return statistics.median(one / other for one, other in pairs)


def epochs(store: Path, folder: Path, options: argparse.Namespace) -> None:
    """Measure and print (a), (b) and (c)."""
    opened = wsistore.open(store)
    crops = list(opened.crops["crop"])
    high, low = (channel_stats(opened.levels, crops, level) for level in (HIGH, LOW))
    targets = folder / "targets"
    if not targets.exists():
        teach(TeachSettings(teacher_run(folder, high), store, (LOW,), targets, views=1), print)
    criterion = Criterion()
    held = ClockedTeacher(TargetsReader(targets), criterion.question(), CPU)
    question = criterion.question()
    looks = NetworkTeacher(build_resnet("resnet10", 2, seed=1), HIGH, high, CPU, question, LOOK)
    tasks: dict[str, Task[Any]] = {
        "a": SupervisedTask(build_resnet("resnet10", 2), LOW, low, CPU, LOOK),
        "b": KDTask(build_resnet("resnet10", 2), LOW, low, held, criterion, CPU, look=LOOK),
        "c": KDTask(build_resnet("resnet10", 2), LOW, low, looks, criterion, CPU, look=LOOK),
    }
    many = crops * options.repeat  # so that an epoch's start weighs as in a real data set
    data: dict[str, Any] = {
        "a": LabeledCrops(store, many, [LOW], [number % 2 for number in range(len(many))]),
        "b": Crops(store, many, [LOW]),
        "c": Crops(store, crops[: options.online_crops], [HIGH, LOW]),
    }
    samples: dict[str, Clocked] = {n: Clocked(data[n], 0, options.workers) for n in data}
    for name in "ab":  # start the workers and warm up
        seconds_a_crop(tasks[name], samples[name], 1)
    list(samples["c"].epoch(1))
    held.waited = 0.0
    for clock in samples.values():
        clock.waited = 0.0
    times: dict[str, list[float]] = {name: [] for name in tasks}
    for number in range(options.rounds):
        every = max(1, options.rounds // options.online_rounds)
        for name in "abc" if number % every == 0 else "ab":
            times[name].append(seconds_a_crop(tasks[name], samples[name], number + 2))
    names = {"a": "student, labels", "b": "KD, targets", "c": "KD, teacher online"}
    for name, what in names.items():
        waited = samples[name].waited + (held.waited if name == "b" else 0.0)
        share = waited / (sum(times[name]) * len(samples[name]))
        median = statistics.median(times[name])
        print(f"({name}) {what:20} {median * 1e3:8.1f} ms a crop, waiting for data {share:.1%}")
    print(f"b/a {ratio(times, 'b', 'a'):.2f} (target ≤ 1.15)")
    print(f"c/b {statistics.median(times['c']) / statistics.median(times['b']):.1f}")


def pairs(store: Path, folder: Path, options: argparse.Namespace) -> None:
    """Measure and print (d) and (e)."""
    crops = list(wsistore.open(store).crops["crop"])
    save_pictures(store, crops, folder / "png")
    crops *= options.repeat
    pictures = Pictures(folder / "png", crops)
    for workers in options.pair_workers:
        ways = {"d": _store_pairs(store, crops, workers), "e": _picture_pairs(pictures, workers)}
        times: dict[str, list[float]] = {name: [] for name in ways}
        for number in range(options.pair_rounds + 1):
            for name, stream in ways.items():
                taken = seconds(stream())
                if number:  # the first starts the processes
                    times[name].append(taken)
        for name, what in {"d": "pairs from the store", "e": "pairs from PNG files"}.items():
            median = statistics.median(times[name])
            print(f"({name}) {what}, workers {workers}: {len(crops) / median:.1f} pairs/s")
        print(f"e/d, workers {workers}: {ratio(times, 'e', 'd'):.1f} (target ≥ 3)", flush=True)


def _store_pairs(store: Path, crops: Sequence[str], workers: int) -> Callable[[], Pairs]:
    samples = SampleLoader(Crops(store, crops, [HIGH, LOW]), None, workers)
    return lambda: (sample.images for sample in samples.epoch(1))


def _picture_pairs(pictures: Pictures, workers: int) -> Callable[[], Pairs]:
    loader = DataLoader(
        pictures,
        batch_size=None,
        num_workers=workers,
        multiprocessing_context="spawn" if workers else None,
        persistent_workers=workers > 0,
    )
    return lambda: loader


def main() -> None:
    """Run the benchmark; crops are kept in `bench-out/kd` for the next time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("bench-out/kd"))
    parser.add_argument("--crops", type=int, default=20)
    parser.add_argument("--side", type=int, default=2_000, help="of the crops at 10×, in pixels")
    parser.add_argument("--repeat", type=int, default=2, help="of each crop in an epoch")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--online-rounds", type=int, default=3)
    parser.add_argument("--online-crops", type=int, default=4)
    parser.add_argument("--pair-rounds", type=int, default=5)
    parser.add_argument("--pair-workers", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--workers", type=int, default=1, help="that read for an epoch")
    parser.add_argument("--threads", type=int, default=None, help="of torch")
    options = parser.parse_args(sys.argv[1:] if __name__ == "__main__" else [])
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    folder = options.out / f"{options.crops}-{options.side}"
    store = stored(folder, options.crops, options.side)
    size = f"{options.crops} crops of about {options.side}² px at 10×"
    print(
        f"{size}, epochs' workers: {options.workers}, torch's threads: {torch.get_num_threads()}",
        flush=True,
    )
    pairs(store, folder, options)
    epochs(store, folder, options)


if __name__ == "__main__":
    main()
