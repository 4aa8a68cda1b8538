"""The jobs of an experiment are the paper's design, each behind what it needs."""

from dataclasses import replace
from pathlib import Path

import pytest

from distill.cli.experiment.config import Experiment
from distill.cli.experiment.jobs import jobs
from distill.errors import UsageError
from distill.training.presets import DIPALMA2021, PRESETS

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
    recipes["same"] = {"resize": "bicubic+max"}
    recipes["appendix"] = {"resize": "nearest+average"}
    found = jobs(replace(PLAN, views=4, kd=recipes, seeds=(1,), students=("5x",)), OUT)
    needs = {job.name: job.needs for job in found}
    assert needs["seed-1/kd-5x-train"] == needs["seed-1/soft-5x-ADv2"] == ("seed-1/targets",)
    assert needs["seed-1/at-5x-train"] == ("seed-1/targets-attention",)
    assert needs["seed-1/smooth-5x-train"] == ("seed-1/targets-bicubic-antialias",)
    assert needs["seed-1/same-5x-train"] == ("seed-1/targets",)
    assert needs["seed-1/appendix-5x-train"] == ("seed-1/targets-average+nearest",)
    words = {job.name: " ".join(job.words) for job in found}
    assert "--subset train+ADv2 --student-level 5x --views 4" in words["seed-1/targets"]
    assert words["seed-1/targets-attention"].endswith(
        "--out /out/seed-1/targets-{level}-attention --attention"
    )
    assert "--targets /out/seed-1/targets-5x " in words["seed-1/soft-5x-ADv2"]
    assert words["seed-1/soft-5x-ADv2"].endswith("--subset ADv2 --pixel-weight 0")


def test_targets_hold_plain_views_of_the_set_that_validates() -> None:
    recipes = {"kd": {}, "dev": {"val-subset": "dev"}}
    plan = replace(PLAN, views=4, kd=recipes, seeds=(1,), students=("5x",), distil_on=("train",))
    found = {job.name: job for job in jobs(plan, OUT)}
    assert found["seed-1/dev-5x-train"].needs == ("seed-1/targets-dev",)
    assert "--plain-subset dev" in " ".join(found["seed-1/targets-dev"].words)
    assert "--plain-subset" not in found["seed-1/targets"].words
    everywhere = replace(plan, train={"val-subset": "dev"}, kd={"kd": {}})
    words = {job.name: " ".join(job.words) for job in jobs(everywhere, OUT)}
    assert words["seed-1/teacher"].endswith("--val-subset dev")
    assert "--plain-subset dev" in words["seed-1/targets-dev"]


def test_what_a_preset_says_of_targets_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    paper = DIPALMA2021.distillation
    attends = replace(paper.criterion, attention_weight=1.0)
    smooth = replace(paper, resize=("bicubic-antialias",), criterion=attends)
    monkeypatch.setitem(PRESETS, "smooth", replace(DIPALMA2021, distillation=smooth))
    recipes: dict[str, dict[str, object]] = {
        "paper": {"preset": "dipalma2021"},
        "preset": {"preset": "smooth"},
        "said": {"preset": "smooth", "resize": "max+bicubic", "attention-weight": 0},
    }
    plan = replace(PLAN, views=4, kd=recipes, seeds=(1,), students=("5x",), distil_on=("train",))
    needs = {job.name: job.needs for job in jobs(plan, OUT)}
    assert needs["seed-1/paper-5x-train"] == needs["seed-1/said-5x-train"] == ("seed-1/targets",)
    assert needs["seed-1/preset-5x-train"] == ("seed-1/targets-bicubic-antialias-attention",)


