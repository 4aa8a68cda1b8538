"""What `bench.kd` works on: a store of generated crops, a teacher, the same crops as PNG files."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tifffile
import torch
from PIL import Image

import wsistore
from distill.data.normalization import ChannelStats
from distill.networks import build_resnet
from distill.runs.checkpoint import TrainingState
from distill.runs.weights import Weights
from distill.runs.writer import RunWriter
from wsistore.build.builder import build as build_store
from wsistore.build.settings import BuildSettings
from wsistore.slides.labels import Label
from wsistore.split import save_split
from wsistore.synthetic.render import write_slide

HIGH, LOW = "10x", "1.25x"


def stored(folder: Path, crops: int, side: int) -> Path:
    """Return a store of crops cut from one generated slide of 1 µm/px, made once."""
    store = folder / "store"
    if (store / "splits" / "main.csv").exists():
        return store
    shutil.rmtree(folder, ignore_errors=True)  # whatever was not finished
    (folder / "slides").mkdir(parents=True)
    whole = folder / "whole.svs"
    write_slide(whole, size=2 * side, mpp=0.25, label="inflamed", seed=1, coverage="full")
    pixels = tifffile.imread(whole)[:, :, :3]
    labels = {}
    for number in range(crops):
        # cuts of several sizes near side², shifted and mirrored, so that no two are alike
        height, width = side - 37 * (number % 5), side + 29 * (number % 4)
        top = 61 * number % (2 * side - height)
        left = 97 * number % max(1, 2 * side - width)
        cut = np.ascontiguousarray(pixels[top : top + height, left : left + width])
        tifffile.imwrite(
            folder / "slides" / f"s{number}.tif", cut, photometric="rgb", tile=(512, 512)
        )
        labels[f"s{number}"] = Label(f"p{number}", "ab"[number % 2])
    settings = BuildSettings((HIGH, LOW), regions="whole")
    slides = sorted((folder / "slides").glob("*.tif"))
    results = list(build_store(slides, store, settings, labels, mpp=1.0, workers=1))
    assert all(result.record.slide.outcome == "ok" for result in results)
    table = wsistore.open(store).crops.assign(subset="train")
    save_split(store, "main", table[["crop", "slide", "patient", "label", "subset"]])
    return store


def teacher_run(folder: Path, standard: ChannelStats) -> Path:
    """Return the run of a teacher that was never trained: it takes the same time."""
    path = folder / "teacher"
    if not path.exists():
        network = build_resnet("resnet10", 2, seed=1)
        weights = Weights("resnet10", ["a", "b"], HIGH, 1.0, standard.mean, standard.std, 1, "")
        adam = torch.optim.Adam(network.parameters())
        writer = RunWriter(path, {}, weights)
        record = {"epoch": 1, "train": {"loss": 1.0}, "seconds": 0.0, "kept": True}
        writer.epoch(record, {"network": network}, adam, TrainingState(epoch=1, kept=1))
        writer.close()
    return path


def save_pictures(store: Path, crops: Sequence[str], folder: Path) -> None:
    """Write every level of every crop as a PNG, as Pillow does by default."""
    folder.mkdir(exist_ok=True)
    opened = wsistore.open(store)
    for crop in crops:
        for level in (HIGH, LOW):
            path = picture(folder, crop, level)
            if not path.exists():
                pixels = np.asarray(opened[crop][level][:])
                Image.fromarray(np.moveaxis(pixels, 0, -1)).save(path)


def picture(folder: Path, crop: str, level: str) -> Path:
    return folder / f"{crop.replace('/', '-')}-{level}.png"
