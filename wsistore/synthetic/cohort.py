"""Whole cohorts: many slides, written in parallel, and their labels.csv."""

import csv
import multiprocessing
import re
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wsistore.errors import UsageError
from wsistore.files import OutputLock, atomic
from wsistore.parallel import end_with_parent
from wsistore.synthetic.kinds import CLASSES, HARD_CASES, STAINS
from wsistore.synthetic.noise import stream
from wsistore.synthetic.render import aside, check, write_scene
from wsistore.synthetic.scene.scene import Domain, draw_scene
from wsistore.synthetic.tiff import is_synthetic

SCANNERS = (0.4952, 0.5031, 0.4990)
"""µm per pixel of three 20× scanners; other resolutions scale them."""
_SECOND_SLIDE = 0.27


@dataclass(frozen=True, slots=True)
class Plan:
    """One slide to write.

    Attributes:
        slide, patient: names; `slide` is the file name without its extension.
        label: its class, or "" where labels.csv is to say nothing.
        drawn: the class it is drawn as.
        key: (seed, patient, slide) of its random streams.
        mpp: µm per pixel.
        hard: None or one of `HARD_CASES`.
        stain: one of `STAINS`.
    """

    slide: str
    patient: str
    label: str
    drawn: str
    key: tuple[int, int, int]
    mpp: float
    hard: str | None = None
    stain: str = "usual"


@dataclass(frozen=True, slots=True)
class Hospital:
    """Where a cohort is from.

    Attributes:
        stain: one of `STAINS`.
        prefix: what the names of its patients and slides begin with.

    Raises:
        UsageError: the stain is not known, or the prefix cannot begin a file's name.
    """

    stain: str = "usual"
    prefix: str = ""

    def __post_init__(self) -> None:
        if self.stain not in STAINS:
            raise UsageError(f"unknown stain {self.stain!r}: choose from {', '.join(STAINS)}")
        if re.fullmatch(r"([A-Za-z0-9][A-Za-z0-9._-]*)?", self.prefix) is None:
            raise UsageError(
                f"--prefix {self.prefix!r}: give letters, digits, '.', '_' and '-', "
                "the first of them a letter or a digit"
            )


HOME = Hospital()


def plan_cohort(
    patients: int,
    *,
    seed: int = 0,
    mpp: float = 0.5,
    unlabeled: int = 0,
    hard: Sequence[str] = (),
    hospital: Hospital = HOME,
) -> list[Plan]:
    """Decide patients, slides, labels and scanners; a pure function of its arguments.

    Classes are dealt in turn to shuffled places, so that they are balanced over the labelled
    patients. About one patient in four has two slides. Unlabelled patients are drawn from the same
    classes. Every hard case is one more slide of a patient of its own.
    """
    plans, prefix, stain = [], hospital.prefix, hospital.stain
    rng = stream(seed, Domain.COHORT)
    for place in range(patients + unlabeled):
        if place % len(CLASSES) == 0:
            deal = rng.permutation(len(CLASSES)).tolist()
        drawn = CLASSES[deal[place % len(CLASSES)]]
        known = place < patients
        name = prefix + (f"P{place + 1:03d}" if known else f"U{place - patients + 1:03d}")
        for number in range(2 if rng.random() < _SECOND_SLIDE else 1):
            scale = SCANNERS[int(rng.integers(len(SCANNERS)))]
            plans.append(
                Plan(
                    slide=f"{name}-{number + 1}",
                    patient=name,
                    label=drawn if known else "",
                    drawn=drawn,
                    key=(seed, place, number),
                    mpp=round(scale * mpp / 0.5, 4),
                    stain=stain,
                )
            )
    for case in hard:
        # keyed by the case, so that it is the same slide whatever else the cohort holds
        place = 1_000_000 + HARD_CASES.index(case)
        drawn = CLASSES[HARD_CASES.index(case) % len(CLASSES)]
        patient = f"{prefix}H{HARD_CASES.index(case) + 1:03d}"
        key = (seed, place, 0)
        plans.append(Plan(f"{patient}-{case}", patient, drawn, drawn, key, mpp, case, stain))
    return plans


LABELS = "labels.csv"

_Task = tuple[Path, int, int | None, Plan]


