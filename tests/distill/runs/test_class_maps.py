"""Classes that a run leaves out or takes together, from training to the report."""

import json
from pathlib import Path

import pytest

import wsistore
from distill.errors import RunError, SubsetError, UsageError
from distill.evaluation.plan import EvaluationRequest, plan_evaluation
from distill.evaluation.predictions import Predictions
from distill.report.evaluations import collect
from distill.runs.class_maps import class_map, disagreement
from distill.runs.run import Run
from tests.distill.commands import done
from tests.distill.conftest import crop_levels
from tests.distill.evaluating import CLASSES, command, make_run, make_store, strict, write_split
from tests.distill.evaluating import rows as plain_rows
from tests.distill.report.fabricate import cohort
from tests.distill.report.fabricate import make_store as make_reported_store

OPTIONS = ("--exclude-class", "benign", "--merge", "fine+finest=fine")
MAP = {"exclude": ["benign"], "merge": {"fine": ["fine", "finest"]}}


@pytest.fixture
def store(store):
    """The seven crops of coarse and fine, and two more classes, of train and val."""
    for number, (label, subset) in enumerate(
        [("benign", "train"), ("finest", "train"), ("benign", "val"), ("finest", "val")], start=7
    ):
        store.add(f"s{number}/0", label, subset, crop_levels((64, 64), 4, number))
    return store


def config(run: Path) -> dict:
    return json.loads((run / "config.json").read_text())


def test_a_teacher_tells_its_own_classes_apart_and_its_students_inherit_them(
    store, tmp_path: Path, train, distill
) -> None:
    teacher, student, tuned, stored = (tmp_path / name for name in ("t", "kd", "tuned", "stored"))
    train("teacher", store.path, teacher, "--level", "10x", *OPTIONS)
    made = Run.open(teacher)
    assert made.weights.classes == ["coarse", "fine"]
    assert made.config["class_map"] == MAP
    assert made.config["crops"] == {"train": 6, "val": 3}
    why = "is of class benign, which is left out"
    assert made.config["left_out"] == {"train": {"s7/0": why}, "val": {"s9/0": why}}

    said = train("kd", store.path, student, "--level", "2.5x", "--teacher", teacher)
    assert "the teacher leaves out benign; no label is read here" in " ".join(said.output.split())
    assert config(student)["class_map"] == MAP
    assert config(student)["crops"] == {"train": 7, "val": 4}
    train("finetune", store.path, tuned, "--student", student)
    assert config(tuned)["class_map"] == MAP
    assert config(tuned)["crops"] == {"train": 6, "val": 3}

    targets = tmp_path / "targets"
    asked = ("--student-level", "2.5x", "--views", 1, "--out", targets, "--device", "cpu")
    taught = distill("teach", teacher, store.path, *asked)
    assert taught.exit_code == 0, taught.output
    train("kd", store.path, stored, "--level", "2.5x", "--targets", targets)
    assert config(stored)["class_map"] == MAP
    assert config(stored)["teacher"] == config(student)["teacher"]


def test_merged_classes_train_the_bits_of_a_split_with_those_labels(
    store, tmp_path: Path, train
) -> None:
    train("baseline", store.path, tmp_path / "options", "--level", "2.5x", *OPTIONS)
    table = store.split("main")
    table["label"] = table["label"].replace({"finest": "fine"})
    table.loc[table["label"] == "benign", "subset"] = "excluded"
    table.to_csv(store.path / "splits" / "main.csv", index=False)
    train("baseline", store.path, tmp_path / "split", "--level", "2.5x")
    first, second = (
        (tmp_path / name / "weights.safetensors").read_bytes() for name in ("options", "split")
    )
    assert first == second
    assert config(tmp_path / "split")["class_map"] == {"exclude": [], "merge": {}}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--exclude-class", "Benign"), "did you mean 'benign'?"),
        (("--merge", "fine+other=x"), "is of class 'other'"),
        (("--merge", "fine"), "give classes and the new one, as A+B=C"),
    ],
)
def test_classes_that_are_not_there_are_wrong_usage(
    store, tmp_path: Path, distill, options: tuple[str, ...], message: str
) -> None:
    asked = ("--level", "2.5x", "--out", tmp_path / "run", *options)
    result = distill("train", "baseline", store.path, *asked)
    assert (result.exit_code, message in " ".join(result.output.split())) == (2, True)
    assert not (tmp_path / "run").exists()


def test_distillation_reads_no_label_and_takes_no_such_option(store, tmp_path, distill) -> None:
    asked = ("--level", "2.5x", "--teacher", tmp_path, "--out", tmp_path / "run", *OPTIONS)
    result = distill("train", "kd", store.path, *asked)
    assert (result.exit_code, "No such option" in result.output) == (2, True)


def relabeled() -> list[tuple[str, str, str, str, str]]:
    """The plain rows, but that patient p1 is benign and p2 of class c2. Crop 3 has no label."""
    names = {"p1": "benign", "p2": "c2"}
    return [(*row[:3], row[3] and names.get(row[2], row[3]), row[4]) for row in plain_rows()]


EVALUATED = {"exclude": ["benign"], "merge": {"c": ["c", "c2"]}}


