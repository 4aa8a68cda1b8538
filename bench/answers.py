"""Seconds of `distill evaluate` and `explain` with small crops together, against one by one.

    python -m bench.answers [--network NAME] [--threads N] [--rounds N] [--paths FOLDER …]

Two stores of 120 crops, ten a slide, are made once: `odd`, sides of 64 to 224 px, no two alike, and
`alike`, 112 × 112 px. Networks have random weights. Commands are whole processes, in turn: with
`--batch-pixels 0`, and as they come. With `--paths` the folders of other checkouts take their turn
as well, with the options that they have: "before" stands beside "after" on one machine, in one run.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tifffile
import torch

import wsistore
from distill.networks import NetworkSpec, build
from distill.runs.checkpoint import TrainingState
from distill.runs.weights import Weights
from distill.runs.writer import RunWriter
from wsistore.build.builder import build as build_store
from wsistore.build.settings import BuildSettings
from wsistore.slides.labels import Label
from wsistore.split import save_split
from wsistore.synthetic.render import write_slide

LEVEL, SLIDES, CELL = "10x", 12, 256
NETWORKS = ("resnet10", "timm/tf_efficientnet_lite0")
HOME = Path(__file__).parents[1]


def sides(kind: str, number: int) -> tuple[int, int]:
    """Return height and width of a crop by its number: 64 to 224 px, or one size."""
    if kind == "alike":
        return 112, 112
    return 64 + 37 * number % 161, 64 + 59 * number % 161


def stored(folder: Path, kind: str) -> Path:
    """Return a store of slides with ten drawn regions each, made once."""
    store = folder / "store"
    if (store / "splits" / "main.csv").exists():
        return store
    shutil.rmtree(folder, ignore_errors=True)  # whatever was not finished
    (folder / "slides").mkdir(parents=True)
    whole = folder / "whole.svs"
    write_slide(whole, size=2048, mpp=0.5, label="inflamed", seed=1, coverage="full")
    pixels = tifffile.imread(whole)[:, :, :3]
    labels = {}
    for slide in range(SLIDES):
        top, left = 71 * slide, 61 * slide
        cut = np.ascontiguousarray(pixels[top : top + 2 * CELL, left : left + 5 * CELL])
        path = folder / "slides" / f"s{slide}.tif"
        tifffile.imwrite(path, cut, photometric="rgb", tile=(256, 256))
        regions = [
            _region(*sides(kind, 10 * slide + cell), CELL * (cell % 5), CELL * (cell // 5))
            for cell in range(10)
        ]
        document = {"type": "FeatureCollection", "features": regions}
        path.with_suffix(".geojson").write_text(json.dumps(document))
        labels[path.stem] = Label(f"p{slide}", "ab"[slide % 2])
    settings = BuildSettings((LEVEL,), regions="annotations")
    slides = sorted((folder / "slides").glob("*.tif"))
    results = list(build_store(slides, store, settings, labels, mpp=1.0, workers=1))
    assert all(result.record.slide.outcome == "ok" for result in results)
    table = wsistore.open(store).crops.assign(subset="test")
    assert len(table) == 10 * SLIDES
    save_split(store, "main", table[["crop", "slide", "patient", "label", "subset"]])
    return store


def _region(height: int, width: int, x: int, y: int) -> dict[str, object]:
    corners = [[x, y], [x + width, y], [x + width, y + height], [x, y + height], [x, y]]
    return {
        "type": "Feature",
        "geometry": {"type": "Polygon", "coordinates": [corners]},
        "properties": {"classification": {"name": "a"}},
    }


def untrained(folder: Path, name: str) -> Path:
    """Return the run of a network that was never trained: it takes the same time."""
    path = folder / name.replace("/", "-")
    if not (path / "weights.safetensors").exists():
        network = build(NetworkSpec(name), 2, seed=1)
        standard = (0.8, 0.7, 0.8), (0.2, 0.25, 0.2)
        weights = Weights(name, ["a", "b"], LEVEL, 1.0, *standard, 1, "last epoch")
        writer = RunWriter(path, {}, weights)
        adam = torch.optim.Adam(network.parameters())
        writer.epoch({"epoch": 1}, {"network": network}, adam, TrainingState(epoch=1, kept=1))
        writer.close()
    return path


def seconds(source: Path, threads: int, words: Sequence[object]) -> tuple[float, float]:
    """Return wall and processor seconds of a command of a checkout, which must succeed."""
    place = {"PYTHONPATH": str(source), "OMP_NUM_THREADS": str(threads)}
    command = [sys.executable, "-m", "distill.cli.main", *map(str, words)]
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(
        command, check=True, cwd=source, env={**os.environ, **place}, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    taken, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return taken, spent


def commands(run: Path, store: Path, out: Path, threads: int) -> dict[str, list[object]]:
    """Return what is measured, by the command's name."""
    machine = ["--device", "cpu", "--threads", threads]
    return {
        "evaluate": ["evaluate", run, store, "--unit", "crop", "--draws", 9, "--overwrite",
                     "--allow-training-patients", *machine],
        "explain": ["explain", run, store, "--size", 64, "--out", out, "--overwrite", *machine],
    }  # fmt: skip


def main(arguments: list[str] | None = None) -> None:
    """Print the medians of all ways of each command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--network", action="append", help="instead of " + ", ".join(NETWORKS))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--paths", type=Path, nargs="*", default=[])
    parser.add_argument("--commands", nargs="*", default=["evaluate", "explain"])
    parser.add_argument("--out", type=Path, default=Path("bench-out/answers"))
    asked = parser.parse_args([] if arguments is None else arguments)
    home = asked.out.resolve()
    ways: dict[str, tuple[Path, list[object]]] = {
        **{str(path): (path.resolve(), []) for path in asked.paths},
        "one by one": (HOME, ["--batch-pixels", 0]),
        "together": (HOME, []),
    }
    print(f"{asked.threads} threads, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; "
          f"medians of {asked.rounds}: wall s (lowest), processor s (lowest)")  # fmt: skip
    for name in asked.network or NETWORKS:
        run = untrained(home / "runs", name)
        for kind in ("odd", "alike"):
            store = stored(home / kind, kind)
            for which in asked.commands:
                words = commands(run, store, home / "explained", asked.threads)[which]
                found: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
                for _ in range(asked.rounds):
                    for way, (source, more) in ways.items():
                        found[way].append(seconds(source, asked.threads, [*words, *more]))
                for way, taken in found.items():
                    wall, spent = zip(*taken, strict=True)
                    print(f"{name:28} {kind:6} {which:9} {way:20} "
                          f"{statistics.median(wall):6.2f} ({min(wall):.2f})  "
                          f"{statistics.median(spent):6.2f} ({min(spent):.2f})",
                          flush=True)  # fmt: skip


if __name__ == "__main__":
    main(sys.argv[1:])