def test_a_teacher_looks_once_for_all_levels_whose_targets_are_of_one_kind() -> None:
    recipes = {
        "kd": {"students": ["5x"]},
        "soft": {"pixel-weight": 0, "students": ["2.5x"], "distil-on": ["ADv1"]},
        "many": {"views": 30},
        "online": {"views": 0, "distil_on": ["train"]},
    }
    plan = replace(PLAN, views=4, kd=recipes, seeds=(1,))
    found = {job.name: job for job in jobs(plan, OUT)}
    taught = [name for name, job in found.items() if job.words[0] == "teach"]
    assert taught == ["seed-1/targets", "seed-1/targets-views30"]
    shared, many = (found[name] for name in taught)
    assert " ".join(shared.words) == (
        "teach /out/seed-1/teacher s --split main --subset train+ADv2+ADv1 --student-level 5x "
        "--student-level 2.5x --views 4 --seed 1 --out /out/seed-1/targets-{level}"
    )
    assert (shared.made, *shared.more) == (OUT / "seed-1/targets-5x", OUT / "seed-1/targets-2.5x")
    assert "--student-level 5x --student-level 1.25x --views 30" in " ".join(many.words)
    names = [name for name, job in found.items() if job.words[:2] == ("train", "kd")]
    assert names == [
        "seed-1/kd-5x-train",
        "seed-1/kd-5x-ADv2",
        "seed-1/many-5x-train",
        "seed-1/many-5x-ADv2",
        "seed-1/online-5x-train",
        "seed-1/many-1.25x-train",
        "seed-1/many-1.25x-ADv2",
        "seed-1/online-1.25x-train",
        "seed-1/soft-2.5x-ADv1",
    ]
    assert "--targets /out/seed-1/targets-5x-views30 " in " ".join(found[names[2]].words)
    assert "--teacher /out/seed-1/teacher " in " ".join(found["seed-1/online-5x-train"].words)
    assert not any("--views" in found[name].words for name in names)


def test_targets_are_done_when_all_levels_are_there(tmp_path: Path) -> None:
    plan = replace(PLAN, views=4, seeds=(0,))
    (taught,) = (job for job in jobs(plan, tmp_path) if job.words[0] == "teach")
    (tmp_path / "seed-0/targets-5x").mkdir(parents=True)
    assert not taught.done
    (tmp_path / "seed-0/targets-1.25x").mkdir()
    assert taught.done


def test_further_baselines_stand_beside_the_plain_one() -> None:
    tables = {"long": {"epochs": 180}, "one": {"students": ["2.5x"]}}
    plan = replace(PLAN, seeds=(0,), train={"epochs": 60, "lr": 0.1}, baseline=tables)
    words = {job.name: " ".join(job.words) for job in jobs(plan, OUT)}
    assert [name for name in words if " train baseline " in f" {words[name]}"] == [
        "seed-0/baseline-5x",
        "seed-0/long-5x",
        "seed-0/baseline-1.25x",
        "seed-0/long-1.25x",
        "seed-0/one-2.5x",
    ]
    assert words["seed-0/long-5x"].endswith("--level 5x --seed 0 --epochs 180 --lr 0.1")
    assert words["seed-0/one-2.5x"].endswith("--level 2.5x --seed 0 --epochs 60 --lr 0.1")
    assert "seed-0/long-5x/evaluation" in words


def test_two_runs_of_one_folder_are_refused() -> None:
    plan = replace(PLAN, kd={"a": {"distil-on": ["x-5x-train"]}, "a-5x-x": {}})
    with pytest.raises(UsageError, match="make seed-0/a-5x-x-5x-train; give one of them another"):
        jobs(plan, OUT)


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


def test_targets_are_made_for_the_network_and_the_draws_of_their_students() -> None:
    plan = replace(
        PLAN,
        views=4,
        seeds=(1,),
        distil_on=("train",),
        train={"network": "timm/some_net", "weights": "w.pth"},
        level={"1.25x": {"enlarge": 4}},
        kd={"kd": {}, "dull": {"hue": 0.1, "students": ["5x"]}},
    )
    found = {job.name: job for job in jobs(plan, OUT)}
    taught = {name: " ".join(job.words) for name, job in found.items() if job.words[0] == "teach"}
    of_network = "-network-timm-some_net"
    assert list(taught) == [
        f"seed-1/targets{of_network}",
        f"seed-1/targets{of_network}-hue-0.1",
        f"seed-1/targets{of_network}-enlarge-4",
    ]
    assert "--student-level 5x --views" in taught[f"seed-1/targets{of_network}"]
    assert taught[f"seed-1/targets{of_network}-enlarge-4"].endswith(
        f"--student-level 1.25x --views 4 --seed 1 --out /out/seed-1/targets-{{level}}{of_network}"
        "-enlarge-4 --network timm/some_net --enlarge 4"
    )
    student = found["seed-1/kd-1.25x-train"]
    assert student.needs == (f"seed-1/targets{of_network}-enlarge-4",)
    assert f"--targets /out/seed-1/targets-1.25x{of_network}-enlarge-4 " in " ".join(student.words)
    said = replace(plan, teach={"network": "timm/some_net"}, kd={"kd": {}}, level={})
    assert "seed-1/targets" in {job.name for job in jobs(said, OUT)}
