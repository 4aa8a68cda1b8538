"""A disk that is full costs the command, in one sentence, and nothing of what was there."""

import shutil
from pathlib import Path

import pytest
from click.testing import Result

from tests.distill.commands import QUICK, distill, done, train
from tests.full_disk import content, full_disk


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, real_store: Path) -> Path:
    """A folder with a store, an evaluated run, and what each command makes of them."""
    folder = tmp_path_factory.mktemp("full")
    store = shutil.copytree(real_store, folder / "store")
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
            "cost", run, "--store", store, "--no-measure", "--csv", at / "cost.csv", "--overwrite",
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
@pytest.mark.parametrize("name", ["evaluate", "report", "explain", "export", "cost", "teach"])
def test_what_was_there_stays(made: Path, tmp_path: Path, name: str, limit: int) -> None:
    if (name, limit) == ("cost", 300):
        pytest.skip("the table of costs is smaller than that")
    folder = shutil.copytree(made, tmp_path / "made")
    before = content(folder)
    with full_disk(limit):
        result = distill(*commands(folder)[name])
    assert str(folder) in refused(result)
    after = {path: data for path, data in content(folder).items() if ".part/" not in path}
    assert after == before


@pytest.mark.parametrize("name", ["report", "explain", "export", "cost", "teach"])
def test_nothing_half_written_is_left(made: Path, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "made"
    folder.mkdir()
    for part in ("run", "store"):
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
