"""Evaluations that do not belong to the runs, the store or each other are refused."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import wsistore
from distill.errors import DistillError, RunError, UsageError
from distill.evaluation.scoring import BootstrapSettings
from distill.report.evaluations import Collected, collect
from tests.distill.report.fabricate import CLASSES, QUICK, answers, evaluate, make_run, make_store

RUNS = ("teacher", "baseline-1.25x-0", "kd-train-1.25x-0")


def read(folder: Path, *names: str, subset: str = "test") -> Collected:
    paths = [folder / name for name in names or RUNS]
    return collect(paths, wsistore.open(folder / "store"), "main", subset)


@pytest.fixture
def copied(made: Path, tmp_path: Path) -> Path:
    for name in ("store", *RUNS):
        shutil.copytree(made / name, tmp_path / name)
    return tmp_path


def test_runs_are_read_with_their_answers_and_bootstrap(made: Path) -> None:
    found = read(made)
    assert [one.name for one in found.runs] == list(RUNS)
    assert (found.how, found.aggregate, found.paper) == (QUICK, "mean", False)
    metrics = json.loads((made / RUNS[0] / "evaluation/main-test/metrics.json").read_text())
    assert found.runs[0].metrics == metrics
    assert len(found.runs[0].answers.table) == metrics["scored"]["crops"] == 120
    assert [record["epoch"] for record in found.runs[0].epochs] == [1, 2, 3, 4]


def test_runs_without_the_evaluation_are_named_with_the_command(made: Path) -> None:
    with pytest.raises(RunError) as raised:
        read(made, *RUNS[:2], subset="val")
    first, second, store = (made / name for name in (*RUNS[:2], "store"))
    assert str(raised.value) == (
        f"{first}, {second}: not evaluated on val of split main; run: distill evaluate "
        f"{first} {second} {store} --split main --subset val"
    )


def test_a_run_named_twice_is_refused(made: Path) -> None:
    with pytest.raises(UsageError, match="named twice"):
        read(made, "teacher", "./teacher")


def _weights(folder: Path) -> None:
    (folder / RUNS[2] / "weights.safetensors").write_bytes(b"trained again")


def _store(folder: Path) -> None:
    table = folder / "store" / "levels.csv"
    table.write_text(table.read_text().replace(",9\n", ",8\n", 1))


def _split(folder: Path) -> None:
    table = folder / "store" / "splits" / "main.csv"
    lines = table.read_text().splitlines(keepends=True)
    table.write_text("".join([lines[0], *reversed(lines[1:])]))


def _predictions(folder: Path) -> None:
    evaluation = folder / RUNS[2] / "evaluation" / "main-test"
    other = folder / RUNS[1] / "evaluation" / "main-test" / "predictions.csv"
    shutil.copy(other, evaluation / "predictions.csv")


def _entry(folder: Path) -> None:
    _change(folder, lambda metrics: metrics["macro"].pop("f1"))


def _bootstrap(folder: Path) -> None:
    _change(folder, lambda metrics: metrics["bootstrap"].pop("draws"))


def _interval(folder: Path) -> None:
    _change(folder, lambda metrics: metrics["macro"]["f1"].update(interval=[0.1]))


def _value(folder: Path) -> None:
    _change(folder, lambda metrics: metrics["macro"]["f1"].update(value=0.99))


def _confusion(folder: Path) -> None:
    _change(folder, lambda metrics: metrics["confusion"][0].reverse())


def _no_matrix(folder: Path) -> None:
    _change(folder, lambda metrics: metrics.update(confusion="xyz"))


def _absent(folder: Path) -> None:
    _change(folder, lambda metrics: metrics.update(absent_classes=[CLASSES[0]]))


def _no_draws(folder: Path) -> None:
    _change(folder, lambda metrics: metrics["bootstrap"].update(draws=None))


def _other_split(folder: Path) -> None:
    _change(folder, lambda metrics: metrics.update(split="xyz"))


def _format(folder: Path) -> None:
    _change(folder, lambda metrics: metrics.update(format="distill-evaluation/1"))


def _change(folder: Path, how: Callable[[dict], object]) -> None:
    file = folder / RUNS[2] / "evaluation" / "main-test" / "metrics.json"
    metrics = json.loads(file.read_text())
    how(metrics)
    file.write_text(json.dumps(metrics))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_weights, "is not of the run's present weights"),
        (_store, "is not of the tables of"),
        (_split, "is not of split main of"),
        (_predictions, "do not belong together"),
        (_value, "do not belong together"),
        (_entry, r"is damaged \(KeyError\('f1'\)\)"),
        (_bootstrap, r"is damaged \(KeyError\('draws'\)\)"),
        (_interval, r"is damaged \(ValueError"),
        (_confusion, "do not belong together"),
        (_no_matrix, "is damaged: its confusion is a text, not a list"),
        (_absent, "do not belong together"),
        (_no_draws, r"is damaged: its bootstrap\.draws is null, not a whole number"),
        (_other_split, "is not of test of split main"),
        (_format, "is not of distill-evaluation/2"),
    ],
)
def test_what_does_not_belong_together_is_refused(
    copied: Path, change: Callable[[Path], None], said: str
) -> None:
    read(copied)
    change(copied)
    with pytest.raises(RunError, match=said) as raised:
        read(copied)
    assert "run: distill evaluate" in str(raised.value)
    assert str(raised.value).endswith("--split main --subset test --overwrite")


def test_a_missing_or_damaged_file_is_an_error_that_names_it(copied: Path) -> None:
    (copied / RUNS[1] / "metrics.jsonl").write_text("not json\n")
    with pytest.raises(RunError, match=r"metrics\.jsonl cannot be read"):
        read(copied)
    (copied / RUNS[0] / "weights.safetensors").unlink()
    with pytest.raises(DistillError, match=r"weights\.safetensors cannot be read"):
        read(copied, RUNS[0])


@pytest.mark.parametrize(
    ("how", "more", "what"),
    [
        (BootstrapSettings(draws=100), {}, "bootstrap"),
        (BootstrapSettings("crop", 200), {}, "bootstrap"),
        (QUICK, {"aggregate": "area"}, "aggregate"),
        (QUICK, {"calibration": {"subset": "val", "temperature": 2.0}}, "calibration"),
    ],
)
def test_runs_evaluated_in_different_ways_are_refused(
    copied: Path, how: BootstrapSettings, more: dict, what: str
) -> None:
    store = copied / "store"
    evaluate(copied / RUNS[2], store, answers(store, 1.0, 0, "1.25x"), how, **more)
    with pytest.raises(RunError, match=f"were evaluated with different {what}; run: distill"):
        read(copied)


def test_runs_of_other_classes_are_refused_and_other_orders_are_not(tmp_path: Path) -> None:
    store = make_store(tmp_path / "store", patients=6)
    make_run(tmp_path / "a", store, "teacher", "10x", 3.0)
    make_run(tmp_path / "b", store, "baseline", "5x", 2.0, classes=CLASSES[::-1])
    make_run(tmp_path / "c", store, "baseline", "5x", 2.0, classes=(*CLASSES, "other"))
    found = read(tmp_path, "a", "b")
    assert np.ptp([one.metrics["scored"]["crops"] for one in found.runs]) == 0
    with pytest.raises(RunError, match="tell different classes apart"):
        read(tmp_path, "a", "c")
