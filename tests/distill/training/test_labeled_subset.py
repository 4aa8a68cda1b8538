"""Training on fewer labels: a labelled set of the split, and nothing else of train."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

import wsistore
from distill.evaluation.leakage import training_patients
from distill.runs.run import Run
from tests.distill.behavior.test_recipe import stop_after
from tests.distill.commands import QUICK

LEVEL = ("--level", "2.5x")


@pytest.fixture
def few(real_store: Path, tmp_path: Path) -> Path:
    """A store whose split main has L2, of p0 and p1, and where alone those two train in `two`."""
    store = tmp_path / "store"
    shutil.copytree(real_store, store)
    table = pd.read_csv(store / "splits/main.csv")
    inside = table["patient"].isin(["p0", "p1"])
    table.assign(labeled=inside.map({True: 2}).astype("Int64")).to_csv(
        store / "splits/main.csv", index=False
    )
    table[inside | (table["subset"] == "val")].to_csv(store / "splits/two.csv", index=False)
    return store


def config(run: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((run / "config.json").read_text())
    return found


def test_it_is_as_if_the_others_were_not_there(few: Path, tmp_path: Path, train) -> None:
    assert wsistore.open(few).subsets("main") == ("train", "val", "L2")
    one, other = tmp_path / "set", tmp_path / "split"
    shown = train("baseline", few, one, *LEVEL, "--subset", "L2").output
    assert "2 L2 and 2 val crops" in shown
    train("baseline", few, other, *LEVEL, "--split", "two")
    wanted, found = (load_file(run / "weights.safetensors") for run in (other, one))
    assert all(torch.equal(found[key], wanted[key]) for key in wanted)
    assert (config(one)["subset"], config(one)["crops"]) == ("L2", {"L2": 2, "val": 2})
    assert "subset" not in config(other)
    assert training_patients(Run.open(one), wsistore.open(few)) == {"p0", "p1"}


def test_a_student_learns_from_crops_whose_labels_its_teacher_never_had(
    few: Path, tmp_path: Path, train
) -> None:
    teacher, student, tuned = (tmp_path / name for name in ("teacher", "student", "tuned"))
    train("teacher", few, teacher, "--level", "10x", "--subset", "L2")
    train("kd", few, student, *LEVEL, "--teacher", teacher)
    assert config(student)["crops"] == {"train": 5, "val": 2}
    train("finetune", few, tuned, "--student", student, "--subset", "L2")
    assert (config(tuned)["subset"], config(tuned)["crops"]) == ("L2", {"L2": 2, "val": 2})


def test_what_is_scored_or_validates_is_not_trained_on(few: Path, tmp_path: Path, distill) -> None:
    words = ("train", "baseline", few, "--out", tmp_path / "run", *LEVEL, "--subset")
    for subset, code, message in (
        ("L2+test", 2, "scores are taken on test"),
        ("L2+val", 2, "--val-subset val shares 2 crops with L2+val"),
        ("L3", 1, "has no 'L3' (it has train, val, L2)"),
    ):
        found = distill(*words, subset)
        assert (found.exit_code, message in found.output) == (code, True), found.output
        assert not (tmp_path / "run").exists()


def test_a_run_is_not_resumed_on_other_labels(
    few: Path, tmp_path: Path, distill, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("train", "baseline", few, "--out", tmp_path / "run", *LEVEL, *QUICK)
    with monkeypatch.context() as patch:
        stop_after(patch, 1)
        distill(*words, "--subset", "L2")
    found = distill(*words, "--resume")
    assert (found.exit_code, "subset was L2 and is train" in found.output) == (2, True)
