"""What a process writes is never replaced under its hands, and never mixed with another's."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from torch import nn, optim

import wsistore
from distill.errors import RunError
from distill.runs.checkpoint import TrainingState
from distill.runs.run import Run
from distill.runs.weights import Weights
from distill.runs.writer import RunWriter
from tests.distill.commands import QUICK, distill, train
from tests.events import wait_for_file, wait_until

LEVEL = ("--level", "2.5x")


def test_a_run_is_not_replaced_while_it_is_trained(real_store: Path, tmp_path: Path) -> None:
    out = tmp_path / "X"
    words = ["train", "baseline", str(real_store), "--out", str(out), *QUICK, *LEVEL]
    command = [sys.executable, "-m", "distill.cli.main", *words, "--epochs", "2000"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as first:
        wait_for_file(out / "weights.json", first)
        config = (out / "config.json").read_bytes()
        done = distill(*words, "--seed", 7, "--overwrite")
        assert done.exit_code == 2
        assert "X is in use by another process" in done.stderr
        assert (out / "config.json").read_bytes() == config
        before = len((out / "metrics.jsonl").read_text().splitlines())
        wait_until(lambda: len((out / "metrics.jsonl").read_text().splitlines()) > before + 1)
        first.kill()
    train("baseline", real_store, out, *LEVEL, "--seed", 7, "--overwrite")
    assert json.loads((out / "config.json").read_text())["seed"] == 7
    assert Run.open(out).weights.epoch <= 2
    assert [path.name for path in tmp_path.iterdir()] == ["X"]


def written(out: Path, seed: int, **how: bool) -> RunWriter:
    about = Weights("thin-resnet10", ["a", "b"], "2.5x", 4.0, (0.5,) * 3, (0.2,) * 3, 0, "last")
    return RunWriter(out, {"id": str(seed), "seed": seed}, about, **how)


@pytest.mark.parametrize("replaced", [True, False])
def test_a_folder_that_is_another_runs_gets_nothing_more(replaced: bool, tmp_path: Path) -> None:
    """Without locks, or where somebody removes it, a writer finds out before each publication."""
    out = tmp_path / "X"
    parts = {"network": nn.Linear(1, 1)}
    state = optim.SGD(parts["network"].parameters(), lr=0.1)
    record = {"epoch": 1, "kept": True, "seconds": 1.0, "train": {"loss": 1.0}}
    progress = TrainingState(epoch=1, kept=1)
    first = written(out, 1, lock=False)
    first.epoch(record, parts, state, progress)
    if replaced:
        written(out, 2, lock=False, overwrite=True)
    else:
        out.rename(tmp_path / "Y")
    with pytest.raises(RunError, match=r"X was removed or replaced while it was trained"):
        first.epoch({**record, "epoch": 2}, parts, state, TrainingState(epoch=2, kept=2))
    with pytest.raises(RunError, match="removed or replaced"):
        first.end(progress)
    assert [path.name for path in out.glob("*")] == (["config.json"] if replaced else [])


@pytest.mark.parametrize(
    "words",
    [
        ("report", "{run}", "{run}", "--out", "{out}", "--overwrite"),
        ("explain", "{run}", "{run}", "--out", "{out}", "--overwrite"),
        ("predict", "{run}", "{run}", "--out", "{out}", "--overwrite"),
        ("export", "{run}", "--onnx", "--out", "{out}", "--overwrite"),
        ("cost", "{run}", "--size", "64x64", "--csv", "{out}", "--overwrite"),
        ("evaluate", "{run}", "{store}", "--subset", "val", "--overwrite"),
    ],
    ids=lambda words: words[0],
)
def test_no_command_replaces_what_another_process_is_writing(
    words: tuple[str, ...], trained: Path, real_store: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.onnx"
    place = trained / "evaluation" / "main-val" if words[0] == "evaluate" else out
    given = [word.format(run=trained, store=real_store, out=out) for word in words]
    with wsistore.OutputLock(place):
        refused = distill(*given)
    assert (refused.exit_code, refused.stderr.count("is in use by another process")) == (2, 1)
    assert "Traceback" not in refused.stderr
    assert list(tmp_path.iterdir()) == []
    assert not (trained / "evaluation").exists()


@pytest.fixture(scope="module")
def trained(real_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("trained") / "run"
    train("baseline", real_store, out, *LEVEL)
    return out


def test_no_evaluation_of_weights_that_were_replaced_meanwhile(
    trained: Path, real_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = json.loads((trained / "weights.json").read_text())

    def overtaken(*given: object) -> object:
        changed = json.dumps({**weights, "epoch": weights["epoch"] + 1})
        (trained / "weights.json").write_text(changed)
        return found(*given)

    from distill.evaluation import evaluator

    found = evaluator.logits
    monkeypatch.setattr(evaluator, "logits", overtaken)
    done = distill(
        "evaluate", trained, real_store, "--subset", "val", "--allow-training-patients",
        "--draws", 10, "--unit", "crop",
    )  # fmt: skip
    (trained / "weights.json").write_text(json.dumps(weights))
    assert done.exit_code == 1
    assert f"{trained} has got other weights, or is another run" in done.stderr
    assert not (trained / "evaluation").exists()
