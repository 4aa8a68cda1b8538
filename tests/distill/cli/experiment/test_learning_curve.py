"""An experiment over numbers of labelled patients."""

import csv
import shlex
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

import wsistore
from distill.cli.experiment.config import Experiment
from distill.cli.experiment.jobs import curve_runs, jobs
from distill.evaluation import resampling, scoring
from distill.evaluation.metrics.bootstrap import percentiles
from distill.evaluation.predictions import Predictions
from tests.distill.commands import distill, done
from wsistore.cli.main import main

OUT = Path("/out")
PLAN = Experiment(
    "s", "10x", ("5x",), labeled_patients=(5, "all"), seeds=(0, 2), distil_on=("train", "labeled")
)
DESIGN = """
store = "store"
split = "curve"
labeled_patients = [3, 6]
teacher = "5x"
students = ["1.25x"]
[train]
epochs = 1
accumulate = 4
[evaluate]
draws = 100
"""


def test_labels_come_from_the_labelled_set_and_students_see_all_crops() -> None:
    found = {job.name: job for job in jobs(PLAN, OUT)}
    words = {name: " ".join(job.words) for name, job in found.items()}
    trained = [name for name in words if words[name].startswith("train")]
    each = ["teacher", "baseline-5x", "kd-5x-train", "kd-5x-labeled"]
    assert trained == [
        f"{folder}/seed-{seed}/{name}"
        for seed in (0, 2)
        for folder in ("L5", "all")
        for name in each
    ]
    ending = {name: words[name].partition(" --level ")[2] for name in trained}
    assert ending["L5/seed-2/teacher"] == "10x --seed 2 --subset L5-2"
    assert ending["L5/seed-0/baseline-5x"] == "5x --seed 0 --subset L5"
    taught = "--teacher /out/L5/seed-2/teacher --subset"
    assert ending["L5/seed-2/kd-5x-train"] == f"5x --seed 2 {taught} train"
    assert ending["L5/seed-2/kd-5x-labeled"] == f"5x --seed 2 {taught} L5-2"
    assert ending["all/seed-2/teacher"] == "10x --seed 2"
    assert ending["all/seed-0/kd-5x-labeled"].endswith("--subset train")
    assert found["L5/seed-2/kd-5x-train"].needs == ("L5/seed-2/teacher",)
    seen: set[str] = set()
    for job in found.values():
        assert set(job.needs) <= seen
        seen.add(job.name)


def test_few_labels_have_as_many_updates_by_more_epochs() -> None:
    plan = replace(PLAN, times={"L5": 6.0, "L5-2": 4.5}, train={"epochs": 10}, finetune=True)
    words = {job.name: " ".join(job.words) for job in jobs(plan, OUT)}
    epochs = {name: text.partition("--epochs ")[2] for name, text in words.items()}
    assert (epochs["L5/seed-0/teacher"], epochs["L5/seed-2/teacher"]) == ("60", "45")
    assert (epochs["L5/seed-0/kd-5x-train"], epochs["L5/seed-2/kd-5x-labeled"]) == ("10", "45")
    assert epochs["L5/seed-0/kd-5x-train-finetuned"] == "60"
    assert epochs["all/seed-0/teacher"] == "10"


def test_stored_targets_hold_the_sets_that_are_distilled_on() -> None:
    plan = replace(PLAN, views=3, distil_on=("labeled",), seeds=(2,))
    words = {job.name: " ".join(job.words) for job in jobs(plan, OUT)}
    assert "--subset L5-2 --student-level" in words["L5/seed-2/targets"]
    assert "--targets /out/L5/seed-2/targets-5x --subset L5-2" in words["L5/seed-2/kd-5x-labeled"]


def test_runs_know_their_method_and_level() -> None:
    plan = replace(PLAN, baseline={"long": {}}, kd={"soft-5": {}}, finetune=True, seeds=(2,))
    found = curve_runs(plan, OUT)
    assert [one.path for one in found] == [
        job.made.parent for job in jobs(plan, OUT) if job.begun is not None
    ]
    assert {(one.method, one.level) for one in found} == {
        ("teacher", "10x"),
        ("baseline", "5x"),
        ("long", "5x"),
        ("soft-5-train", "5x"),
        ("soft-5-train-finetuned", "5x"),
        ("soft-5-labeled", "5x"),
        ("soft-5-labeled-finetuned", "5x"),
    }
    assert {(one.patients, one.seed) for one in found} == {(5, 2), ("all", 2)}


@pytest.fixture
def store(tmp_path: Path) -> Path:
    def wsi(*words: object) -> None:
        made = CliRunner().invoke(main, [str(word) for word in words])
        assert made.exit_code == 0, made.output

    slides, store = tmp_path / "slides", tmp_path / "store"
    wsi("sample", slides, "--patients", 15, "--size", 2048, "--unlabelled", 0, "--workers", 1)
    table, levels = slides / "labels.csv", "5x,1.25x"
    wsi("build", slides, "--out", store, "--labels", table, "--levels", levels, "--workers", 1)
    wsi("split", store, "--name", "plain")
    wsi("split", store, "--name", "curve", "--counts", "2/1/2", "--labeled-patients", "3,6")
    return store


def test_two_numbers_from_the_file_to_the_page(store: Path, tmp_path: Path) -> None:
    design, out = tmp_path / "design.toml", tmp_path / "out"
    design.write_text(DESIGN.replace("curve", "plain"))
    refused = distill("experiment", design, "--out", out, "--dry-run")
    assert refused.exit_code == 1
    assert "has no 'L3'" in refused.output
    assert "wsistore split --labeled-patients 3,6 --labeled-draws 1'" in refused.output
    design.write_text(DESIGN)
    # its commands one by one, in this process; then the experiment finds them done
    lines = done("experiment", design, "--out", out, "--dry-run").output.splitlines()
    assert len(lines) == 2 * 3 * 2
    few = next(line for line in lines if "L3/seed-0/teacher " in f"{line} ")
    crops = {n: len(wsistore.open(store).subset("curve", n)) for n in ("train", "L3")}
    assert f"--epochs {round(crops['train'] / crops['L3'])} " in few
    for line in lines:
        done(*shlex.split(line)[1:], "--device", "cpu")
    shown = done("experiment", design, "--out", out, "--jobs", 1, "--device", "cpu").output
    assert "all 12 jobs done" in shown
    folder = out / "learning-curve"
    assert f"{folder / 'report.md'}" in shown
    assert "At 1.25×, with 3 labelled patients, kd-train: the baseline" in shown
    with (folder / "curve.csv").open() as file:
        rows = [one for one in csv.DictReader(file) if one["score"] == "overall_accuracy"]
    assert len(rows) == 2 * 3
    for row in rows:
        name = row["method"] if row["method"] == "teacher" else "baseline-1.25x"
        name = "kd-1.25x-train" if row["method"] == "kd-train" else name
        run = out / f"L{row['labeled_patients']}" / "seed-0" / name
        answers = Predictions.read(run / "evaluation" / "curve-test" / "predictions.csv")
        right = answers.table["label"] == [answers.classes[k] for k in answers.predicted]
        assert float(row["value"]) == pytest.approx(right.mean(), abs=1e-12)
        (drawn,) = resampling.bootstrap_scores(scoring.cases([answers])[0], "patient", 100, 0)
        ends = [float(row[end]) for end in ("low", "high")]
        assert ends == pytest.approx(percentiles(drawn["overall accuracy"]).tolist(), abs=1e-12)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    done("experiment", design, "--out", out, "--jobs", 1, "--device", "cpu")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
