"""A run folder with an evaluation, and stored teacher targets."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import torch

import wsistore
from distill.cli.main import main
from distill.kd.targets.reader import TargetsReader
from distill.predict.training_domain import domain_of
from distill.runs.checkpoint import read_progress
from distill.runs.run import Run
from tests.behavior.fuzzing.case import Target
from tests.behavior.fuzzing.commands import succeeds
from tests.behavior.fuzzing.stores import small_store
from tests.distill.kd.targets.test_reader import write as write_targets
from tests.wsistore.build.test_builder import flat_slide

in_workers = wsistore.in_workers
MACHINE = ("--device", "cpu", "--threads", 1)


def _write_runs(folder: Path) -> None:
    place = folder / "resnet10"
    store = small_store(place / "store", "abcdef")
    run = place / "run"
    words = ("--level", "10x", "--out", run, "--epochs", 1, *MACHINE)
    succeeds(main, "train", "baseline", store, *words)
    succeeds(main, "evaluate", run, store, "--draws", 9, *MACHINE)
    flat_slide(place / "new.tif", 512)


def _run_files(original: Path) -> list[Path]:
    return sorted(path for path in (original / "run").rglob("*") if path.is_file())


def _answer_run(folder: Path, rng: random.Random) -> str:
    run, store = folder / "run", folder / "store"
    opened = Run.open(run)
    said = [opened.weights, opened.class_map, opened.learnt_from(), opened.epoch_chosen_on()]
    digest = hashlib.sha256(repr(said).encode())
    for name, tensor in opened.load_network().state_dict().items():
        digest.update(name.encode() + tensor.numpy().tobytes())
    known = domain_of(opened, None)
    digest.update(repr((known.settings, known.colors, known.unknown)).encode())
    digest.update(repr(read_progress(run / "checkpoint.safetensors")).encode())
    kind = rng.choice(
        ("evaluate", "report", "cost", "predict", "explain", "none", "none", "none", "none")
    )
    words: dict[str, tuple[object, ...]] = {
        "evaluate": (
            "evaluate", run, store, "--draws", 9, "--overwrite", *MACHINE,
        ),
        "report": ("report", run, store, "--out", folder / "page"),
        "cost": ("cost", run, "--size", "64x64"),
        "predict": ("predict", run, folder / "new.tif", "--out", folder / "predicted", *MACHINE),
        "explain": ("explain", run, store, "--out", folder / "shown", *MACHINE),
    }  # fmt: skip
    if kind in words:
        wsistore.in_workers = _here
        succeeds(main, *words[kind])
    return digest.hexdigest()


def _here(work: Any, items: Sequence[Any], _: int, **more: Any) -> Generator[Any, None, None]:
    """Work in this process: one that is itself a worker may have none."""
    return in_workers(work, items, 0, **more)


def _write_targets(folder: Path) -> None:
    (folder / "three").mkdir(parents=True)
    write_targets(folder / "three" / "targets")


def _answer_targets(folder: Path, _: random.Random) -> str:
    targets = TargetsReader(folder / "targets")
    digest = hashlib.sha256(repr((targets.about, targets.crops)).encode())
    for crop in targets.crops:
        for epoch in (None, 1, 2, 3):
            if epoch is None and crop not in targets.teaches([crop], plain=True):
                continue
            number, draw = targets.view(crop, epoch)
            parts = [targets.logits(number), targets.constant(number)]
            parts += [targets.hint(crop, number, draw), targets.attention(crop, number, draw)]
            for part in parts:
                digest.update(f"{tuple(part.shape)} {draw}".encode() + part.numpy().tobytes())
    return digest.hexdigest()


def _all_files(original: Path) -> list[Path]:
    return sorted(path for path in original.rglob("*") if path.is_file())


def run_targets() -> list[Target]:
    """Return what is tried of runs and targets."""
    torch.set_num_threads(1)
    return [
        Target("run", _write_runs, _run_files, _answer_run, share=2),
        Target("targets", _write_targets, _all_files, _answer_targets),
    ]
