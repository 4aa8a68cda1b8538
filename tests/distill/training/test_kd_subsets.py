"""Distilling on auxiliary sets, and without any label."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from distill.errors import RunError
from distill.evaluation.leakage import training_patients
from distill.runs.run import Run
from distill.training.options import TrainingOptions


def relabel(store, labels) -> None:
    """Change the label column, as the split's file and the table in memory have it."""
    table = store.split("main")
    if labels is None:
        store._table = table.drop(columns="label")
    else:
        store._table = table.assign(label=labels)
    store._table.to_csv(store.path / "splits" / "main.csv", index=False)


def test_labels_are_never_touched(store, tmp_path: Path, train) -> None:
    teacher = tmp_path / "teacher"
    train("teacher", store.path, teacher, "--level", "10x")
    arguments = ("--teacher", teacher, "--level", "2.5x")
    train("kd", store.path, tmp_path / "with", *arguments)
    wanted = load_file(tmp_path / "with" / "checkpoint.safetensors")
    for name, labels in {
        "removed": None,
        "empty": float("nan"),
        "poisoned": [f"no such class {number}" for number in range(7)],
    }.items():
        relabel(store, labels)
        train("kd", store.path, tmp_path / name, *arguments)
        found = load_file(tmp_path / name / "checkpoint.safetensors")
        assert found.keys() == wanted.keys()
        for key, value in found.items():
            assert torch.equal(value, wanted[key]), (name, key)
        relabel(store, ["coarse", "fine"] * 3 + ["coarse"])


def test_auxiliary_sets_are_joined_and_val_still_chooses(store, tmp_path: Path, train) -> None:
    teacher = tmp_path / "teacher"
    train("teacher", store.path, teacher, "--level", "10x")
    # two crops of two slides leave train for two unlabelled sets
    table = store.split("main")
    for crop, subset in {"s3/0": "aux1", "s4/0": "aux2"}.items():
        table.loc[table["crop"] == crop, ["subset", "label"]] = [subset, float("nan")]
    table.to_csv(store.path / "splits" / "main.csv", index=False)
    out = tmp_path / "run"
    result = train(
        "kd", store.path, out, "--teacher", teacher, "--level", "2.5x", "--subset", "aux1+aux2"
    )
    assert "train kd: 2 aux1+aux2 and 2 val crops at 10x and 2.5x" in result.output
    run = Run.open(out)
    assert run.config["crops"] == {"aux1+aux2": 2, "val": 2}
    assert run.config["standardised_by"] == "train"
    assert run.weights.chosen == "lowest validation loss"
    base = tmp_path / "base"
    train("baseline", store.path, base, "--level", "2.5x")
    assert run.weights.mean == Run.open(base).weights.mean
    run.config.pop("teacher")
    assert training_patients(run, store) == {"s3", "s4"}
    line = json.loads((out / "metrics.jsonl").read_text().splitlines()[0])
    assert line["val"].keys() == {"loss", "soft", "pixel"}


@pytest.mark.parametrize(
    ("subset", "code", "message"),
    [
        ("train+aux9", 1, "has no 'aux9' (it has train, val)"),
        ("train+val", 2, "epochs are chosen on val"),
    ],
)
def test_subsets_that_are_not_there_or_not_allowed(
    store, tmp_path: Path, train, distill, subset: str, code: int, message: str
) -> None:
    teacher = tmp_path / "teacher"
    train("teacher", store.path, teacher, "--level", "10x")
    arguments = ("--teacher", teacher, "--level", "2.5x", "--subset", subset)
    result = distill("train", "kd", store.path, "--out", tmp_path / "run", *arguments)
    assert result.exit_code == code
    assert message in result.output


def test_train_is_the_default() -> None:
    assert TrainingOptions(store="s", level="5x", out=Path("o")).subset == "train"


def test_weights_of_a_file_without_a_run_hide_their_patients(store, tmp_path: Path, train) -> None:
    first, alone = tmp_path / "first", tmp_path / "alone.safetensors"
    train("baseline", store.path, first, "--level", "2.5x")
    alone.write_bytes((first / "weights.safetensors").read_bytes())
    for source in (first, alone):
        out = tmp_path / source.stem.replace("first", "from-run")
        train("baseline", store.path, out, "--level", "2.5x", "--init-from", source)
    known = training_patients(Run.open(tmp_path / "from-run"), store)
    assert known == {"s0", "s1", "s2", "s3", "s4"}
    with pytest.raises(RunError, match=r"alone\.safetensors, which .* started from, is of no run"):
        training_patients(Run.open(tmp_path / "alone"), store)
