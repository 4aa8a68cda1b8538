"""What a reader is warned of."""

import json
from pathlib import Path

import pytest

import wsistore
from distill.evaluation.scoring import BootstrapSettings
from distill.report.evaluations import collect
from distill.report.methods import methods_of
from distill.report.notices import Notices, notices, notices_of
from distill.report.page.document import assemble
from distill.report.scores import measure
from distill.report.verdict import Question, judge, judge_students
from tests.distill.report.fabricate import QUICK, answers, evaluate, make_run, make_store, taught_by


def warned(folder: Path, *names: str) -> str:
    store = wsistore.open(folder / "store")
    collected = collect([folder / name for name in names], store, "main", "test")
    found = measure(collected, methods_of(collected.runs, store.level_names), lambda jobs: jobs)
    verdicts = [judge(one, Question(), collected) for one in found.to_teacher]
    return "\n".join(notices(found, verdicts))


@pytest.fixture
def few(tmp_path: Path) -> Path:
    store = make_store(tmp_path / "store", patients=12)
    make_run(tmp_path / "teacher", store, "teacher", "10x", 3.0)
    make_run(tmp_path / "kd", store, "kd", "5x", 2.0, **taught_by(tmp_path / "teacher"))
    return tmp_path


def test_few_patients_and_one_seed_are_said(few: Path) -> None:
    said = warned(few, "teacher", "kd")
    assert "Only 12 labelled patients. With fewer than 20 an interval is too narrow" in said
    assert "celiac sprue (4), non-specific duodenitis (4), normal (4)" in said
    assert "The student was trained once, with one seed." in said
    assert "evaluate with --unit patient" not in said


def test_enough_patients_are_no_warning(made: Path) -> None:
    names = ("teacher", "kd-train-1.25x-0", "kd-train-1.25x-1")
    assert warned(made, *names) == ""
    both = warned(made, *names, "kd-aux1-1.25x-0")
    assert both.splitlines() == [
        "1 of the 2 students was trained once, with one seed. Intervals tell of other patients, "
        "not of training again.",
        "There are 2 students, each with an interval of its own: whoever takes the best of them "
        "afterwards takes luck with it. Choose on val, then judge on test.",
    ]


def test_what_was_evaluated_oddly_is_said(few: Path) -> None:
    store, crops = few / "store", BootstrapSettings("crop", 200)
    evaluate(few / "teacher", store, answers(store, 3.0, 0, "10x"), crops, training_patients=2,
             skipped={"s1/0": "is too small"}, calibration={"subset": "val"})  # fmt: skip
    evaluate(few / "kd", store, answers(store, 2.0, 0, "5x"), crops, training_patients=None,
             calibration={"subset": "val"})  # fmt: skip
    said = warned(few, "teacher", "kd")
    for one in (
        "Intervals resample crops.",
        "teacher was trained on 2 of these patients.",
        "Nobody can tell which patients kd was trained on.",
        "teacher could not take 1 crops",
        "Probabilities are at temperatures fitted on val",
    ):
        assert one in said


def test_a_student_without_its_teacher_is_named_with_the_run_to_add(few: Path) -> None:
    assert "KD at 5×: the teacher it was distilled from is not among these runs" in warned(
        few, "kd"
    )
    assert "add its run (teacher)" in warned(few, "kd")
    (few / "teacher" / "weights.safetensors").write_bytes(b"trained again")
    evaluate(few / "teacher", few / "store", answers(few / "store", 3.0, 0, "10x"), QUICK)
    assert "was trained again since, so there is no verdict" in warned(few, "teacher", "kd")


def test_a_class_without_a_case_is_named(tmp_path: Path) -> None:
    classes = ("a", "b", "rare")
    store = make_store(tmp_path / "store", classes=classes[:2], patients=30)
    make_run(tmp_path / "teacher", store, "teacher", "10x", 3.0, classes=classes)
    assert "No case of rare: left out of every mean over classes." in warned(tmp_path, "teacher")
    metrics = tmp_path / "teacher/evaluation/main-test/metrics.json"
    assert json.loads(metrics.read_text())["absent_classes"] == ["rare"]


def test_patients_that_chose_an_epoch_or_a_temperature_are_said(few: Path) -> None:
    store = few / "store"
    evaluate(few / "teacher", store, answers(store, 3.0, 0, "10x"), QUICK, epoch_patients=3)
    evaluate(few / "kd", store, answers(store, 2.0, 0, "5x"), QUICK, temperature_patients=2)
    said = warned(few, "teacher", "kd")
    assert "The epoch of teacher (or of a run that it was made from) was chosen on 3 of" in said
    assert "A temperature of kd was fitted on 2 of these patients." in said


def test_an_evaluation_that_does_not_say_who_chose_the_epoch_is_looked_up(few: Path) -> None:
    """Their split has no set val, so nobody can tell; where none chose it, it is known."""
    file = few / "kd" / "evaluation" / "main-test" / "metrics.json"
    metrics = json.loads(file.read_text())
    del metrics["epoch_patients"], metrics["temperature_patients"]
    file.write_text(json.dumps(metrics))
    assert "Nobody can tell whether these patients chose the epoch of kd." in warned(few, "kd")
    for about in (few / "kd" / "weights.json", few / "teacher" / "weights.json"):
        about.write_text(json.dumps(json.loads(about.read_text()) | {"chosen": "last epoch"}))
    assert "chose the epoch" not in warned(few, "kd")


def test_the_page_shows_the_verdicts_that_it_is_given(few: Path) -> None:
    """Whoever assembles does not judge: another answer, and no verdict, are shown as they are."""
    store = wsistore.open(few / "store")
    collected = collect([few / "teacher", few / "kd"], store, "main", "test")
    found = measure(collected, methods_of(collected.runs, store.level_names), lambda jobs: jobs)
    question = Question()
    verdicts = judge_students(found, question)
    assert [one.difference.row.name for one in verdicts] == ["KD at 5×"]
    said = notices_of(found, verdicts, question)
    assert said.warnings == tuple(notices(found, verdicts))
    told = assemble(found, store, question, verdicts, said)
    assert (told.lead, told.notices, told.verdicts) == (said.lead, said.warnings, verdicts)
    none = assemble(found, store, question, (), Notices("Nobody judged.", ()))
    assert (none.lead, none.notices, none.verdicts) == ("Nobody judged.", (), ())
    assert (none.margin, none.verdict_table) == (None, None)
