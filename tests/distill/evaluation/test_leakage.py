"""Patients that a run, or its teacher, learnt from are found and refused."""

from pathlib import Path

import pytest

import wsistore
from distill.errors import RunError, SubsetError
from distill.evaluation.evaluator import evaluate
from distill.evaluation.leakage import training_patients
from distill.evaluation.plan import EvaluationRequest, plan_evaluation
from distill.runs.run import Run
from tests.distill.commands import done
from tests.distill.evaluating import command, make_run, make_store, rows, strict, write_split


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return make_store(tmp_path / "store", rows())


@pytest.fixture
def run(tmp_path: Path, store: Path) -> Path:
    return make_run(tmp_path / "run", store)


def test_training_patients_are_refused_unless_allowed(run: Path, store: Path) -> None:
    refused = command(run, store, "--subset", "train")
    assert refused.exit_code == 2
    assert "--allow-training-patients" in refused.output
    assert not (run / "evaluation").exists()
    allowed = command(run, store, "--subset", "train", "--draws", 9, "--allow-training-patients")
    assert allowed.exit_code == 0, allowed.output
    assert strict(run / "evaluation" / "main-train" / "metrics.json")["training_patients"] == 4
    assert "patients that it was trained on: 4" in " ".join(allowed.stderr.split())


def test_a_patient_is_found_again_in_another_split_and_another_store(
    run: Path, store: Path, tmp_path: Path
) -> None:
    moved = [(*row[:4], "test" if row[2] in ("p4", "p5", "p6") else "train") for row in rows()]
    write_split(store, "second", moved)
    result = command(run, store, "--split", "second")
    assert result.exit_code == 1
    assert "was trained on patient p5 and 1 more of test" in " ".join(result.output.split())

    elsewhere = make_store(tmp_path / "elsewhere", moved)
    with pytest.raises(SubsetError, match="patient p5 and 1 more"):
        plan_evaluation(Run.open(run), wsistore.open(elsewhere), EvaluationRequest("main", "test"))


def test_the_teachers_patients_are_training_patients_too(tmp_path: Path, store: Path) -> None:
    first = [(*row[:4], "train" if row[2] == "p0" else "other") for row in rows()]
    teacher = make_run(tmp_path / "teacher", make_store(tmp_path / "teachers", first))
    student = make_run(
        tmp_path / "student", store, teacher={"run": str(teacher), "weights_sha256": "0"}
    )
    opened, run = wsistore.open(store), Run.open(student)
    assert training_patients(run, opened) == {"p0", "p5", "p6", "p7", "p8"}
    with pytest.raises(SubsetError, match="patient p0 of test"):
        plan_evaluation(run, opened, EvaluationRequest("main", "test"))

    teacher.rename(tmp_path / "gone")
    with pytest.raises(RunError, match=r"cannot tell who .* was trained on"):
        plan_evaluation(run, opened, EvaluationRequest("main", "test"))
    plan = plan_evaluation(
        run, opened, EvaluationRequest("main", "test", allow_training_patients=True)
    )
    assert plan.seen == {"training": None, "epoch": None, "temperature": None}
    assert evaluate(plan).report["training_patients"] is None


def test_a_split_edited_after_training_proves_nothing(run: Path, store: Path) -> None:
    write_split(store, "main", [(*r[:4], "train" if r[2] == "p8" else "test") for r in rows()])
    with pytest.raises(RunError, match="gone or has changed"):
        plan_evaluation(Run.open(run), wsistore.open(store), EvaluationRequest("main", "test"))


def test_a_split_without_the_set_that_the_run_learnt_from_proves_nothing(tmp_path: Path) -> None:
    store = make_store(tmp_path / "store", [(*row[:4], "test") for row in rows()])
    run = Run.open(make_run(tmp_path / "run", store))
    with pytest.raises(RunError, match="has no 'train'"):
        plan_evaluation(run, wsistore.open(store), EvaluationRequest("main", "test"))
    plan = plan_evaluation(
        run, wsistore.open(store), EvaluationRequest("main", "test", allow_training_patients=True)
    )
    assert plan.seen == {"training": None, "epoch": None, "temperature": None}


def test_a_folder_that_is_no_store_any_more_proves_nothing(
    run: Path, store: Path, tmp_path: Path
) -> None:
    elsewhere = make_store(tmp_path / "elsewhere", rows()[:-1])
    opened = wsistore.open(elsewhere)
    assert training_patients(Run.open(run), opened) == {"p5", "p6", "p7", "p8"}
    (store / "zarr.json").unlink()
    with pytest.raises(RunError, match=r"split main of .*store is gone or has changed since"):
        training_patients(Run.open(run), opened)


def test_a_store_that_moved_is_still_known(run: Path, store: Path, tmp_path: Path) -> None:
    store.rename(tmp_path / "moved")
    plan = plan_evaluation(
        Run.open(run), wsistore.open(tmp_path / "moved"), EvaluationRequest("main", "test")
    )
    assert plan.seen == {"training": 0, "epoch": 0, "temperature": 0}


def test_a_run_from_the_training_command_is_evaluated_and_guarded(
    store: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "trained"
    done("train", "baseline", store, "--level", "2.5x", "--epochs", 1, "--out", folder)
    assert training_patients(Run.open(folder), wsistore.open(store)) == {"p5", "p6", "p7", "p8"}
    result = command(folder, store, "--draws", 20)
    assert result.exit_code == 0, result.output
    found = strict(folder / "evaluation" / "main-test" / "metrics.json")
    assert (found["level"], found["predicted"]["crops"]) == ("2.5x", 10)
    assert found["mpp"] == pytest.approx(4.04)


def test_a_run_learnt_from_the_sets_it_names(tmp_path: Path) -> None:
    table = [
        ("s0/0", "s0", "p0", "", "aux1"),
        ("s1/0", "s1", "p1", "", "aux2"),
        ("s2/0", "s2", "p2", "b", "train"),
        ("s3/0", "s3", "p3", "b", "test"),
    ]
    store = make_store(tmp_path / "store", table)
    opened = wsistore.open(store)
    for subset, patients in (
        ("train", {"p2"}), ("ADv1", {"p0"}), ("ADv2", {"p0", "p1"}), ("train+ADv1", {"p0", "p2"}),
    ):  # fmt: skip
        run = make_run(tmp_path / subset, store, subset=subset)
        assert training_patients(Run.open(run), opened) == patients
