"""Seconds and memory of `distill evaluate` and `distill report` on a large cohort.

    python -m bench.patients [--patients N] [--crops N] [--seeds N] [--draws N] [--rounds N]

By default 1,000 test patients of 20 crops each, and 20 runs: a teacher, a baseline and two
students of five seeds each. A store of small slides is built once. Its vectors are made up, labels
with noise, and the runs are linear heads on them that were never trained, so that the time is that
of reading, scoring, drawing and writing, and not of networks. Both commands are whole processes.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tifffile
import torch

import wsistore
from distill.embeddings import EmbeddingsReader, build_head, record
from distill.embeddings.schema import EmbeddedCrop, EmbeddingsMetadata, crop_digests
from distill.embeddings.writer import EmbeddingsWriter
from distill.runs import sha256
from distill.runs.checkpoint import TrainingState
from distill.runs.weights import Weights
from distill.runs.writer import RunWriter
from wsistore.build.builder import build as build_store
from wsistore.build.settings import BuildSettings
from wsistore.slides.labels import Label
from wsistore.split import save_split

LEVEL, CELL, SIDE = "10x", 40, 32
CLASSES = tuple("abcde")
METHODS = {
    "teacher": ("train teacher", 0.5), "baseline-10x": ("train baseline", 1.0),
    "kd-10x-train": ("train kd", 0.8), "more-10x-train": ("train kd", 0.7),
}  # fmt: skip
"""Folder → command of its runs, and how much of noise their heads listen to."""
CHANNELS = 512
AIM_SECONDS, AIM_GIB = 120, 2.0


def stored(folder: Path, patients: int, crops: int) -> Path:
    """Return a store of one slide a patient, all of them test patients; made once."""
    store = folder / "store"
    if (store / "splits" / "main.csv").exists():
        return store
    shutil.rmtree(folder, ignore_errors=True)  # whatever was not finished
    slides = folder / "slides"
    slides.mkdir(parents=True)
    rng, labels = np.random.default_rng(0), {}
    for number in range(patients):
        path, label = slides / f"s{number:05}.tif", CLASSES[number % len(CLASSES)]
        pixels = rng.integers(90, 220, (CELL, CELL * crops, 3), dtype=np.uint8)
        tifffile.imwrite(path, pixels, photometric="rgb")
        regions = [_square(CELL * cell, label) for cell in range(crops)]
        path.with_suffix(".geojson").write_text(
            json.dumps({"type": "FeatureCollection", "features": regions})
        )
        labels[path.stem] = Label(f"p{number:05}", label)
    settings = BuildSettings((LEVEL,), regions="annotations")
    found = sorted(slides.glob("*.tif"))
    results = list(build_store(found, store, settings, labels, mpp=1.0, workers=2))
    assert all(result.record.slide.outcome == "ok" for result in results)
    table = wsistore.open(store).crops.assign(subset="test")
    assert len(table) == patients * crops
    save_split(store, "main", table[["crop", "slide", "patient", "label", "subset"]])
    return store


def _square(left: int, label: str) -> dict[str, object]:
    x, y = left + SIDE, SIDE
    corners = [[left, 0], [x, 0], [x, y], [left, y], [left, 0]]
    return {
        "type": "Feature",
        "geometry": {"type": "Polygon", "coordinates": [corners]},
        "properties": {"classification": {"name": label}},
    }


def embedded(folder: Path, store: wsistore.Store) -> Path:
    """Return vectors of all crops: their class in the first channels, and noise; made once.

    A patient's crops have part of their noise in common.
    """
    path = folder / "vectors"
    if path.exists():
        return path
    about = EmbeddingsMetadata(
        "torchvision/resnet18", {}, "0" * 64, {}, "network", LEVEL, 1.0, SIDE, 0, (0.8, 0.7, 0.8),
        (0.2, 0.25, 0.2), "fp32", "plain", CHANNELS, 64,
    )  # fmt: skip
    table = store.crops
    digests = crop_digests(store.levels, list(table["crop"]), LEVEL)
    crops = [
        EmbeddedCrop(crop, SIDE, SIDE, 1, 1, digests[crop], row)
        for row, crop in enumerate(table["crop"].astype(str))
    ]
    rng = np.random.default_rng(1)
    patient = np.unique(table["patient"].to_numpy(str), return_inverse=True)[1]
    vectors = rng.normal(size=(len(crops), CHANNELS))
    vectors += rng.normal(size=(patient.max() + 1, CHANNELS))[patient]
    labels = [CLASSES.index(label) for label in table["label"]]
    vectors[np.arange(len(crops)), labels] += 3
    with EmbeddingsWriter(path, about, crops) as writer:
        writer.add(0, vectors.astype(np.float32))
    return path


def runs(folder: Path, vectors: Path, seeds: int) -> list[Path]:
    """Return the runs, each student after its seed's teacher; made once."""
    about = EmbeddingsReader(vectors).about
    found = []
    for seed in range(seeds):
        origin: dict[str, object] = {}
        for name, (command, noise) in METHODS.items():
            path = folder / "runs" / f"seed-{seed}" / name
            found.append(path)
            if not (path / "weights.safetensors").exists():
                _head(path, command, noise, seed, vectors, origin)
            if name == "teacher":
                digest = sha256(path / "weights.safetensors")
                origin = {"run": str(path), "weights_sha256": digest, "level": LEVEL,
                          "mpp": about.mpp, "epoch": 1}  # fmt: skip
    return found