def write_cohort(
    directory: Path,
    *,
    patients: int = 12,
    size: int = 4096,
    seed: int = 0,
    pieces: int | None = None,
    mpp: float = 0.5,
    workers: int = 1,
    unlabeled: int = 0,
    hard: Sequence[str] = (),
    hospital: Hospital = HOME,
    overwrite: bool = False,
    progress: Callable[[int, str | None], None] | None = None,
) -> list[Path]:
    """Write a cohort of synthetic slides and its labels.csv, and return the slides' paths.

    Args:
        directory: folder to fill; made if it is missing.
        patients: labelled patients.
        size: width and height of every slide in pixels.
        seed: names the cohort; the same seed gives the same pixels for any number of workers.
        pieces: pieces of tissue per slide; by default 3 per 2 mm of side.
        mpp: µm per pixel of the scanners, each of which differs by up to 1 %.
        workers: processes that render at the same time.
        unlabeled: additional patients whose label is left empty.
        hard: any of "pale", "pen", "edge", "no-mpp": one more slide each.
        hospital: where the cohort is from: its stain, and what its names begin with.
        overwrite: whether an older synthetic cohort in `directory` is replaced; slides that this
            function did not make are never touched.
        progress: called with newly finished level-0 pixels and, after each slide, its name.

    Raises:
        UsageError: for a value out of range, a folder that holds files without `overwrite`, or one
            that another process fills.
    """
    check(size=size, mpp=mpp, seed=seed, pieces=pieces)
    if min(patients, unlabeled) < 0 or workers < 1:
        raise UsageError("--patients and --unlabelled are at least 0, and --workers at least 1")
    for case in hard:
        if case not in HARD_CASES:
            raise UsageError(f"unknown hard case {case!r}: choose from {', '.join(HARD_CASES)}")
    cases = list(dict.fromkeys(hard))
    plans = plan_cohort(
        patients, seed=seed, mpp=mpp, unlabeled=unlabeled, hard=cases, hospital=hospital
    )
    if not plans:
        raise UsageError("a cohort needs a slide: raise --patients, or name a case with --hard")
    tasks = [(directory / f"{plan.slide}.svs", size, pieces, plan) for plan in plans]
    with OutputLock(directory, None, "folder"):
        _make_room(directory, {plan.slide for plan in plans}, overwrite)
        _write_all(tasks, min(workers, len(tasks)), progress or _silent)
        with aside(directory / LABELS) as unfinished, unfinished.open("w", newline="") as file:
            rows = csv.writer(file, lineterminator="\n")
            rows.writerow(("slide", "patient", "label"))
            rows.writerows((plan.slide, plan.patient, plan.label) for plan in plans)
    return [task[0] for task in tasks]


def _make_room(directory: Path, planned: set[str], overwrite: bool) -> None:
    """Make the folder; with `overwrite`, remove the synthetic slides of an older cohort."""
    if directory.exists() and not directory.is_dir():
        raise UsageError(f"{directory} is a file: choose a folder")
    directory.mkdir(parents=True, exist_ok=True)
    atomic.clear(directory)
    if not any(directory.iterdir()):
        return
    if not overwrite:
        raise UsageError(f"{directory} is not empty: choose another folder or add --overwrite")
    slides = sorted(directory.glob("*.svs"))
    foreign = [path for path in slides if path.stem in planned and not is_synthetic(path)]
    if foreign:
        raise UsageError(f"{foreign[0]} is not a synthetic slide: choose another folder")
    (directory / LABELS).unlink(missing_ok=True)
    for path in slides:
        if is_synthetic(path):
            path.unlink()


def _silent(pixels: int, slide: str | None) -> None:
    """Report nothing."""


def _write_all(
    tasks: list[_Task], workers: int, progress: Callable[[int, str | None], None]
) -> None:
    """Write all slides, in this process or in `workers` others."""
    if workers == 1:
        for task in tasks:
            _write(task, lambda pixels: progress(pixels, None))
            progress(0, task[3].slide)
        return
    context = multiprocessing.get_context("spawn")
    stop, pixels = context.Event(), context.Value("q", 0)
    reported = 0
    pool = ProcessPoolExecutor(workers, context, _adopt, (stop, pixels))
    try:
        names = {pool.submit(_write_in_worker, task): task[3].slide for task in tasks}
        waiting: set[Future[None]] = set(names)
        while waiting:
            finished, waiting = wait(waiting, timeout=0.25, return_when=FIRST_COMPLETED)
            progress(pixels.value - reported, None)
            reported = pixels.value
            for future in finished:
                future.result()
                progress(0, names[future])
    finally:
        # on any error, Ctrl-C included, workers leave at their next strip and clean up
        stop.set()
        pool.shutdown(wait=True, cancel_futures=True)


def _write(task: _Task, progress: Callable[[int], None]) -> None:
    path, size, pieces, plan = task
    if path.exists():
        raise UsageError(f"{path} exists: choose another folder or add --overwrite")
    scene = draw_scene(
        plan.key, size * plan.mpp, plan.drawn, pieces=pieces, hard=plan.hard, stain=plan.stain
    )
    silent = plan.hard == "no-mpp"
    write_scene(path, scene, size, plan.mpp, silent=silent, progress=progress)


class _StoppedError(Exception):
    """The parent process asked its workers to leave."""


_shared: dict[str, Any] = {}


def _adopt(stop: Any, pixels: Any) -> None:
    """Prepare a worker, which ends with its parent; only that answers Ctrl-C and the like."""
    for name in ("SIGINT", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    end_with_parent()
    _shared.update(stop=stop, pixels=pixels)


def _write_in_worker(task: _Task) -> None:
    def report(count: int) -> None:
        if _shared["stop"].is_set():
            raise _StoppedError
        with _shared["pixels"].get_lock():
            _shared["pixels"].value += count

    _write(task, report)
