"""The jobs of an experiment are the paper's design, each behind what it needs."""

from dataclasses import replace
from pathlib import Path

from distill.experiment.file import Experiment
from distill.experiment.jobs import jobs

OUT = Path("/out")
PLAN = Experiment("s", "10x", ("5x", "1.25x"), distil_on=("train", "ADv2"), seeds=(0, 3))


def test_every_seed_has_a_teacher_and_every_level_a_baseline_and_a_student_of_each_set() -> None:
    found = jobs(PLAN, OUT)
    names = [job.name for job in found if not job.name.endswith("/evaluation")]
    each = ["teacher"]
    for level in ("5x", "1.25x"):
        each += [f"baseline-{level}", f"kd-{level}-train", f"kd-{level}-ADv2"]
    assert names == [f"seed-{seed}/{name}" for seed in (0, 3) for name in each]
    assert len(found) == 2 * len(names)
    seen: set[str] = set()
    for job in found:
        assert set(job.needs) <= seen
        seen.add(job.name)
    (student,) = (job for job in found if job.name == "seed-3/kd-1.25x-ADv2")
    assert " ".join(student.words) == (
        "train kd s --split main --out /out/seed-3/kd-1.25x-ADv2 --level 1.25x --seed 3 "
        "--teacher /out/seed-3/teacher --subset ADv2"
    )
    assert student.needs == ("seed-3/teacher",)


def test_recipes_share_the_targets_that_they_can_share() -> None:
    recipes = {"kd": {}, "soft": {"pixel-weight": 0}, "at": {"attention-weight": 2}}
    recipes["smooth"] = {"resize": "bicubic-antialias"}
    found = jobs(replace(PLAN, views=4, kd=recipes, seeds=(1,), students=("5x",)), OUT)
    needs = {job.name: job.needs for job in found}
    assert needs["seed-1/kd-5x-train"] == needs["seed-1/soft-5x-ADv2"] == ("seed-1/targets-5x",)
    assert needs["seed-1/at-5x-train"] == ("seed-1/targets-5x-attention",)
    assert needs["seed-1/smooth-5x-train"] == ("seed-1/targets-5x-bicubic-antialias",)
    words = {job.name: " ".join(job.words) for job in found}
    assert "--subset train+ADv2 --student-level 5x --views 4" in words["seed-1/targets-5x"]
    assert words["seed-1/targets-5x-attention"].endswith("--attention")
    assert "--targets /out/seed-1/targets-5x " in words["seed-1/soft-5x-ADv2"]
    assert words["seed-1/soft-5x-ADv2"].endswith("--subset ADv2 --pixel-weight 0")


def test_options_become_words() -> None:
    train = {"epochs": 2, "log": ["wandb", "mlflow"], "kd": {"preset": "dipalma2021"}}
    plan = replace(PLAN, seeds=(0,), train=train, evaluate={"paper_accuracy": True}, finetune=True)
    words = {job.name: " ".join(job.words) for job in jobs(plan, OUT)}
    assert words["seed-0/teacher"].endswith("--seed 0 --epochs 2 --log wandb --log mlflow")
    assert words["seed-0/kd-5x-train"].endswith("--log mlflow --preset dipalma2021")
    assert words["seed-0/teacher/evaluation"].endswith("--subset test --paper-accuracy")
    tuned = words["seed-0/kd-5x-train-finetuned"]
    assert "--level" not in tuned
    assert "train finetune s --split main" in tuned
    assert "--student /out/seed-0/kd-5x-train --epochs 2" in tuned
