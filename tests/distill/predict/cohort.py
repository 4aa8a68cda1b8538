"""Synthetic slides, a store of them, and a run of random weights that was "trained" on it."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from click.testing import Result

import wsistore
from distill.networks import build as build_network
from distill.runs.checkpoint import TrainingState
from distill.runs.weights import Weights
from distill.runs.writer import RunWriter
from tests.distill.commands import distill, done
from wsistore.build.builder import build
from wsistore.build.settings import BuildSettings
from wsistore.slides.labels import Label
from wsistore.split import save_split
from wsistore.synthetic.cohort import write_cohort

LEVELS = ("5x", "2.5x", "0.625x")
CLASSES = ["a, <b>", "$x_1$", "c"]


def make_slides(folder: Path, patients: int = 2, mpp: float = 0.5, size: int = 1024) -> list[Path]:
    return write_cohort(folder, patients=patients, size=size, pieces=2, mpp=mpp, seed=3)


def make_store(path: Path, slides: list[Path], settings: BuildSettings, **more: Any) -> Path:
    """A store whose crops are all of subset test of split main, a patient a slide."""
    labels = {
        slide.stem: Label(f"p{number}", CLASSES[number % 3]) for number, slide in enumerate(slides)
    }
    for result in build(slides, path, settings, labels, workers=0, **more):
        assert result.record.slide.outcome == "ok"
    crops = wsistore.open(path).crops.assign(subset="test")
    save_split(path, "main", crops[["crop", "slide", "patient", "label", "subset"]])
    return path


def make_run(
    path: Path,
    store: Path,
    level: str = "2.5x",
    colors: Mapping[str, Any] | None = None,
    mpp: float | None = None,
    seed: int = 5,
    classes: Sequence[str] = CLASSES,
) -> Path:
    """A run of random weights, sure enough of itself that its answers differ between crops."""
    opened = wsistore.open(store)
    rows = opened.levels[opened.levels["level"] == level]
    network = build_network("resnet10", len(classes), seed=seed)
    with torch.no_grad():
        for parameter in list(network.parameters())[-2:]:
            parameter *= 20
    config = {
        "store": str(store.resolve()),
        "split": "main",
        "split_sha256": "0" * 64,  # nobody can tell whom it has seen
        "data": {
            "settings_sha256": opened.settings_sha256(),
            "store_settings": opened.settings,
            "colours": colors,
        },
    }
    scale = float(rows["mpp"].median()) if mpp is None else mpp
    standard = (0.8, 0.7, 0.8), (0.2, 0.25, 0.2)
    weights = Weights("resnet10", list(classes), level, scale, *standard, 0, "last epoch")
    writer = RunWriter(path, config, weights)
    adam = torch.optim.Adam(network.parameters())
    writer.epoch({"epoch": 1}, {"network": network}, adam, TrainingState(epoch=1, kept=1))
    writer.close()
    return path


def predict(*arguments: object, device: object = "cpu") -> Result:
    return distill("predict", *arguments, "--device", device, "--threads", 1)


def evaluate(run: Path, store: Path, *more: object) -> Path:
    """Evaluate on main-test, whoever the run has seen, and return the folder."""
    done(
        "evaluate", run, store, "--unit", "crop", "--draws", 9, "--allow-training-patients",
        "--device", "cpu", "--threads", 1, *more,
    )  # fmt: skip
    return run / "evaluation" / "main-test"


def calibrate(metrics: Path, temperature: float) -> None:
    """Write into an evaluation that it has fitted a temperature."""
    report = json.loads(metrics.read_text())
    report["calibration"] = {"subset": "val", "crops": 7, "temperature": temperature}
    metrics.write_text(json.dumps(report))


def table(path: Path) -> pd.DataFrame:
    """Read CSV as text, so that numbers are compared to the last bit."""
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def numbers(read: pd.DataFrame, columns: list[str]) -> list[list[float]]:
    return [[float(value) for value in read[name]] for name in columns]
