"""Recipes other than the paper's: resumed is uninterrupted, bit for bit."""

import json
from pathlib import Path

import pytest
from safetensors import safe_open

from distill.runs.resume import LATER
from distill.runs.writer import RunWriter
from distill.settings import recorded
from distill.training import TrainingOptions
from tests.distill.commands import QUICK, done
from tests.distill.commands import distill as run
from tests.distill.commands import train as train_run

BITWISE = ("weights.safetensors", "weights.json", "checkpoint.safetensors", "outcome.json")
LEVEL = ("--level", "2.5x", "--epochs", "3")
RECIPES = {
    "adamw": ("--optimizer", "adamw", "--weight-decay", "0.05"),
    "sgd": ("--optimizer", "sgd", "--lr", "0.01"),
    "sgd, no momentum": ("--optimizer", "sgd", "--momentum", "0"),
    "cosine": ("--schedule", "cosine", "--warmup-epochs", "1"),
    "step": ("--schedule", "step", "--step-epochs", "1", "--step-factor", "0.5"),
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
    ours = {key: value for key, value in LATER.items() if key in now}
    assert {"optimizer", "momentum", "lr_schedule", "clip_norm", "ema"} <= ours.keys()
    assert ours == {key: now[key] for key in ours}


def test_momentum_without_sgd_is_refused(real_store: Path, tmp_path: Path) -> None:
    words = ("train", "baseline", real_store, "--out", tmp_path / "run", *QUICK, *LEVEL)
    found = run(*words, "--momentum", "0.5")
    assert found.exit_code == 2
    assert "--momentum has no effect with --optimizer adam" in found.output
