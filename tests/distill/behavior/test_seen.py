"""Whoever chose an epoch or a temperature is seen, in any split and under any name."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import wsistore
from distill.errors import RunError, SubsetError
from distill.evaluation.calibrated_crops import CALIBRATION_CSV
from distill.evaluation.metrics.calibration import Temperature
from distill.evaluation.plan import EvaluationPlan, EvaluationRequest, plan_evaluation
from distill.runs.run import Run
from distill.runs.weights import LOWEST
from tests.distill.evaluating import command, make_run, make_store, rows, strict, write_split

SUBSETS = {"p0": "test", "p1": "test", "p2": "test", "p3": "dev", "p4": "dev", "p5": "val",
           "p6": "val", "p7": "train", "p8": "train"}  # fmt: skip


def table(**moved: str) -> list[tuple[str, str, str, str, str]]:
    """The split: patients p0 … p8, two slides each, in `SUBSETS` but for those that moved."""
    return [(*row[:4], (SUBSETS | moved)[row[2]]) for row in rows()]


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = make_store(tmp_path / "store", table())
    write_split(path, "second", table(p0="train", p3="test", p5="test", p7="val"))
    return path


def chosen(run: Path, how: str = LOWEST) -> Path:
    """Say of a run's epoch how it was chosen."""
    about = json.loads((run / "weights.json").read_text())
    (run / "weights.json").write_text(json.dumps(about | {"chosen": how}))
    return run


def plan(
    run: Path, store: Path, split: str = "second", subset: str = "test", **more: Any
) -> EvaluationPlan:
    return plan_evaluation(
        Run.open(run), wsistore.open(store), EvaluationRequest(split, subset, **more)
    )


def same_slide(store: Path, *slides: str) -> None:
    """Give slides one fingerprint, as copies of a file have, and all others their own."""
    slides_csv = pd.read_csv(store / "slides.csv", dtype=str)
    slides_csv["fingerprint"] = slides_csv["slide"]
    slides_csv.loc[slides_csv["slide"].isin(slides), "fingerprint"] = "same"
    slides_csv.to_csv(store / "slides.csv", index=False)


@pytest.mark.parametrize(
    ("how", "config", "patient"),
    [
        (LOWEST, {}, "p5"),
        (LOWEST, {"val_subset": "dev"}, "p3"),
        ("last epoch", {"patience": 3}, "p5"),
    ],
)
def test_patients_that_chose_the_epoch_are_refused_in_another_split(
    tmp_path: Path, store: Path, how: str, config: dict[str, Any], patient: str
) -> None:
    run = chosen(make_run(tmp_path / "run", store, **config), how)
    write_split(store, "second", table(**{patient: "test"}))
    with pytest.raises(SubsetError, match=f"epoch of .*run was chosen on patient {patient} of te"):
        plan(run, store)
    seen = plan(run, store, allow_training_patients=True).seen
    assert seen == {"training": 0, "epoch": 1, "temperature": 0}


def test_validation_that_chose_nothing_is_not_seen(tmp_path: Path, store: Path) -> None:
    run = make_run(tmp_path / "run", store, patience=None)
    write_split(store, "second", table(p5="test"))
    assert plan(run, store).seen == {"training": 0, "epoch": 0, "temperature": 0}


def test_the_validation_set_itself_is_scored_counted_and_said(tmp_path: Path, store: Path) -> None:
    run = chosen(make_run(tmp_path / "run", store))
    result = command(run, store, "--subset", "val", "--draws", 9)
    assert result.exit_code == 0, result.output
    metrics = strict(run / "evaluation" / "main-val" / "metrics.json")
    assert [metrics[f"{way}_patients"] for way in ("training", "epoch", "temperature")] == [0, 2, 0]
    said = " ".join(result.stderr.split())
    assert "patients that its epoch was chosen on, so that the scores are too good: 2" in said
    # a set of the same name in another split is another set
    write_split(store, "second", table(p7="val", p8="val", p5="other", p6="other"))
    with pytest.raises(SubsetError, match="was trained on patient p7"):
        plan(run, store, subset="val")
    with pytest.raises(SubsetError, match="chosen on patient p5 and 1 more of other"):
        plan(run, store, subset="other")


def test_who_chose_the_teachers_epoch_is_seen_by_the_student(tmp_path: Path, store: Path) -> None:
    teacher = chosen(make_run(tmp_path / "teacher", store))
    student = make_run(
        tmp_path / "student", store, teacher={"run": str(teacher), "weights_sha256": "0"}
    )
    write_split(store, "second", table(p6="test"))
    with pytest.raises(
        SubsetError, match=r"student was made from .*teacher, and the epoch of that was chosen on p"
    ):
        plan(student, store)


@pytest.mark.parametrize("recorded", [True, False])
def test_who_a_temperature_was_fitted_on_is_seen(
    tmp_path: Path, store: Path, recorded: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    # no temperature fits a network that was never trained
    fitted_one = Temperature(2.0, 1.1, 1.0, 8)
    monkeypatch.setattr("distill.evaluation.evaluator.fit_temperature", lambda *_: fitted_one)
    run = make_run(tmp_path / "run", store)
    asked = ("--calibrate", "dev", "--draws", 9)
    result = command(run, store, *asked)
    assert result.exit_code == 0, result.output
    file = run / "evaluation" / "main-test" / CALIBRATION_CSV
    fitted = pd.read_csv(file)
    assert set(fitted["patient"]) == {"p3", "p4"}
    assert set(fitted["fingerprint"]) == {f"{store}/s{n}" for n in range(6, 10)}
    if not recorded:
        file.unlink()
    write_split(store, "second", table(p3="test"))
    with pytest.raises(SubsetError, match=r"temperature of .* was fitted on patient p3 of test"):
        plan(run, store)
    allowed = plan(run, store, allow_training_patients=True)
    assert allowed.seen == {"training": 0, "epoch": 0, "temperature": 1}
    # where nothing says on whom it was fitted, nobody can tell
    if not recorded:
        write_split(store, "main", table(p3="test"))
        with pytest.raises(RunError, match="gone or has changed"):
            plan(run, store)


def test_a_slide_under_another_name_is_seen(tmp_path: Path, store: Path) -> None:
    run = chosen(make_run(tmp_path / "run", store))
    same_slide(store, "s1", "s15")  # of p0, who tests, and of p7, who trains
    with pytest.raises(
        SubsetError, match=r"was trained on slide s1 of patient p0 of test, under another name"
    ):
        plan(run, store, "main")
    assert plan(run, store, "main", allow_training_patients=True).seen["training"] == 1
    same_slide(store, "s1", "s10")  # of p5, who validates
    with pytest.raises(SubsetError, match=r"epoch of .* was chosen on slide s1 of patient p0"):
        plan(run, store, "main")


def test_a_temperature_is_not_fitted_on_a_scored_slide_under_another_name(
    tmp_path: Path, store: Path
) -> None:
    run = make_run(tmp_path / "run", store)
    same_slide(store, "s0", "s8")  # of p0, who tests, and of p4, of dev
    with pytest.raises(SubsetError, match="slide s8 in dev and slide s0 in test are one slide"):
        plan(run, store, "main", calibrate="dev")
    assert plan(run, store, "main", calibrate="val").calibration is not None


def test_val_that_chose_the_epoch_may_still_fit_the_temperature(
    tmp_path: Path, store: Path
) -> None:
    run = chosen(make_run(tmp_path / "run", store))
    found = plan(run, store, "main", calibrate="val")
    assert found.calibration is not None
    assert found.seen == {"training": 0, "epoch": 0, "temperature": 0}
