"""Interrupted and continued = never interrupted, bit for bit."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from distill.cli.main import main
from distill.runs import writer
from distill.runs.checkpoint import read_progress
from distill.runs.resume import resume_differences
from tests.events import DEADLINE

BITWISE = ("weights.safetensors", "weights.json", "checkpoint.safetensors", "outcome.json")


QUICK = ("--epochs", "2", "--accumulate", "2", "--device", "cpu", "--threads", "1")

DRIVER = """
import os, random, sys
sys.path[:0] = {path!r}
from pathlib import Path
import distill.runs.curves, distill.training.supervised, wsistore.store.store
from distill.cli.main import main
from tests.moments import count_steps

store, out = {store!r}, Path({out!r})
words = ["train", "baseline", store, "--out", str(out), "--level", "2.5x", "--epochs", "6",
         "--accumulate", "2", "--device", "cpu", "--threads", "1", "--patience", "9"]

def train(end=0):
    # the exit code, -9 if killed at a step, and the number of steps if not
    ours, theirs = os.pipe()
    child = os.fork()
    if not child:
        sys.stdout = sys.stderr = open(os.devnull, "w")
        more = ["--resume"] if (out / "config.json").exists() else []
        steps = count_steps(("distill", "wsistore"), end)
        try:
            main([*words, *more])
        except SystemExit as done:
            os.write(theirs, b"%d" % steps())
            os._exit(done.code or 0)
    os.close(theirs)
    with open(ours, "rb") as pipe:
        steps = pipe.read()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), steps

code, steps = train()
assert code == 0
out.rename(out.with_name("whole"))
rng, killed = random.Random(4), 0
while True:
    end = int(rng.uniform(0.2, 0.6) * int(steps)) if killed < 5 else 0
    code, _ = train(end)
    if code != -9:
        print(killed)
        sys.exit(code)
    killed += 1
