"""A fabricated student and its teacher, evaluated on test and val."""

from pathlib import Path

import pandas as pd
import pytest

from tests.distill.report.fabricate import QUICK, answers, evaluate, make_run, make_store

SKILLS = {"student": ("1.25x", 1.2), "teacher": ("10x", 3.0)}


@pytest.fixture(scope="session")
def pair_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `store`, `student` and `teacher`; read it, and copy what is to be changed."""
    folder = tmp_path_factory.mktemp("pair")
    store = make_store(folder / "store", patients=30)
    file = store / "splits" / "main.csv"
    split = pd.read_csv(file)
    split.assign(subset=split["subset"].replace("train", "val")).to_csv(file, index=False)
    for name, (level, skill) in SKILLS.items():
        run = make_run(folder / name, store, name, level, skill)
        evaluate(run, store, answers(store, skill, 0, level, subset="val"), QUICK, "val")
    return folder
