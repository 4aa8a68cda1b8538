"""What cannot be evaluated is refused before any work."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import wsistore
from distill.errors import DistillError, SubsetError, UsageError
from distill.evaluation.plan import EvaluationRequest, plan_evaluation
from distill.runs.run import Run
from tests.distill.evaluating import crop_sizes, make_run, make_store, rows


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return make_store(tmp_path / "store", rows())


@pytest.fixture
def run(tmp_path: Path, store: Path) -> Path:
    return make_run(tmp_path / "run", store)


@pytest.mark.parametrize(
    ("change", "request_", "message"),
    [
        (lambda row: (*row[:3], "d", row[4]), {}, "is d, which is no class"),
        (lambda row: (*row[:3], "", row[4]), {}, "nothing to score"),
        (lambda row: (*row[:2], "p0", *row[3:]), {}, "of one patient; use --unit crop"),
        (lambda row: row, {"subset": "exam"}, "has no .exam."),
        (lambda row: row, {"subset": "../x"}, "cannot name a folder"),
    ],
)
def test_what_cannot_be_scored_is_refused_before_any_work(
    tmp_path: Path, change: Callable[[Any], Any], request_: dict[str, str], message: str
) -> None:
    changed = [change(row) if row[4] == "test" else row for row in rows()]
    store = make_store(tmp_path / "store", changed)
    run = make_run(tmp_path / "run", store)
    wanted = EvaluationRequest(**{"split": "main", "subset": "test"} | request_)
    with pytest.raises(DistillError, match=message):
        plan_evaluation(Run.open(run), wsistore.open(store), wanted)
    assert not (run / "evaluation").exists()


def test_a_level_the_store_lacks_is_named(tmp_path: Path, store: Path) -> None:
    run = Run.open(make_run(tmp_path / "run", store))
    object.__setattr__(run.weights, "level", "5x")
    with pytest.raises(SubsetError, match=r"takes level 5x; .* only has 10x, 2.5x"):
        plan_evaluation(run, wsistore.open(store), EvaluationRequest("main", "test"))


def test_the_subset_to_calibrate_on_is_checked_like_the_one_to_score(tmp_path: Path) -> None:
    split = [(*row[:4], "val" if row[2] == "p5" else row[4]) for row in rows()]
    store = wsistore.open(make_store(tmp_path / "store", split))
    run = Run.open(make_run(tmp_path / "run", store.path))
    plan = plan_evaluation(run, store, EvaluationRequest("main", "test", calibrate="val"))
    assert plan.calibration is not None
    assert plan.calibration.crops == ("s10/0", "s11/0")
    with pytest.raises(UsageError, match="--calibrate test is the subset to be scored"):
        plan_evaluation(run, store, EvaluationRequest("main", "test", calibrate="test"))
    with pytest.raises(UsageError, match="train say nothing about new patients"):
        plan_evaluation(run, store, EvaluationRequest("main", "test", calibrate="train"))
    with pytest.raises(SubsetError, match=r"has no .exam."):
        plan_evaluation(run, store, EvaluationRequest("main", "test", calibrate="exam"))


def test_no_patient_is_calibrated_on_and_scored(tmp_path: Path) -> None:
    # Both crops of p5, and one of the two of p0.
    split = [(*r[:4], "val" if n in (0, 10, 11) else r[4]) for n, r in enumerate(rows())]
    store = wsistore.open(make_store(tmp_path / "store", split))
    run = Run.open(make_run(tmp_path / "run", store.path))
    with pytest.raises(SubsetError, match=r"patient p0 is in val and in test .*--calibrate"):
        plan_evaluation(run, store, EvaluationRequest("main", "test", calibrate="val"))


def test_the_table_has_areas_in_mm2_and_no_label_as_none(tmp_path: Path) -> None:
    store = wsistore.open(make_store(tmp_path / "store", rows()))
    plan = plan_evaluation(
        Run.open(make_run(tmp_path / "run", store.path)), store, EvaluationRequest("main", "test")
    )
    assert list(plan.table.columns) == ["crop", "slide", "patient", "label", "area_mm2"]
    boxes = [crop_sizes(number) for number in range(10)]
    areas = [height * width * 1.01**2 / 1e6 for height, width in boxes]
    assert plan.table["area_mm2"].tolist() == pytest.approx(areas)
    assert plan.table["label"].tolist()[2:4] == [plan.subset.labels[2], None]
