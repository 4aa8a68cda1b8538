"""A learning curve of networks that were never trained: scores rise with labelled patients."""

from pathlib import Path

import pandas as pd
from click.testing import CliRunner

import wsistore
from distill.learning import CurveRun, labeled_set
from distill.learning.gather import Curve, gather_curve
from tests.distill.report.fabricate import make_run, make_store
from wsistore.cli.main import main

NUMBERS = (3, 6, "all")
SEEDS = (0, 1)
SKILL = {3: 0.2, 6: 0.8, "all": 1.6}


def make_labeled_store(path: Path) -> Path:
    """30 test patients and 12 that train, of whom L3 and L6 are labelled, in two draws."""
    store = make_store(path, patients=42)
    (store / "splits" / "main.csv").unlink()
    crops = pd.read_csv(store / "crops.csv")
    number = crops["patient"].str[1:].astype(int)
    subset = number.map(lambda one: "test" if one < 30 else "train" if one < 42 else "excluded")
    own = path.parent / "own.csv"
    crops.assign(subset=subset)[["crop", "subset"]].to_csv(own, index=False)
    words = ["split", str(store), "--name", "main", "--from-csv", str(own)]
    words += ["--labeled-patients", "3,6", "--labeled-draws", "2"]
    made = CliRunner().invoke(main, words)
    assert made.exit_code == 0, made.output
    return store


def make_runs(out: Path, store: Path, better: float = 0.7) -> list[CurveRun]:
    """Teacher, baseline and a student of each number and seed; `better` is what a student gains."""
    found = []
    for seed in SEEDS:
        for number in NUMBERS:
            for method, kind, level, gain in (
                ("teacher", "teacher", "10x", 1.0),
                ("baseline", "baseline", "1.25x", 0.0),
                ("kd-train", "kd", "1.25x", better),
            ):
                path = out / f"{number}-{seed}-{method}"
                about = {"subset": labeled_set(number, seed)} if kind != "kd" else {}
                make_run(path, store, kind, level, SKILL[number] + gain, seed=seed, **about)
                found.append(CurveRun(path, number, seed, method, level))
    return found


def make_curve(folder: Path, better: float = 0.7) -> Curve:
    """The whole of it."""
    store = make_labeled_store(folder / "store")
    return gather_curve(make_runs(folder, store, better), wsistore.open(store), "main", "test")
