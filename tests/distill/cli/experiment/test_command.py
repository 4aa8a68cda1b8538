"""The command line of an experiment, on a small store."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
import torch
from click.testing import Result

from distill.cli.experiment import command as experiment
from distill.runs.checkpoint import read_progress
from tests.events import DEADLINE, ended, wait_for_file, wait_until

PLAN = """
store = "{store}"
teacher = "10x"
students = ["2.5x"]
subset = "val"
[train]
epochs = 1
accumulate = 2
[kd]
[evaluate]
draws = 50
allow-training-patients = true
"""


@pytest.fixture
def plan(real_store: Path, tmp_path: Path) -> Path:
    path = tmp_path / "design.toml"
    path.write_text(PLAN.format(store=real_store))
    return path


def test_a_dry_run_prints_the_commands_and_runs_none(
    plan: Path, tmp_path: Path, distill: Callable[..., Result]
) -> None:
    plan.write_text(plan.read_text().replace("[kd]", "[kd.paper]"))
    result = distill("experiment", plan, "--out", tmp_path / "out", "--dry-run")
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert [line.split()[:3] for line in lines if " train " in line] == [
        ["distill", "train", phase] for phase in ("teacher", "baseline", "kd")
    ]
    assert lines[-1].startswith(f"distill report {tmp_path}/out/seed-0/teacher ")
    assert not (tmp_path / "out").exists()


def test_another_store_and_fewer_seeds_than_the_file_has(
    plan: Path, real_store: Path, tmp_path: Path, distill: Callable[..., Result]
) -> None:
    plan.write_text(
        plan.read_text()
        .replace(str(real_store), "nowhere")
        .replace("[train]", "seeds = 3\n[train]")
    )
    store = ("--store", real_store)
    given = ("experiment", plan, "--out", tmp_path / "out", "--dry-run")
    assert distill(*given).exit_code == 1
    result = distill(*given, *store, "--seeds", 2)
    assert result.exit_code == 0, result.output
    found = [line for line in result.output.splitlines() if " train teacher " in line]
    assert [line.partition(" --seed ")[2].split()[0] for line in found] == ["0", "1"]
    assert all(f" train teacher {real_store} " in line for line in found)
    assert len(distill(*given, *store).output.splitlines()) > len(result.output.splitlines())


def test_what_the_store_lacks_is_said_before_anything_runs(
    plan: Path, tmp_path: Path, distill: Callable[..., Result]
) -> None:
    for old, new, said in (
        ('["2.5x"]', '["2.5x", "1.25x"]', "no level 1.25x"),
        ('subset = "val"', 'subset = "test"', "has no 'test'"),
    ):
        other = tmp_path / "other.toml"
        other.write_text(plan.read_text().replace(old, new))
        result = distill("experiment", other, "--out", tmp_path / "out")
        assert result.exit_code == 1
        assert said in result.output
        assert not (tmp_path / "out").exists()


def test_a_teacher_and_a_baseline_from_the_file_to_the_report(
    plan: Path, tmp_path: Path, distill: Callable[..., Result]
) -> None:
    out = tmp_path / "out"
    result = distill("experiment", plan, "--out", out, "--jobs", 2, "--device", "cpu")
    assert result.exit_code == 0, result.output
    assert f"{out}: all 4 jobs done" in result.output
    for name in ("teacher", "baseline-2.5x"):
        config = json.loads((out / "seed-0" / name / "config.json").read_text())
        assert (config["epochs"], config["accumulate"], config["seed"]) == (1, 2, 0)
        assert (out / "seed-0" / name / "evaluation" / "main-val" / "metrics.json").exists()
    page = (out / "report" / "index.html").read_text()
    assert "Baseline" in page
    before = {path: path.stat().st_mtime_ns for path in (out / "seed-0").rglob("*.safetensors")}
    again = distill("experiment", plan, "--out", out, "--jobs", 2, "--device", "cpu")
    assert again.exit_code == 0, again.output
    assert {p: p.stat().st_mtime_ns for p in (out / "seed-0").rglob("*.safetensors")} == before
    plan.write_text(plan.read_text().replace("epochs = 1", "epochs = 2"))
    other = distill("experiment", plan, "--out", out)
    assert other.exit_code == 2
    assert "choose another --out" in other.output


def test_trainings_end_with_a_killed_experiment_and_the_same_call_goes_on(
    plan: Path, tmp_path: Path
) -> None:
    plan.write_text(plan.read_text().replace("epochs = 1", "epochs = 2000"))
    out = tmp_path / "out"
    command = [sys.executable, "-m", "distill.cli.main", "experiment", str(plan), "--out", str(out)]
    command += ["--jobs", "1", "--threads", "1", "--device", "cpu"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        wait_for_file(out / "seed-0" / "teacher" / "checkpoint.safetensors", process)
        (training,) = psutil.Process(process.pid).children()
        process.kill()
    wait_until(lambda: ended(training.pid), "the training is an orphan")
    before = read_progress(out / "seed-0" / "teacher" / "checkpoint.safetensors").epoch
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        wait_until(
            lambda: read_progress(out / "seed-0/teacher/checkpoint.safetensors").epoch > before
        )
        (training,) = psutil.Process(process.pid).children()
        process.terminate()
        _, errors = process.communicate(timeout=DEADLINE)
    assert process.returncode == 143
    assert errors.decode() == f"Interrupted: the same command goes on with {out}.\n"
    assert ended(training.pid)
    log = (out / "logs" / "seed-0_teacher.log").read_text()
    assert f"resuming after epoch {before}" in log
    assert log.endswith("--resume continues it.\n")


@pytest.mark.parametrize(
    ("there", "words", "jobs"),
    [
        (True, (), 1),
        (True, ("--jobs", 3), 3),
        (True, ("--device", "cpu"), 5),
        (False, (), 5),
    ],
)
def test_a_cuda_device_is_given_to_one_command_at_a_time(
    plan: Path,
    tmp_path: Path,
    distill: Callable[..., Result],
    monkeypatch: pytest.MonkeyPatch,
    there: bool,
    words: tuple[object, ...],
    jobs: int,
) -> None:
    asked: list[int] = []

    def carried_out(found: object, out: Path, command: object, jobs: int, say: object) -> None:
        asked.append(jobs)
        raise KeyboardInterrupt

    monkeypatch.setattr(torch.cuda, "is_available", lambda: there)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(os, "cpu_count", lambda: 5)
    monkeypatch.setattr(experiment, "carry_out", carried_out)
    distill("experiment", plan, "--out", tmp_path / "out", *words)
    assert asked == [jobs]
