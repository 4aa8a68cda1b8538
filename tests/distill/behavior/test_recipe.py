"""Recipes other than the paper's: resumed is uninterrupted, bit for bit."""

import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from distill.engine import LabelSettings
from distill.runs.resume import LATER
from distill.runs.writer import RunWriter
from distill.settings import recorded
from distill.training import TrainingOptions, recipe, tracked
from tests.distill.commands import QUICK, done
from tests.distill.commands import distill as run
from tests.distill.commands import train as train_run
from tests.distill.test_distributed import torchrun

BITWISE = ("weights.safetensors", "weights.json", "checkpoint.safetensors", "outcome.json")
LEVEL = ("--level", "2.5x", "--epochs", "3")
RECIPES = {
    "adamw": ("--optimizer", "adamw", "--weight-decay", "0.05"),
    "sgd": ("--optimizer", "sgd", "--lr", "0.01"),
    "sgd, no momentum": ("--optimizer", "sgd", "--momentum", "0"),
    "cosine": ("--schedule", "cosine", "--warmup-epochs", "1"),
    "step": ("--schedule", "step", "--step-epochs", "1", "--step-factor", "0.5"),
    "head": ("--head-lr", "0.01", "--schedule", "cosine", "--ema", "0.9"),
    "labels": ("--label-smoothing", "0.1", "--class-weights", "balanced"),
    "balanced": ("--sampling", "balanced"),
    "stains": ("--hed-jitter", "0.05", "--hue", "0", "--no-flips"),
    "clipped average": ("--clip-norm", "0.5", "--ema", "0.9"),
}


def lines(folder: Path) -> list[dict[str, object]]:
    found = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key != "seconds"} for line in found]