def test_a_run_is_evaluated_with_its_own_classes(tmp_path: Path) -> None:
    store = make_store(tmp_path / "store", relabeled())
    with pytest.raises(SubsetError, match=r"crop s2/0 is benign, which is no class"):
        plan_evaluation(
            Run.open(make_run(tmp_path / "plain", store)), wsistore.open(store),
            EvaluationRequest("main", "test"),
        )  # fmt: skip
    run = make_run(tmp_path / "run", store, class_map=EVALUATED)
    result = command(run, store, "--draws", 9)
    assert result.exit_code == 0, result.output
    folder = run / "evaluation" / "main-test"
    metrics = strict(folder / "metrics.json")
    assert metrics["class_map"] == EVALUATED
    assert metrics["skipped"] == {"s2/0": "is of class benign, which is left out"}
    labels = Predictions.read(folder / "predictions.csv").table.set_index("patient")["label"]
    assert set(labels["p2"]) == {"c"}
    assert sorted(metrics["classes"]) == sorted(CLASSES)


def test_runs_of_other_classes_under_the_same_names_are_not_compared(tmp_path: Path) -> None:
    store = make_store(tmp_path / "store", relabeled())
    runs = [
        make_run(tmp_path / "one", store, class_map=EVALUATED),
        make_run(tmp_path / "two", store,
                 class_map={"exclude": ["benign"], "merge": {"b": ["b", "c2"]}}),
        make_run(tmp_path / "three", store,
                 class_map={"exclude": ["benign", "gone"], "merge": {"c": ["c", "c2", "c3"]}}),
    ]  # fmt: skip
    result = command(runs[0], runs[1], store)
    assert result.exit_code == 2
    said = " ".join(result.output.split())
    assert "crop s4/0, labelled c2, is c for the one and is b for the other" in said
    # maps that differ in what is not there are no difference
    assert command(runs[0], runs[2], store, "--draws", 9).exit_code == 0


def test_the_map_of_a_split_goes_before_that_of_the_options(tmp_path: Path) -> None:
    table = [(*row[:4], "train" if row[2] in ("p7", "p8", "p2", "p6") else "test")
             for row in relabeled()]  # fmt: skip
    mapped = [(*r[:3], "c" if r[3] == "c2" else r[3], "excluded" if r[3] == "benign" else r[4])
              for r in table]  # fmt: skip
    store = make_store(tmp_path / "mapped", table)
    write_split(store, "main", mapped)
    record = {"version": "0.1.0", "request": None, "source": {}, "files": {"main.csv": "0" * 64},
              "classes": EVALUATED}  # fmt: skip
    (store / "splits" / "main.json").write_text(json.dumps(record))
    opened = wsistore.open(store)
    own = class_map(opened, "main", (), ("b+c=bc",))
    assert own == wsistore.ClassMap(("benign",), {"bc": ("b", "c", "c2")})
    assert class_map(opened, "main", (), ()).to_json() == EVALUATED
    with pytest.raises(UsageError, match="'c2'"):
        class_map(opened, "main", ("c2",), ())  # the split has no such class any more

    run = tmp_path / "run"
    done("train", "baseline", store, "--level", "2.5x", "--epochs", 1, "--out", run,
         "--merge", "b+c=bc")  # fmt: skip
    assert Run.open(run).weights.classes == [CLASSES[0], "bc"]
    # another split, which maps nothing, is scored on the same classes
    write_split(store, "second", table)
    done("evaluate", run, store, "--split", "second", "--draws", 9, "--device", "cpu")
    metrics = strict(run / "evaluation" / "second-test" / "metrics.json")
    assert metrics["classes"] == [CLASSES[0], "bc"]
    assert set(metrics["skipped"].values()) == {"is of class benign, which is left out"}


def test_disagreement_names_the_crop_and_both_classes(tmp_path: Path) -> None:
    store = make_store(tmp_path / "store", plain_rows())
    runs = [
        Run.open(make_run(tmp_path / name, store, class_map={"exclude": out, "merge": {}}))
        for name, out in (("a", []), ("b", ["b"]))
    ]
    assert disagreement(runs, {"x/0": "c"}) is None
    said = disagreement(runs, {"x/0": "c", "y/0": "b"})
    assert said is not None
    assert "crop y/0, labelled b, is b for the one and is left out for the other" in said


def test_the_report_refuses_runs_of_other_classes(tmp_path: Path) -> None:
    store = make_reported_store(tmp_path / "store")
    runs = cohort(tmp_path, levels=("1.25x",), seeds=(0,), auxiliary=())
    about = config(runs[1])
    about["class_map"] = {"exclude": ["normal"], "merge": {}}
    (runs[1] / "config.json").write_text(json.dumps(about))
    with pytest.raises(RunError, match="labelled normal, is normal for the one and is left out"):
        collect(runs, wsistore.open(store), "main", "test")


def test_a_damaged_record_is_an_error(tmp_path: Path) -> None:
    store = make_store(tmp_path / "store", plain_rows())
    run = Run.open(make_run(tmp_path / "run", store, class_map={"exclude": "b"}))
    with pytest.raises(RunError, match=r"config\.json has a damaged class_map"):
        _ = run.class_map
