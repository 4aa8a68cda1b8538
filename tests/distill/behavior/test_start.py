"""Trained weights are validated before the first update, as epoch 0, and kept if none is better."""

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from distill.engine.settings import TrainingSettings
from distill.engine.trainer import fit, make_optimizer
from distill.errors import RunError, TrainingError
from distill.runs import writer as writing
from distill.runs.checkpoint import TrainingState, read_progress
from distill.runs.run import Run
from distill.runs.writer import RunWriter
from distill.training import fit_run
from tests.distill.commands import distill, done
from tests.distill.engine.test_trainer import IMAGES, WEIGHTS, Linear, Quiet, listed, losses_of
from tests.distill.runs.test_resume import assert_same

QUICK = ("--epochs", "3", "--accumulate", "2", "--device", "cpu", "--threads", "1")
HARMFUL = ("--lr", "0.02", "--weight-decay", "1e6")
"""The penalty decides every step: weights shrink to nothing, and answers to a toss of a coin."""


def lines(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def same_weights(one: Path, other: Path) -> bool:
    ours, theirs = (load_file(run / "weights.safetensors") for run in (one, other))
    return all(torch.equal(ours[name], value) for name, value in theirs.items())


@pytest.fixture(scope="module")
def student(real_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("student") / "run"
    done("train", "baseline", real_store, "--level", "2.5x", "--out", out, *QUICK, "--epochs", 12)
    return out


@pytest.mark.parametrize(
    ("select", "patience", "values", "wanted"),
    [
        ("best", None, [1.0, 3.0, 2.0], TrainingState(2, 1.0, 0, 0, "all 2 epochs done", 0)),
        ("best", None, [1.0, 1.0, 0.5], TrainingState(2, 0.5, 2, 2, "all 2 epochs done", 0)),
        ("last", None, [1.0, 3.0, 2.0], TrainingState(2, 1.0, 0, 2, "all 2 epochs done", 0)),
        (
            "best",
            1,
            [1.0, 1.5, 0.5],
            TrainingState(1, 1.0, 0, 0, "no lower validation loss in 1 epochs", 0),
        ),
    ],
)
def test_an_epoch_is_kept_for_being_better_than_the_start(
    tmp_path: Path, select: str, patience: int | None, values: list[float], wanted: TrainingState
) -> None:
    task, quiet = Linear(), Quiet()
    losses_of(task, values)
    schedule = TrainingSettings(epochs=2, select=select, patience=patience)
    writer, val = RunWriter(tmp_path / "run", {}, WEIGHTS), listed(IMAGES[:1], None)
    found = fit(task, listed(IMAGES), val, schedule, writer, quiet, trained=True)
    assert found == read_progress(tmp_path / "run" / "checkpoint.safetensors") == wanted
    records = lines(tmp_path / "run")
    assert records == quiet.records
    assert [record["val"]["loss"] for record in records] == values[: len(records)]
    start = records[0]
    assert (start["epoch"], start["kept"], set(start)) == (
        *(0, True),
        {"epoch", "val", "kept", "seconds"},
    )
    assert Run.open(tmp_path / "run").weights.epoch == wanted.kept
    outcome = json.loads((tmp_path / "run" / "outcome.json").read_text())
    assert (outcome["epochs"], outcome["kept"]) == (wanted.epoch, wanted.kept)
    assert outcome["figures"]["val"] == {"loss": values[wanted.kept]}
    assert ("train" in outcome["figures"]) == (wanted.kept > 0)


@pytest.mark.parametrize("trained", [False, True])
def test_new_weights_or_no_validation_have_no_epoch_0(tmp_path: Path, trained: bool) -> None:
    val = None if trained else listed(IMAGES[:1], None)
    writer = RunWriter(tmp_path / "run", {}, WEIGHTS)
    schedule = TrainingSettings(epochs=2)
    found = fit(Linear(), listed(IMAGES), val, schedule, writer, Quiet(), trained=trained)
    assert [record["epoch"] for record in lines(tmp_path / "run")] == [1, 2]
    assert found.first == 1


def test_weights_that_are_not_fit_for_it_are_not_blamed_on_the_learning_rate(
    tmp_path: Path,
) -> None:
    task, val = Linear(), listed(IMAGES[:1] * torch.nan, None)
    writer = RunWriter(tmp_path / "run", {}, WEIGHTS)
    with pytest.raises(TrainingError, match="is nan before any update; start from other weights"):
        fit(task, listed(IMAGES), val, TrainingSettings(), writer, Quiet(), trained=True)


def test_fine_tuning_that_only_harms_leaves_the_student_as_it_was(
    real_store: Path, student: Path, tmp_path: Path
) -> None:
    out = tmp_path / "tuned"
    words = ("train", "finetune", real_store, "--student", student, "--out", out, *QUICK)
    result = done(*words, *HARMFUL)
    assert "epoch 0/3 (before training)  val loss" in result.output
    said = f"{out}: weights of epoch 0, the start: no epoch had a lower validation loss"
    assert said in result.output
    assert same_weights(out, student)
    found = lines(out)
    assert [record["kept"] for record in found] == [True, False, False, False]
    kept = max(line["epoch"] for line in lines(student) if line["kept"])
    # the student's own validation, of the epoch that it kept
    assert found[0]["val"] == lines(student)[kept - 1]["val"]
    with (out / "metrics.csv").open() as file:
        table = list(csv.DictReader(file))
    assert [row["epoch"] for row in table] == ["0", "1", "2", "3"]
    assert table[0]["train.loss"] == ""
    assert float(table[0]["val.loss"]) == found[0]["val"]["loss"]
    assert float(table[1]["train.loss"]) == found[1]["train"]["loss"]
    done("export", out, "--onnx", "--out", tmp_path / "model.onnx")
    text = (tmp_path / "model.card.md").read_text()
    assert "0, those that it started from (lowest validation loss)" in text


def test_fine_tuning_that_helps_is_kept(real_store: Path, student: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    words = ("train", "finetune", real_store, "--student", student, "--out", broken, *QUICK)
    done(*words, *HARMFUL, "--select", "last")
    assert not same_weights(broken, student)
    out = tmp_path / "mended"
    done("train", "finetune", real_store, "--student", broken, "--out", out, *QUICK, "--lr", 0.003)
    losses = [line["val"]["loss"] for line in lines(out)]
    assert min(losses) < losses[0]
    assert Run.open(out).weights.epoch == losses.index(min(losses)) > 0


@pytest.mark.parametrize("phase", ["baseline", "kd"])
def test_a_run_from_weights_keeps_them_if_it_finds_no_better(
    phase: str, real_store: Path, student: Path, tmp_path: Path
) -> None:
    more: tuple[object, ...] = ("--level", "2.5x", "--init-from", student, *HARMFUL)
    if phase == "kd":
        more = (*more, "--teacher", student)
    done("train", phase, real_store, "--out", tmp_path / "run", *QUICK, *more)
    assert [line["epoch"] for line in lines(tmp_path / "run")] == [0, 1, 2, 3]
    assert Run.open(tmp_path / "run").weights.epoch == 0
    assert same_weights(tmp_path / "run", student)
    if phase == "kd":  # the student is its own teacher, so that nothing can be nearer
        assert lines(tmp_path / "run")[0]["val"]["soft"] == 0


@pytest.fixture(scope="module")
def whole(real_store: Path, student: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("whole") / "run"
    done("train", "finetune", real_store, "--student", student, "--out", out, *QUICK, *HARMFUL)
    return out


def cutting(nth: int) -> Callable[[Path, bytes], None]:
    """`publish` of a process that is killed before its nth file, not counting config.json."""
    real, count = writing.publish, iter(range(999))

    def cut(path: Path, content: bytes) -> None:
        if path.name != "config.json" and next(count) == nth:
            raise KeyboardInterrupt
        real(path, content)

    return cut


@pytest.mark.parametrize("nth", range(9))
def test_cut_off_around_the_start_and_resumed_is_uninterrupted(
    nth: int,
    real_store: Path,
    student: Path,
    whole: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The start publishes metrics twice, the checkpoint, weights twice; then comes epoch 1."""
    out = tmp_path / "run"
    words = ("train", "finetune", real_store, "--student", student, "--out", out, *QUICK, *HARMFUL)
    with monkeypatch.context() as patch:
        for module in ("distill.runs.writer", "distill.files"):
            patch.setattr(f"{module}.publish", cutting(nth))
        assert distill(*words).exit_code == 130
    done(*words, "--resume")
    assert_same(out, whole)


def test_a_run_that_was_begun_without_it_goes_on_without_it(
    real_store: Path, student: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, before = tmp_path / "run", tmp_path / "before"
    words = ("train", "finetune", real_store, "--student", student, *QUICK, *HARMFUL, "--out")

    def never(*given: Any, trained: bool, **more: Any) -> TrainingState:
        return fit(*given, **more)

    with monkeypatch.context() as patch:
        patch.setattr(fit_run, "fit", never)
        done(*words, before)
        patch.setattr("distill.runs.writer.publish", cutting(4))
        assert distill(*words, out).exit_code == 130
    done(*words, out, "--resume")
    assert_same(out, before)
    assert read_progress(out / "checkpoint.safetensors").first == 1


def test_a_checkpoint_says_where_its_record_begins(tmp_path: Path) -> None:
    run = tmp_path / "run"
    task, val = Linear(), listed(IMAGES[:1], None)
    writer = RunWriter(run, {"a": 1}, WEIGHTS)
    fit(task, listed(IMAGES), val, TrainingSettings(epochs=1), writer, Quiet(), trained=True)
    (run / "outcome.json").unlink()
    text = (run / "metrics.jsonl").read_text()
    (run / "metrics.jsonl").write_text(text.split("\n", 1)[1])  # the start's line is lost
    again = RunWriter(run, {"a": 1}, replace(WEIGHTS), resume=True)
    resumed = partial(
        again.restore, {"network": task.network}, make_optimizer(task, TrainingSettings())
    )
    with pytest.raises(RunError, match="does not hold epochs 0 to 1"):
        resumed()
