"""A store of tables whose patients are in folds, and made-up runs over them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from click.testing import CliRunner

import wsistore
from distill.evaluation.predictions import Predictions
from distill.evaluation.scoring import BootstrapSettings
from distill.report import Evaluated
from distill.runs import Run
from distill.runs.provenance import sha256
from distill.runs.weights import Weights
from tests.distill.report.fabricate import CLASSES, QUICK, evaluate, make_run, make_store
from wsistore.cli.main import main


def make_folds(path: Path, *options: object, patients: int = 24, crops: int = 3) -> Path:
    """A store with the folds `cv`."""
    store = make_store(path, patients=patients, crops=crops)
    words = ["split", str(store), "--name", "cv", "--folds", "3", *map(str, options)]
    made = CliRunner().invoke(main, words)
    assert made.exit_code == 0, made.output
    return store


def answers_of(store: Path, split: str, seed: int, skill: float = 1.0) -> Predictions:
    """Answers for the test crops of a split; a crop's noise is its own and the seed's."""
    rows = wsistore.open(store).subset(split, "test")
    patient = rows["patient"].str[1:].astype(int).to_numpy()
    truth = np.array([CLASSES.index(label) for label in rows["label"]])
    number = rows["crop"].str.split("/").str[1].astype(int).to_numpy()
    noise = [np.random.default_rng([p, n, seed, 3]).normal(size=3)
             for p, n in zip(patient, number, strict=True)]  # fmt: skip
    logits = np.stack(noise)
    logits[np.arange(len(rows)), truth] += skill + np.sin(patient)
    chances = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    table = rows[["crop", "slide", "patient"]].assign(
        label=pd.Series([str(label) for label in rows["label"]], dtype=object), area_mm2=1.5
    )
    return Predictions("crop", CLASSES, table, chances, chances.argmax(1).astype(np.intp))


def fold_run(
    path: Path, store: Path, split: str, *, seed: int = 0, kind: str = "baseline",
    how: BootstrapSettings = QUICK, level: str = "1.25x", skill: float = 1.0, **config: Any,
) -> Path:  # fmt: skip
    """A run that was trained on a fold and evaluated on the patients that it tests on."""
    digest = sha256(store / "splits" / f"{split}.csv")
    of_fold = {"split": split, "split_sha256": digest}
    make_run(path, store, kind, level, 1.0, seed=seed, evaluated=False, **of_fold, **config)
    evaluate(path, store, answers_of(store, split, seed, skill), how, **of_fold)
    (path / "evaluation" / "main-test").rename(path / "evaluation" / f"{split}-test")
    return path


def over_folds(folder: Path, store: Path, seeds: tuple[int, ...] = (0,), **more: Any) -> list[Path]:
    """Runs of every seed on every fold of `cv`."""
    return [
        fold_run(folder / f"{fold.split}-{seed}", store, fold.split, seed=seed, **more)
        for seed in seeds
        for fold in wsistore.open(store).folds("cv")
    ]


def evaluated(path: Path, answers: Predictions) -> Evaluated:
    """Answers of a run of which nothing else is known."""
    weights = Weights("resnet10", list(CLASSES), "1.25x", 8.0, (0, 0, 0), (1, 1, 1), 1, "last")
    return Evaluated(path.name, Run(path, {}, weights), "", {}, answers, ())


def metrics(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "metrics.json").read_text())
    return found
