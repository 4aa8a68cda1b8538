"""Two processes train what one trains."""

import json
import shutil
import signal
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import psutil
import pytest
import torch
import torch.distributed as dist
from safetensors.torch import load_file

from distill.distributed import ALONE, DistributedContext, init_distributed
from distill.errors import TrainingError, UsageError
from distill.training.open_session import open_session
from distill.training.options import TrainingOptions
from tests.distill.commands import QUICK
from tests.events import DEADLINE, ended, wait_for_file, wait_until

TORCHRUN = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")


def torchrun(*arguments: object) -> subprocess.CompletedProcess[str]:
    words = [*TORCHRUN, "-m", "distill.cli.main", *map(str, arguments)]
    return subprocess.run(words, capture_output=True, text=True, timeout=DEADLINE)


@pytest.mark.parametrize(
    ("kind", "backend"),
    [("cpu", "gloo"), pytest.param("cuda", "nccl", marks=pytest.mark.cuda)],
)
def test_two_processes_train_what_one_trains(
    real_store: Path, tmp_path: Path, train, kind: str, backend: str
) -> None:
    """By gloo on the CPU, and by NCCL on two CUDA devices."""
    if kind == "cuda" and torch.cuda.device_count() < 2:
        pytest.skip("needs two CUDA devices, and torch finds one")
    assert dist.is_backend_available(backend)
    # one by one: batches are cut so that each process has one, and so differ in the last digits
    arguments = ("--level", "2.5x", "--accumulate", "3", "--epochs", "3", "--batch-pixels", "0")
    arguments += ("--device", kind)
    train("baseline", real_store, tmp_path / "one", *arguments)
    out = tmp_path / "two"
    done = torchrun("train", "baseline", real_store, "--out", out, *QUICK, *arguments)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("epoch 1/3") == 1  # one process speaks
    assert f"3 epochs on {kind} in 2 processes" in done.stdout
    one = load_file(tmp_path / "one" / "checkpoint.safetensors")
    near = {"rtol": 1e-6, "atol": 1e-9} if kind == "cpu" else {"rtol": 1e-3, "atol": 2e-4}
    for name, value in load_file(out / "checkpoint.safetensors").items():
        torch.testing.assert_close(value, one[name], **near, msg=name)
    assert {p.name for p in out.iterdir()} == {p.name for p in (tmp_path / "one").iterdir()}
    for a, b in zip(*(_metrics(tmp_path / name) for name in ("one", "two")), strict=True):
        assert a["kept"] == b["kept"]
        for subset in ("train", "val"):
            assert a[subset] == pytest.approx(b[subset], rel=near["rtol"])
    assert json.loads((out / "config.json").read_text())["processes"] == 2


def test_an_error_in_one_process_ends_all_of_them(real_store: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(real_store, broken)
    chunk = next(p for p in (broken / "slides/s1/0/2.5x/c").rglob("*") if p.is_file())
    chunk.write_bytes(chunk.read_bytes()[:-40])
    done = torchrun(
        "train", "baseline", broken, "--out", tmp_path / "run", *QUICK, "--level", "2.5x"
    )
    assert done.returncode != 0
    assert done.stderr.count("crop s1/0 of") >= 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_processes_end_with_a_launcher_that_is_ended(
    number: int, real_store: Path, tmp_path: Path
) -> None:
    words = ["train", "baseline", str(real_store), "--out", str(tmp_path / "run"), *QUICK]
    words += ["--level", "2.5x", "--accumulate", "2", "--epochs", "2000"]
    command = [*TORCHRUN, "-m", "distill.cli.main", *words]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as launcher:
        wait_for_file(tmp_path / "run" / "checkpoint.safetensors", launcher)
        ranks = psutil.Process(launcher.pid).children()
        assert len(ranks) == 2
        launcher.send_signal(number)
    for rank in ranks:
        wait_until(lambda rank=rank: ended(rank.pid), "it is an orphan")


class Two(DistributedContext):
    """The first of two processes, the other of which agrees, or has met an error."""

    met: str | None = None

    def gather(self, value: object) -> list[object]:
        return [value, self.met or value]


def test_another_processs_error_is_raised_here() -> None:
    two = Two(0, 2)
    with two.together():
        pass
    object.__setattr__(two, "met", "crop s/0 is damaged")
    with pytest.raises(TrainingError, match="crop s/0 is damaged"), two.together():
        pass
    with pytest.raises(UsageError, match="mine"), two.together():
        raise UsageError("mine")


def test_processes_agree_on_the_memory_which_decides_the_batches(
    real_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Poorer(DistributedContext):
        """The first of two processes, the other of which has less memory."""

        def gather(self, value: object) -> list[object]:
            return [value, 0.25 if isinstance(value, float) else value]

    replaced = "distill.training.open_session.init_distributed"
    monkeypatch.setattr(replaced, lambda device: nullcontext(Poorer(0, 2)))
    options = TrainingOptions(store=real_store, level="2.5x", out=tmp_path / "run", device="cpu")
    with open_session(options, print) as here:
        assert here.options.memory_gib == 0.25
        assert here.look.memory == here.glance.memory == 2**28


def test_fewer_crops_to_an_update_than_processes_are_refused(
    real_store: Path, tmp_path: Path, distill, monkeypatch: pytest.MonkeyPatch
) -> None:
    replaced = "distill.training.open_session.init_distributed"
    monkeypatch.setattr(replaced, lambda device: nullcontext(Two(0, 2)))
    out = tmp_path / "run"
    arguments = ("--level", "2.5x", "--accumulate", "1")
    result = distill("train", "baseline", real_store, "--out", out, *arguments)
    assert result.exit_code == 2
    assert "--accumulate 1 is less than the 2 processes" in result.output
    assert not out.exists()


def test_without_torchrun_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu = torch.device("cpu")
    with init_distributed(cpu) as processes:
        assert processes is ALONE
    monkeypatch.setenv("RANK", "0")
    with pytest.raises(UsageError, match=r"RANK and WORLD_SIZE must both"), init_distributed(cpu):
        pass
    assert ALONE.gather("x") == ["x"]


def _metrics(run: Path) -> list[dict[str, dict[str, float]]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
