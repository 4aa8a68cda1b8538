"""A disk that is full costs the command, in one sentence, and nothing of what was there."""

import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

import wsistore
from tests.distill.commands import QUICK, distill, done, train
from tests.full_disk import content, full_disk

MADE = ("report", "explain", "export", "cost", "teach", "predict")
"""What makes files of its own. An evaluation lies in its run, and is there already."""


@pytest.fixture(autouse=True)
def _predict_in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spare each prediction a process that imports torch for seconds; the first has one."""
    in_workers = wsistore.in_workers

    def here(work: Any, items: Sequence[Any], _: int, **more: Any) -> Iterator[Any]:
        return in_workers(work, items, 0, **more)

    monkeypatch.setattr(wsistore, "in_workers", here)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, real_store: Path) -> Path:
    """A folder with a store, an evaluated run, and what each command makes of them."""
    folder = tmp_path_factory.mktemp("full")
    store = shutil.copytree(real_store, folder / "store")
    (folder / "slides").mkdir()
    shutil.copy(real_store.parent / "s0.tif", folder / "slides")
    train("teacher", store, folder / "run", "--level", "10x", "--network", "resnet10")
    for words in commands(folder).values():
        done(*words)
    return folder


def commands(at: Path) -> dict[str, list[object]]:
    """Return each command with --overwrite, by the name of what it writes."""
    run, store = at / "run", at / "store"
    val = ["--subset", "val", "--overwrite"]
    return {
        "evaluate": ["evaluate", run, store, "--draws", 9, *val],
        "report": ["report", run, store, "--out", at / "report", *val],
        "explain": ["explain", run, store, "--out", at / "explained", *val, "--device", "cpu"],
        "export": ["export", run, "--onnx", "--out", at / "onnx" / "m.onnx", "--overwrite"],
        "cost": [
            "cost", run, "--store", store, "--level", "all", "--no-measure", "--json",
            "--csv", at / "cost.csv", "--overwrite",
        ],
        "predict": [
            "predict", run, at / "slides", "--mpp", 1, "--out", at / "predictions", "--overwrite",
            "--device", "cpu", "--threads", 1,
        ],
        "teach": [
            "teach", run, store, "--out", at / "targets", "--student-level", "2.5x",
            "--overwrite", "--device", "cpu",
        ],
    }  # fmt: skip


def refused(result: Result) -> str:
    """Return the sentence of a command that the disk has stopped."""
    assert result.exit_code == 1, result.output
    assert isinstance(result.exception, SystemExit), result.exception
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert "File too large; raise the limit" in line
    return line


@pytest.mark.parametrize("limit", [0, 300])
@pytest.mark.parametrize("name", ["evaluate", *MADE])
def test_what_was_there_stays(made: Path, tmp_path: Path, name: str, limit: int) -> None:
    folder = shutil.copytree(made, tmp_path / "made")
    before = content(folder)
    with full_disk(limit):
        result = distill(*commands(folder)[name])
    assert str(folder) in refused(result)
    after = {path: data for path, data in content(folder).items() if ".part/" not in path}
    assert after == before


@pytest.mark.parametrize("name", MADE)
def test_nothing_half_written_is_left(made: Path, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "made"
    folder.mkdir()
    for part in ("run", "store", "slides"):
        shutil.copytree(made / part, folder / part)
    before = content(folder)
    with full_disk():
        refused(distill(*commands(folder)[name]))
    after = {path: data for path, data in content(folder).items() if ".part/" not in path}
    assert after == before


@pytest.mark.parametrize("limit", [0, 20_000])
def test_a_training_that_stops_leaves_no_half_file(made: Path, tmp_path: Path, limit: int) -> None:
    out = tmp_path / "run"
    with full_disk(limit):
        result = distill(
            "train", "baseline", made / "store", "--level", "2.5x", "--network", "resnet10",
            "--out", out, *QUICK,
        )  # fmt: skip
    assert str(out) in refused(result)
    left = {path.name for path in tmp_path.rglob("*") if path.is_file()} - {".lock"}
    assert left <= ({"config.json", "metrics.jsonl", "metrics.csv"} if limit else set())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_figures_that_go_to_a_full_disk_are_a_sentence() -> None:
    words = ["cost", "resnet10", "--size", "64x64", "--no-measure", "--json"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "distill.cli", *words],
            stdout=full, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("Error: No space left on device; make room")


DESIGN = """
store = "{store}"
teacher = "10x"
students = ["2.5x"]
subset = "val"
[train]
epochs = 1
"""


def test_an_experiment_that_stops_says_which_job_and_keeps_what_was_there(
    made: Path, tmp_path: Path
) -> None:
    file, out = tmp_path / "design.toml", tmp_path / "runs"
    file.write_text(DESIGN.format(store=made / "store"))
    words = ["experiment", file, "--out", out, "--jobs", 1, "--threads", 1, "--device", "cpu"]
    with full_disk():
        result = distill(*words)
    assert str(out / "jobs.json") in refused(result)
    assert content(out) == {}
    # enough for the list of jobs and for what they say, but for no run
    with full_disk(2000):
        result = distill(*words)
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    begun = ("seed-0/teacher", "seed-0/baseline-2.5x")
    assert line.startswith(f"Error: failed: {', '.join(begun)}, and 4 that need them were not run")
    logs = {name: f"logs/{name.replace('/', '_')}.log" for name in begun}
    for name, log in logs.items():
        said = (out / log).read_text()
        assert "Traceback" not in said
        (line,) = [line for line in said.splitlines() if line.startswith("Error: ")]
        assert f"{out / name}" in line
        assert "File too large; raise the limit" in line
    before = content(out)
    assert sorted(before) == sorted(["jobs.json", *logs.values()])
    with full_disk():
        result = distill(*words)
    assert str(out / "jobs.json") in refused(result)
    assert content(out) == before
