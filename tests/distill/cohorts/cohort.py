"""A home with runs, and stores of other hospitals."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from click.testing import Result

from tests.distill import evaluating
from tests.distill.commands import distill
from tests.distill.evaluating import CLASSES, make_run

A, B, C = CLASSES
Rows = list[tuple[str, str, str, str, str]]


def rows(labels: Sequence[tuple[str, str, str]], prefix: str = "p") -> Rows:
    """Two slides of a crop for each patient: (class, subset, name or "")."""
    found = []
    for number, (label, subset, name) in enumerate(labels):
        for half in range(2):
            slide = f"{prefix}{number}-{half}"
            patient = name or f"{prefix}{number}"
            found.append((f"{slide}/0", slide, patient, label, subset))
    return found


HOME = rows(
    [(CLASSES[n % 3], "train", "") for n in range(3)]
    + [(label, "val", "") for label in (C, C, B)]  # run0 often says C, so that a temperature fits
    + [(CLASSES[n % 3], "test", "") for n in range(3)]
)
AWAY = rows(
    [(CLASSES[n % 3], "test", "") for n in range(3)] + [(label, "val", "") for label in (C, C, B)],
    "q",
)


def make_store(path: Path, table: Rows) -> Path:
    """A store whose crops are all of one size, of which the cost is counted once."""
    return evaluating.make_store(path, table, lambda _: (48, 40))


def make_home(folder: Path, runs: int = 2) -> tuple[Path, list[Path]]:
    """A store and runs of random weights that were "trained" on it."""
    store = make_store(folder / "home", HOME)
    made = [make_run(folder / f"run{n}", store, seed=n) for n in range(runs)]
    for run in made:
        (run / "metrics.jsonl").write_text('{"epoch": 1, "kept": true}\n')
    return store, made


def evaluate(*arguments: object) -> Result:
    return distill("evaluate", *arguments, "--draws", 20, "--device", "cpu", "--threads", 1)


def predictions(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "predictions.csv", keep_default_na=False)


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of each file of a folder and below."""
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }
