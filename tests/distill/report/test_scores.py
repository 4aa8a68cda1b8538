"""Numbers of rows are those of metrics.json, differences those of `distill evaluate`."""

import json
from pathlib import Path

import pytest

import wsistore
from distill.evaluation import scoring
from distill.evaluation.scores import ScoreTable, score_columns
from distill.report.evaluations import collect
from distill.report.methods import methods_of
from distill.report.scores import Measured, measure
from tests.distill.report.fabricate import QUICK, make_run, make_store, taught_by


def measured(folder: Path, *names: str) -> Measured:
    store = wsistore.open(folder / "store")
    collected = collect([folder / name for name in names], store, "main", "test")
    return measure(collected, methods_of(collected.runs, store.level_names), lambda jobs: jobs)


@pytest.fixture(scope="module")
def single(made: Path) -> Measured:
    return measured(made, "teacher", "baseline-1.25x-0", "kd-train-1.25x-0", "kd-aux1-2.5x-0")


def test_a_row_of_one_run_has_the_numbers_of_its_metrics_json(made: Path, single: Measured) -> None:
    for row in single.rows:
        file = made / row.runs[0].name / "evaluation" / "main-test" / "metrics.json"
        metrics = json.loads(file.read_text())
        for kind in ("slides", "patients"):
            assert single.blocks[row.name][kind] == metrics[kind]
        for group in ("macro", "overall", "per_class"):
            assert single.blocks[row.name]["crops"][group] == metrics[group]


def test_differences_of_single_runs_are_those_of_distill_evaluate(single: Measured) -> None:
    runs = {one.name: one.answers for one in single.collected.runs}
    found = {(one.row.runs[0].name, one.others[0].name): one for one in single.to_teacher}
    assert set(found) == {
        ("baseline-1.25x-0", "teacher"), ("kd-train-1.25x-0", "teacher"),
        ("kd-aux1-2.5x-0", "teacher"),
    }  # fmt: skip
    for (run, minus), one in found.items():
        assert one.blocks == scoring.difference(runs[run], runs[minus], QUICK)
    (against,) = single.to_baseline
    assert (against.row.name, against.minus) == ("KD at 1.25×", "Baseline at 1.25×")
    whole = scoring.difference(runs["kd-train-1.25x-0"], runs["baseline-1.25x-0"], QUICK)
    assert against.blocks == {"crops": whole["crops"]}
    assert single.orphans == ()


def test_several_seeds_are_means_and_compared_with_the_same_draws(made: Path) -> None:
    names = ("teacher", "baseline-1.25x-0", "baseline-1.25x-1", "kd-train-1.25x-0",
             "kd-train-1.25x-1")  # fmt: skip
    found = measured(made, *names)
    answers = {one.name: one.answers for one in found.collected.runs}
    assert [row.name for row in found.rows] == [
        "Baseline at 1.25×", "KD at 1.25×", "Teacher at 10×",
    ]  # fmt: skip
    students, baselines = ([answers[name] for name in pair] for pair in (names[3:], names[1:3]))
    assert found.to_baseline[0].blocks == scoring.mean_difference(
        students, baselines, QUICK, kinds=("crop",)
    )
    block = found.blocks["KD at 1.25×"]["crops"]
    for score in score_columns(ScoreTable.MACRO).values():
        values = [score.entry(one.metrics)["value"] for one in found.rows[1].runs]
        assert score.entry(block)["value"] == pytest.approx(sum(values) / 2, rel=1e-12)


def test_a_student_is_compared_with_its_own_teacher_and_no_other(tmp_path: Path) -> None:
    store = make_store(tmp_path / "store", patients=9)
    make_run(tmp_path / "t0", store, "teacher", "10x", 3.0)
    make_run(tmp_path / "t1", store, "teacher", "10x", 2.5, seed=1)
    own = taught_by(tmp_path / "t1")
    make_run(tmp_path / "kd", store, "kd", "5x", 2.0, **own)
    make_run(tmp_path / "tuned", store, "finetune", "5x", 2.1,
             student=taught_by(tmp_path / "kd")["teacher"])  # fmt: skip
    found = measured(tmp_path, "t0", "t1", "kd", "tuned")
    said = {one.row.label: (one.minus, [other.name for other in one.others])
            for one in found.to_teacher}  # fmt: skip
    assert said == {
        "KD": ("Teacher at 10× (t1)", ["t1"]),
        "KD, fine-tuned": ("Teacher at 10× (t1)", ["t1"]),
    }
    make_run(tmp_path / "kd1", store, "kd", "5x", 2.2, seed=1, **taught_by(tmp_path / "t0"))
    both = measured(tmp_path, "t0", "t1", "kd", "kd1")
    (pair,) = both.to_teacher
    assert (pair.minus, [one.name for one in pair.others]) == ("Teacher at 10×", ["t1", "t0"])
    make_run(tmp_path / "grandchild", store, "kd", "2.5x", 1.5, **taught_by(tmp_path / "kd"))
    later = measured(tmp_path, "kd", "grandchild")
    assert [(one.row.level, one.minus) for one in later.to_teacher] == [("2.5x", "KD at 5×")]
    assert [row.name for row in later.orphans] == ["KD at 5×"]
    alone = measured(tmp_path, "t0", "kd")
    assert alone.to_teacher == ()
    assert [row.name for row in alone.orphans] == ["KD at 5×"]