def stop_after(monkeypatch: pytest.MonkeyPatch, epoch: int) -> None:
    """Interrupt every training when this epoch has been published."""
    real = RunWriter.epoch

    def interrupted(self: RunWriter, record: dict[str, int], *rest: object) -> None:
        real(self, record, *rest)  # type: ignore[arg-type]
        if record["epoch"] == epoch:
            raise KeyboardInterrupt

    monkeypatch.setattr(RunWriter, "epoch", interrupted)


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_resumed_is_uninterrupted(
    real_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    words = (*LEVEL, *RECIPES[name])
    train_run("baseline", real_store, whole, *words)
    with monkeypatch.context() as patch:
        stop_after(patch, 2)
        stopped = run("train", "baseline", real_store, "--out", cut, *QUICK, *words)
    assert stopped.exit_code == 130, stopped.output
    result = train_run("baseline", real_store, cut, *words, "--resume")
    assert "resuming after epoch 2" in result.output
    assert lines(cut) == lines(whole)
    for file in BITWISE:
        assert (cut / file).read_bytes() == (whole / file).read_bytes(), file


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_a_head_of_the_same_rate_learns_the_same(
    real_store: Path, tmp_path: Path, optimizer: str
) -> None:
    """Also with a gradient that is clipped over both groups, and an average of both."""
    words = (*LEVEL, "--optimizer", optimizer, "--lr", "0.01", "--clip-norm", "0.5", "--ema", "0.9")
    train_run("baseline", real_store, tmp_path / "one", *words)
    train_run("baseline", real_store, tmp_path / "two", *words, "--head-lr", "0.01")
    train_run("baseline", real_store, tmp_path / "other", *words, "--head-lr", "0.02")
    one, two, other = (tmp_path / name for name in ("one", "two", "other"))
    for file in ("weights.safetensors", "checkpoint.safetensors"):
        assert (two / file).read_bytes() == (one / file).read_bytes(), file
        assert (other / file).read_bytes() != (one / file).read_bytes(), file
    assert json.loads((one / "config.json").read_text())["head_lr"] is None
    assert json.loads((two / "config.json").read_text())["head_lr"] == 0.01


def test_only_the_head_learns_behind_a_frozen_backbone(real_store: Path, tmp_path: Path) -> None:
    """So its own rate is the only one, and --lr does nothing."""
    words = (*LEVEL, "--freeze", "backbone", "--head-lr", "0.01")
    found = []
    for rate in ("0.1", "0.0001"):
        out = tmp_path / rate
        train_run("baseline", real_store, out, *words, "--lr", rate)
        found.append((out / "weights.safetensors").read_bytes())
    assert found[0] == found[1]
    train_run("baseline", real_store, tmp_path / "x", *words[:-1], "0.02", "--lr", "0.1")
    assert (tmp_path / "x" / "weights.safetensors").read_bytes() != found[0]


def test_another_recipe_is_not_resumed(
    real_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "run"
    words = ("train", "baseline", real_store, "--out", out, *QUICK, *LEVEL)
    with monkeypatch.context() as patch:
        stop_after(patch, 1)
        run(*words)
    found = run(*words, "--optimizer", "sgd", "--resume")
    assert found.exit_code == 2
    assert "optimizer was adam and is sgd" in found.output
    assert "momentum was None and is 0.9" in found.output
    with safe_open(out / "checkpoint.safetensors", framework="pt") as file:
        assert "optimiser" not in file.metadata()
    done(*words, "--resume")


def test_what_older_runs_do_not_record_is_the_default() -> None:
    """Keys that came later: each is a setting whose default older runs had."""
    now = recorded(TrainingOptions(store="s", level="5x", out=Path("o")))
    now |= recorded(LabelSettings())
    ours = {key: value for key, value in LATER.items() if key in now}
    assert {
        "optimizer",
        "momentum",
        "lr_schedule",
        "clip_norm",
        "head_lr",
        "ema",
        "sampling",
        "hue",
    } <= ours.keys()
    assert ours == {key: now[key] for key in ours}


def test_momentum_without_sgd_is_refused(real_store: Path, tmp_path: Path) -> None:
    words = ("train", "baseline", real_store, "--out", tmp_path / "run", *QUICK, *LEVEL)
    found = run(*words, "--momentum", "0.5")
    assert found.exit_code == 2
    assert "--momentum has no effect with --optimizer adam" in found.output


EVERYTHING = (
    "--optimizer", "adamw", "--schedule", "cosine", "--warmup-epochs", "1", "--clip-norm", "0.5",
    "--ema", "0.9", "--head-lr", "0.01", "--label-smoothing", "0.1", "--sampling", "balanced",
)  # fmt: skip


def test_two_processes_train_what_one_trains(real_store: Path, tmp_path: Path) -> None:
    words = (*LEVEL, *EVERYTHING, "--accumulate", "3", "--batch-pixels", "0")
    train_run("baseline", real_store, tmp_path / "one", *words)
    done = torchrun("train", "baseline", real_store, "--out", tmp_path / "two", *QUICK, *words)
    assert done.returncode == 0, done.stderr
    one, two = (load_file(tmp_path / name / "checkpoint.safetensors") for name in ("one", "two"))
    assert one.keys() == two.keys()
    assert any(name.startswith("average_network/") for name in one)
    for name, value in one.items():
        torch.testing.assert_close(two[name], value, rtol=1e-6, atol=1e-9, msg=name)
    for a, b in zip(lines(tmp_path / "one"), lines(tmp_path / "two"), strict=True):
        assert a["lr"] == b["lr"]


def test_a_student_is_averaged_with_its_projection(real_store: Path, tmp_path: Path) -> None:
    """And has no option of labels, for it reads none."""
    train_run("teacher", real_store, tmp_path / "teacher", "--level", "10x", *EVERYTHING)
    config = json.loads((tmp_path / "teacher" / "config.json").read_text())
    assert recipe(config)["label_smoothing"] == tracked(config)["label_smoothing"]
    words = (*LEVEL, "--teacher", tmp_path / "teacher", *EVERYTHING[:-4])
    train_run("kd", real_store, tmp_path / "kd", *words)
    kept = load_file(tmp_path / "kd" / "weights.safetensors")
    held = load_file(tmp_path / "kd" / "checkpoint.safetensors")
    last = json.loads((tmp_path / "kd" / "weights.json").read_text())["epoch"] == 3
    averaged = [torch.equal(held[f"average_network/{name}"], kept[name]) for name in kept]
    assert all(averaged) == last
    for option in ("--label-smoothing", "--class-weights", "--sampling"):
        assert option not in run("train", "kd", "--help").output
        assert option in run("train", "finetune", "--help").output


def test_weights_of_classes_are_checked_and_on_record(real_store: Path, tmp_path: Path) -> None:
    words = ("train", "baseline", real_store, "--out", tmp_path / "run", *QUICK, *LEVEL)
    for asked, said in {
        "coarse=2": "give each class once, which are coarse, fine",
        "coarse=2,fine=0": "fine=0 is not CLASS=W with a number W above 0",
    }.items():
        found = run(*words, "--class-weights", asked)
        assert found.exit_code == 2
        assert said in found.output
    both = run(*words, "--class-weights", "balanced", "--sampling", "balanced")
    assert (both.exit_code, "twice; give one" in both.output) == (2, True)
    assert not (tmp_path / "run").exists()
    done(*words, "--class-weights", "balanced")
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    # three coarse crops and two fine ones
    assert config["class_weight_values"] == {"coarse": 5 / (2 * 3), "fine": 5 / (2 * 2)}
    assert config["class_weights"] == recipe(config)["class_weights"] == "balanced"


JITTER = ("--hed-jitter", "0.05", "--brightness", "0.2", "--no-flips")


def test_stored_targets_hold_the_augmentation(real_store: Path, tmp_path: Path) -> None:
    """Taught with its options, a student learns what it learns from the teacher itself."""
    teacher, targets = tmp_path / "teacher", tmp_path / "targets"
    train_run("teacher", real_store, teacher, "--level", "10x")
    words = ("--student-level", "2.5x", "--views", "3", "--device", "cpu", "--threads", "1")
    done("teach", teacher, real_store, "--out", targets, *words, *JITTER)
    assert "hematoxylin_scale" in (targets / "draws.csv").read_text().splitlines()[0]
    train_run("kd", real_store, tmp_path / "online", *LEVEL, "--teacher", teacher, *JITTER)
    train_run("kd", real_store, tmp_path / "stored", *LEVEL, "--targets", targets, *JITTER)
    train_run("kd", real_store, tmp_path / "usual", *LEVEL, "--teacher", teacher)
    online, stored, usual = (
        load_file(tmp_path / name / "checkpoint.safetensors")["network/stem.conv.weight"]
        for name in ("online", "stored", "usual")
    )
    torch.testing.assert_close(stored, online, rtol=1e-4, atol=1e-6)
    assert not torch.allclose(usual, online, rtol=1e-4, atol=1e-6)
    out = ("--out", tmp_path / "other", *QUICK, *LEVEL)
    refused = run("train", "kd", real_store, "--targets", targets, *out, "--hed-jitter", "0.05")
    assert refused.exit_code == 2
    said = " ".join(refused.output.split())
    assert "was drawn with brightness 0.2, not 0.5; no_flips True, not False" in said
    config = json.loads((tmp_path / "stored" / "config.json").read_text())
    assert (config["hed_jitter"], config["hue"]) == (0.05, 0.2)
    assert recipe(config)["no_flips"] is True
    assert config["targets"]["draws"]["augmentation"]["hed_jitter"] == 0.05
