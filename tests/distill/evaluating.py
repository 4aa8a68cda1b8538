"""A small store on disk and runs of random weights, for the tests of evaluation."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import zarr
from click.testing import Result

from distill.networks import build
from distill.runs.checkpoint import TrainingState
from distill.runs.weights import Weights
from distill.runs.writer import RunWriter
from tests.distill.commands import distill
from wsistore.build.settings import BuildSettings
from wsistore.tables.records import SlideRow

CLASSES = ['a, odd "name"', "b", "c"]
MEAN, STD = (0.5, 0.4, 0.6), (0.2, 0.1, 0.3)
COLUMNS = ["crop", "slide", "patient", "label", "subset"]


def crop_sizes(number: int) -> tuple[int, int]:
    return (40 + 8 * (number % 3), 48 + 8 * (number % 2))


def make_store(path: Path, rows: list[tuple[str, str, str, str, str]], sizes: Any = None) -> Path:
    """A store as docs/reference/store-format.md lays it out; rows are of a split table."""
    levels = []
    settings = BuildSettings(("10x", "2.5x")).record()
    zarr.create_group(path, attributes={"wsistore": {"format": 1, **settings}})
    for number, (crop, *_) in enumerate(rows):
        for level, factor in (("10x", 1), ("2.5x", 4)):
            height, width = (n // factor for n in (sizes or crop_sizes)(number))
            pixels = np.random.default_rng(number).integers(0, 256, (3, height, width))
            array = zarr.create_array(
                path / "slides" / crop / level, shape=pixels.shape, dtype="uint8"
            )
            array[:] = pixels.astype(np.uint8)
            sums = {f"sum_{c}": v.sum() for c, v in zip("rgb", pixels, strict=True)}
            sums |= {f"sumsq_{c}": (v**2).sum() for c, v in zip("rgb", pixels, strict=True)}
            levels.append(
                {"crop": crop, "level": level, "height": height, "width": width}
                | {"factor": factor, "mpp": factor * 1.01, **sums}
            )
    table = pd.DataFrame(rows, columns=COLUMNS)
    boxes = [(sizes or crop_sizes)(number) for number in range(len(rows))]
    crops = table.drop(columns="subset").assign(x=0, y=0, width=[w for _, w in boxes])
    crops = crops.assign(height=[h for h, _ in boxes], mpp=1.01, tissue_mm2=None)
    crops.to_csv(path / "crops.csv", index=False)
    pd.DataFrame(levels).to_csv(path / "levels.csv", index=False)
    slides = [
        asdict(SlideRow(slide, "ok", patient=patient, fingerprint=f"{path}/{slide}", mpp=1.01))
        for slide, patient in dict(zip(table["slide"], table["patient"], strict=True)).items()
    ]
    pd.DataFrame(slides).to_csv(path / "slides.csv", index=False)
    write_split(path, "main", rows)
    return path


def write_split(store: Path, name: str, rows: list[tuple[str, str, str, str, str]]) -> None:
    (store / "splits").mkdir(exist_ok=True)
    pd.DataFrame(rows, columns=COLUMNS).to_csv(store / "splits" / f"{name}.csv", index=False)


def rows() -> list[tuple[str, str, str, str, str]]:
    """Patients p0 … p8 of two slides each; p0 … p4 test, the others train. Crop 3 has no label."""
    found = []
    for number in range(18):
        patient = number // 2
        label = "" if number == 3 else CLASSES[patient % 3]
        subset = "test" if patient < 5 else "train"
        found.append((f"s{number}/0", f"s{number}", f"p{patient}", label, subset))
    return found


def make_run(
    path: Path,
    store: Path,
    seed: int = 0,
    *,
    classes: Sequence[str] = CLASSES,
    network_name: str = "resnet10",
    **extra: Any,
) -> Path:
    network = build(network_name, len(classes), seed=seed)
    split = (store / "splits" / "main.csv").read_bytes()
    config = {
        "store": str(store.resolve()),
        "split": "main",
        "split_sha256": hashlib.sha256(split).hexdigest(),
        **extra,
    }
    weights = Weights(network_name, list(classes), "10x", 1.01, MEAN, STD, 0, "last epoch")
    writer = RunWriter(path, config, weights)
    adam = torch.optim.Adam(network.parameters())
    writer.epoch({"epoch": 1}, {"network": network}, adam, TrainingState(epoch=1, kept=1))
    writer.close()
    return path


def command(*arguments: object) -> Result:
    return distill("evaluate", *arguments)


def strict(path: Path) -> dict[str, Any]:
    """Read JSON as the standard has it: NaN and Infinity are errors."""

    def refuse(token: str) -> None:
        raise AssertionError(f"{token} is no JSON")

    loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)
    return loaded
