"""`distill train … --val-subset`: another set than val chooses the epoch."""

import json
from pathlib import Path

import pytest

from distill.evaluation.leakage import uses
from distill.runs.resume import resume_differences
from distill.runs.run import Run


@pytest.fixture
def store(store):
    """The five train and two val crops; two more of dev."""
    table = store.split("main")
    table.loc[table["crop"].isin(["s3/0", "s4/0"]), "subset"] = "dev"
    table.to_csv(store.path / "splits" / "main.csv", index=False)
    return store


def test_the_named_set_validates_and_is_recorded(store, tmp_path: Path, train) -> None:
    out = tmp_path / "teacher"
    result = train("teacher", store.path, out, "--level", "10x", "--val-subset", "dev")
    assert "train teacher: 3 train and 2 dev crops at 10x" in result.output
    run = Run.open(out)
    assert run.config["val_subset"] == "dev"
    assert run.config["crops"] == {"train": 3, "dev": 2}
    assert run.config["data"]["fingerprints"] == {"train": ["s0", "s1", "s2"], "dev": ["s3", "s4"]}
    assert json.loads((out / "metrics.jsonl").read_text().splitlines()[0])["val"]
    seen = {(use.how, use.subset): set(use.patients) for use in uses(run, store)}
    assert seen == {("training", "train"): {"s0", "s1", "s2"}, ("epoch", "dev"): {"s3", "s4"}}


def test_distillation_may_then_take_val_as_the_paper_does(store, tmp_path: Path, train) -> None:
    teacher, out = tmp_path / "teacher", tmp_path / "kd"
    train("teacher", store.path, teacher, "--level", "10x")
    arguments = ("--teacher", teacher, "--level", "2.5x", "--subset", "train+val")
    train("kd", store.path, out, *arguments, "--val-subset", "dev")
    assert Run.open(out).config["crops"] == {"train+val": 5, "dev": 2}


@pytest.mark.parametrize(
    ("val", "code", "message"),
    [
        ("test", 2, "scores are taken on test"),
        ("train", 2, "--val-subset train shares 3 crops with train"),
        ("develop", 1, "has no 'develop' (it has train, dev, val)"),
    ],
)
def test_sets_that_cannot_validate_are_refused(
    store, tmp_path: Path, distill, val: str, code: int, message: str
) -> None:
    asked = ("--level", "10x", "--out", tmp_path / "run", "--val-subset", val)
    result = distill("train", "baseline", store.path, *asked)
    assert (result.exit_code, message in result.output) == (code, True), result.output
    assert not (tmp_path / "run").exists()


def test_a_run_goes_on_with_the_set_that_it_began_with() -> None:
    assert resume_differences({"val_subset": "dev"}, {"val_subset": "val"}) == [
        "val_subset was dev and is val"
    ]
    # runs of earlier versions knew val alone, and do not say so
    assert resume_differences({"epochs": 3}, {"epochs": 3, "val_subset": "val"}) == []
    assert resume_differences({"epochs": 3}, {"epochs": 3, "val_subset": "dev"}) == [
        "val_subset was val and is dev"
    ]