"""


def metrics(run: Path) -> list[dict[str, object]]:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key != "seconds"} for line in lines]


def assert_same(run: Path, whole: Path) -> None:
    assert metrics(run) == metrics(whole)
    for name in BITWISE:
        assert (run / name).read_bytes() == (whole / name).read_bytes(), name
    assert {path.name for path in run.iterdir()} == {path.name for path in whole.iterdir()}


def test_killed_at_random_moments_and_resumed_is_uninterrupted(
    real_store: Path, tmp_path: Path
) -> None:
    """A process that has imported everything forks the trainings, so that each starts at once."""
    out = tmp_path / "run"
    script = DRIVER.format(path=sys.path, store=str(real_store), out=str(out))
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 1
    assert_same(out, tmp_path / "whole")
    progress = read_progress(out / "checkpoint.safetensors")
    losses = [line["val"]["loss"] for line in metrics(out)]  # type: ignore[index]
    assert progress.best == min(losses)
    assert progress.best_epoch == losses.index(min(losses)) + 1


THREE = ("--level", "2.5x", "--epochs", "3")


@pytest.fixture(scope="module")
def whole(real_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("whole") / "run"
    words = ["train", "baseline", str(real_store), "--out", str(out), *QUICK, *THREE]
    assert CliRunner().invoke(main, words).exit_code == 0
    return out


@pytest.mark.parametrize("nth", [0, 1, 2, 3, 4, 5, 7, 10, 12])
def test_cut_off_before_any_file_and_resumed_is_uninterrupted(
    real_store: Path, whole: Path, tmp_path: Path, train, distill, monkeypatch, nth: int
) -> None:
    """Every file is one rename: being cut off before the nth is what a kill can leave."""
    real, count = writer.publish, iter(range(999))

    def cut(path: Path, content: bytes) -> None:
        if path.name != "config.json" and next(count) == nth:
            path.with_name(f".{path.name}.99").write_bytes(content[:5])
            raise KeyboardInterrupt
        real(path, content)

    out = tmp_path / "run"
    with monkeypatch.context() as patch:
        for module in ("distill.runs.writer", "distill.files"):
            patch.setattr(f"{module}.publish", cut)
        stopped = distill("train", "baseline", real_store, "--out", out, *QUICK, *THREE)
        assert stopped.exit_code == 130, stopped.output
    result = train("baseline", real_store, out, *THREE, "--resume")
    assert_same(out, whole)
    # epoch 1 publishes metrics twice (JSONL, CSV), then the checkpoint
    assert ("resuming after epoch" in result.output) == (nth > 2)


def refused(result: Result, *parts: str) -> None:
    assert result.exit_code == 2, result.output
    for part in parts:
        assert part in result.output


def test_what_cannot_be_resumed_is_refused_and_told_where_to_go(
    real_store: Path, tmp_path: Path, train, distill
) -> None:
    out, level = tmp_path / "run", ("--level", "2.5x")
    base = ("train", "baseline", real_store, "--out", out, *QUICK, *level)
    refused(distill(*base, "--resume"), "holds no run to resume", "leave out --resume")
    assert not out.exists()
    train("baseline", real_store, out, *level)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    refused(distill(*base, "--resume"), "is finished (all 2 epochs done)", f"--init-from {out}")
    refused(distill(*base), "already holds a run", "--resume", "--overwrite")
    both = distill(*base, "--resume", "--init-from", out)
    refused(both, "--resume continues", "--init-from starts a new one")
    refused(distill(*base, "--resume", "--overwrite"), "--overwrite removes it")
    (out / "outcome.json").unlink()
    other = distill(*base, "--resume", "--lr", "0.5", "--seed", "3")
    refused(other, "lr was 0.001 and is 0.5", "seed was 0 and is 3", "--init-from")
    other = distill(*base, "--resume", "--level", "10x")
    refused(other, "level was 2.5x and is 10x")
    train("baseline", real_store, out, *level, "--resume")  # all done but for the last file
    after = {path.name: path.read_bytes() for path in out.iterdir()}
    assert after.keys() == before.keys()
    for name in ("outcome.json", "metrics.jsonl", "checkpoint.safetensors"):
        assert after[name] == before[name]


def test_a_run_in_use_is_refused(real_store: Path, tmp_path: Path, train, distill) -> None:
    out = tmp_path / "run"
    train("baseline", real_store, out, "--level", "2.5x")
    (out / "outcome.json").unlink()
    import filelock

    words = ("train", "baseline", real_store, "--out", out, *QUICK, "--level", "2.5x", "--resume")
    with filelock.FileLock(out / ".lock"):  # of an earlier version
        refused(distill(*words), "is in use by another process, which holds .lock in it")
    with filelock.FileLock(out.with_name(".run.lock")):
        refused(distill(*words), "is in use by another process, which holds .run.lock beside it")
    out.joinpath(".lock").touch()  # of an earlier version that was killed
    assert distill(*words).exit_code == 0
    assert not (out / ".lock").exists()
    assert not out.with_name(".run.lock").exists()


def test_only_what_decides_the_result_must_be_the_same() -> None:
    was = {"store": "/a", "workers": 0, "teacher": {"run": "/t", "weights_sha256": "x"}, "lr": 1}
    now = {"store": "/b", "workers": 9, "teacher": {"run": "/u", "weights_sha256": "x"}, "lr": 1}
    assert resume_differences(was, now) == []
    assert resume_differences(was, {**now, "lr": 2}) == ["lr was 1 and is 2"]
    moved = {**now, "teacher": {"run": "/t", "weights_sha256": "y"}}
    assert resume_differences(was, moved) == ["teacher.weights_sha256 was x and is y"]
    assert resume_differences(was, {**now, "new": None}) == ["new was not set and is None"]
    older, newer = {"data": {"x": 1}}, {"data": {"x": 1, "store_settings": {"a": 1}, "colours": {}}}
    assert resume_differences(older, newer) == []
