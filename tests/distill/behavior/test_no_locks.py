"""Trainings, targets and experiments on a file system without locks."""

import errno
from pathlib import Path

import pytest

from distill.runs.run import Run
from tests.distill.commands import QUICK, distill, done, train
from tests.wsistore.files.test_locks import refuse

NO_LOCKS = "its file system has no locks"
LEVEL = ("--level", "2.5x")


without_locks = pytest.mark.parametrize("code", [errno.ENOSYS, errno.ENOLCK])


@without_locks
def test_a_training_is_refused_before_anything_is_made_and_no_lock_trains(
    code: int, real_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(code, monkeypatch)
    out = tmp_path / "runs" / "run"
    result = distill("train", "baseline", real_store, "--out", out, *QUICK, *LEVEL)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"Error: {tmp_path}: {NO_LOCKS}")
    assert "--no-lock" in result.stderr
    assert list(tmp_path.iterdir()) == []
    train("baseline", real_store, out, *LEVEL, "--no-lock")
    assert Run.open(out).weights.level == "2.5x"
    assert not (out / ".lock").exists()
    assert "no_lock" not in (out / "config.json").read_text()


@without_locks
def test_a_run_is_not_replaced_before_it_is_known_that_there_are_locks(
    code: int, real_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "run"
    train("baseline", real_store, out, *LEVEL)
    before = (out / "weights.safetensors").read_bytes()
    refuse(code, monkeypatch)
    again = ("train", "baseline", real_store, "--out", out, *QUICK, *LEVEL, "--overwrite")
    assert NO_LOCKS in distill(*again).stderr
    assert (out / "weights.safetensors").read_bytes() == before


@without_locks
def test_targets(
    code: int, real_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    teacher, out = tmp_path / "teacher", tmp_path / "new" / "targets"
    train("teacher", real_store, teacher, "--level", "10x")
    refuse(code, monkeypatch)
    words = ("teach", teacher, real_store, "--student-level", "2.5x", "--out", out, "--views", 1)
    machine = ("--device", "cpu", "--threads", 1)
    refused = distill(*words, *machine)
    assert (refused.exit_code, NO_LOCKS in refused.stderr) == (1, True)
    assert not out.parent.exists()
    done(*words, *machine, "--no-lock")
    assert (out / "zarr.json").exists()
    assert not list(out.parent.glob("*.part"))


@without_locks
def test_an_experiment_is_refused_before_its_first_job(
    code: int, real_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(code, monkeypatch)
    plan = tmp_path / "plan.toml"
    text = f'store = "{real_store}"\nteacher = "10x"\nstudents = ["2.5x"]\nsubset = "val"\n'
    plan.write_text(text)
    result = distill("experiment", plan, "--out", tmp_path / "out")
    assert (result.exit_code, NO_LOCKS in result.stderr) == (1, True)
    assert not (tmp_path / "out").exists()
