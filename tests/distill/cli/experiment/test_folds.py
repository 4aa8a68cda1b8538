"""An experiment over the folds of a cross-validation."""

import csv
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

import wsistore
from distill.cli.experiment.config import Experiment, read
from distill.cli.experiment.jobs import jobs, pools
from distill.errors import UsageError
from tests.distill.commands import distill, done
from wsistore.cli.main import main

OUT = Path("/out")
PLAN = Experiment("s", "10x", ("5x",), folds="cv", seeds=(0, 3), views=2, finetune=True)
DESIGN = """
store = "store"
folds = "cv"
teacher = "5x"
students = ["1.25x"]
[train]
epochs = 1
accumulate = 4
[evaluate]
draws = 100
"""


def test_every_fold_has_the_jobs_of_an_experiment_of_its_split() -> None:
    found = jobs(PLAN, OUT, ["cv-0", "cv-1"])
    names, words = {job.name for job in found}, {job.name: " ".join(job.words) for job in found}
    own = {job.name for job in jobs(PLAN, OUT)}
    assert names == {f"{split}/{name}" for split in ("cv-0", "cv-1") for name in own}
    seen: set[str] = set()
    for job in found:
        assert set(job.needs) <= seen
        seen.add(job.name)
    assert "--split cv-1 --out /out/cv-1/seed-3/teacher" in words["cv-1/seed-3/teacher"]
    assert "--targets /out/cv-0/seed-0/targets-5x" in words["cv-0/seed-0/kd-5x-train"]
    (scored,) = (one for one in found if one.name == "cv-1/seed-0/teacher/evaluation")
    assert scored.made == OUT / "cv-1/seed-0/teacher/evaluation/cv-1-test/metrics.json"


def test_every_method_is_pooled_and_compared_with_the_baseline_of_its_level() -> None:
    found = pools(PLAN, OUT, ["cv-0", "cv-1"])
    named = {Path(words[words.index("--out") + 1]).name: words for words in found}
    assert list(named) == ["baseline-5x", "teacher", "kd-5x-train", "kd-5x-train-finetuned"]
    runs = [f"/out/{split}/seed-{seed}/teacher" for seed in (0, 3) for split in ("cv-0", "cv-1")]
    assert list(named["teacher"][1:5]) == runs
    against = {name: words[-2:] for name, words in named.items() if "--minus" in words}
    assert against == dict.fromkeys(
        ("kd-5x-train", "kd-5x-train-finetuned"), ("--minus", "/out/pooled/baseline-5x")
    )


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ('split = "main"\n', "has split and folds"),
        ('[report]\nfolds = "cv"\n', "report has no option folds"),
    ],
)
def test_what_does_not_go_together(tmp_path: Path, more: str, message: str) -> None:
    path = tmp_path / "design.toml"
    least = 'store = "s"\nteacher = "10x"\nstudents = ["5x"]\nfolds = "cv"\n'
    path.write_text(least + more)
    with pytest.raises(UsageError, match=message):
        read(path)


def test_three_folds_of_the_sample_cohort_from_the_file_to_the_page(tmp_path: Path) -> None:
    def wsi(*words: object) -> None:
        made = CliRunner().invoke(main, [str(word) for word in words])
        assert made.exit_code == 0, made.output

    slides, store, out = tmp_path / "slides", tmp_path / "store", tmp_path / "out"
    wsi("sample", slides, "--patients", 9, "--size", 2048, "--unlabelled", 0, "--workers", 1)
    table, levels = slides / "labels.csv", "5x,1.25x"
    wsi("build", slides, "--out", store, "--labels", table, "--levels", levels, "--workers", 1)
    design = tmp_path / "design.toml"
    design.write_text(DESIGN)
    result = distill("experiment", design, "--out", out, "--dry-run")
    assert "split 'cv' has no folds" in result.output
    wsi("split", store, "--name", "cv", "--folds", 3)
    # its commands one by one, in this process; then the experiment finds them done
    lines = done("experiment", design, "--out", out, "--dry-run").output.splitlines()
    assert len(lines) == 3 * 3 * 2 + 3 + 1
    for line in lines[:-4]:
        done(*shlex.split(line)[1:], "--device", "cpu")
    shown = done("experiment", design, "--out", out, "--jobs", 1, "--device", "cpu").output
    assert "all 18 jobs done" in shown
    page = (out / "pooled" / "report.md").read_text()
    patients = wsistore.open(store).crops["patient"].nunique()
    assert f"{patients} patients, " in page
    with (out / "pooled" / "differences.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert (row["method"], row["minus"]) == ("kd-1.25x-train", "baseline-1.25x")
    with (out / "pooled" / "folds.csv").open() as file:
        folds = [one["split"] for one in csv.DictReader(file)]
    assert folds == ["cv-0", "cv-1", "cv-2"] * 3
    report = (out / "report" / "report.md").read_text()
    assert "cross-validation cv, 3 folds" in report