def _head(
    path: Path, command: str, noise: float, seed: int, vectors: Path, origin: dict[str, object]
) -> None:
    reader = EmbeddingsReader(vectors)
    head = build_head("linear", CHANNELS, len(CLASSES), seed=seed)
    with torch.no_grad():
        wrong = torch.randn(
            head.classifier.weight.shape, generator=torch.Generator().manual_seed(seed)
        )
        head.classifier.weight.copy_(noise * wrong / CHANNELS**0.5)
        head.classifier.weight[:, : len(CLASSES)] += torch.eye(len(CLASSES))
    config = {
        "command": command, "seed": seed, "split": "none", "level": LEVEL, "head": "linear",
        "noise": noise, "embeddings": record(reader),
        **({"teacher": origin} if command == "train kd" else {}),
    }  # fmt: skip
    about = reader.about
    weights = Weights(
        about.network, list(CLASSES), LEVEL, about.mpp, about.mean, about.std, 1, "last epoch"
    )
    writer = RunWriter(path, config, weights)
    adam = torch.optim.Adam(head.parameters())
    progress = TrainingState(epoch=1, kept=1)
    writer.epoch({"epoch": 1, "kept": True}, {"network": head}, adam, progress)
    writer.close()


def measured(words: Sequence[object]) -> tuple[float, float, float]:
    """Return wall seconds, processor seconds and the most GiB of a command, which must succeed."""
    program = [sys.executable, "-m", "distill.cli.main", *map(str, words)]
    began = time.perf_counter()
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(program, stdout=subprocess.DEVNULL, stderr=said)
        _, status, used = os.wait4(process.pid, 0)
        taken = time.perf_counter() - began
        if status:
            said.seek(0)
            raise SystemExit(said.read()[-2000:].decode(errors="replace"))
    return taken, used.ru_utime + used.ru_stime, used.ru_maxrss / 2**20


def main(arguments: list[str] | None = None) -> None:
    """Print what both commands take, and the sum beside the aim."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=1000)
    parser.add_argument("--crops", type=int, default=20)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--draws", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("bench-out/patients"))
    asked = parser.parse_args([] if arguments is None else arguments)
    folder = asked.out.resolve() / f"{asked.patients}-{asked.crops}"
    store = stored(folder, asked.patients, asked.crops)
    vectors = embedded(folder, wsistore.open(store))
    made = runs(folder, vectors, asked.seeds)
    commands: dict[str, list[object]] = {
        "evaluate": ["evaluate", *made, store, "--embeddings", vectors, "--draws", asked.draws,
                     "--allow-training-patients", "--overwrite", "--device", "cpu"],
        "report": ["report", *made, store, "--out", folder / "report", "--overwrite"],
    }  # fmt: skip
    print(f"{asked.patients:,} patients, {asked.patients * asked.crops:,} crops, {len(made)} runs, "
          f"{asked.draws:,} draws; {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; medians "
          f"of {asked.rounds} (lowest)")  # fmt: skip
    found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in commands}
    for _ in range(asked.rounds):
        for name, words in commands.items():
            found[name].append(measured(words))
    for name, rounds in found.items():
        wall, spent, most = zip(*rounds, strict=True)
        print(
            f"  {name:9} {statistics.median(wall):6.1f} s ({min(wall):.1f}), processor "
            f"{statistics.median(spent):6.1f} s ({min(spent):.1f}), {max(most):.2f} GiB"
        )
    total = sum(statistics.median([one[0] for one in rounds]) for rounds in found.values())
    peak = max(one[2] for rounds in found.values() for one in rounds)
    print(
        f"  together  {total:6.1f} s (aim under {AIM_SECONDS}), at most {peak:.2f} GiB "
        f"(aim {AIM_GIB})"
    )


if __name__ == "__main__":
    main(sys.argv[1:])
