"""Run folders, targets and experiments with deep JSON or impossible numbers: one sentence each."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from distill.cli.experiment.config import read
from distill.cli.experiment.runner import RECORD, _recorded
from distill.errors import DistillError, RunError, TargetsError, UsageError
from distill.files import encode, read_json
from distill.kd.targets.arrays import is_targets
from distill.kd.targets.reader import TargetsReader
from distill.kd.targets.schema import KEY, TargetsMetadata
from distill.predict.calibration import _fitted
from distill.runs.run import Run
from distill.runs.weights import Weights, read_weights
from distill.runs.writer import _lines

DEEP = "[" * 100_000
WEIGHTS = Weights(
    "resnet10", ["a", "b"], "1.25x", 8.1, (0.7, 0.5, 0.6), (0.1, 0.2, 0.3), 1, "last epoch"
)


def weights(folder: Path, **changes: object) -> Path:
    path = folder / "weights.json"
    path.write_text(json.dumps({**json.loads(WEIGHTS.to_json()), **changes}))
    return path


@pytest.mark.parametrize("text", [DEEP, '{"a":' * 100_000, "[" * 300 + "]" * 300])
def test_deep_json_of_a_run_is_one_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(RunError, match=r"config.json cannot be read .*nested deeper"):
        read_json(tmp_path / "config.json")
    with pytest.raises(DistillError, match="is not a run folder"):
        Run.open(tmp_path)
    (tmp_path / "metrics.jsonl").write_text(text + "\n")
    with pytest.raises(RunError, match=r"metrics.jsonl cannot be read .*nested deeper"):
        _lines(tmp_path / "metrics.jsonl", 1, 1)
    (tmp_path / "metrics.json").write_text(text)
    with pytest.raises(RunError, match=r"metrics.json cannot be read"):
        _fitted(tmp_path / "metrics.json", "")


def test_deep_experiments_are_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "e.toml"
    file.write_text(f"seeds = {DEEP}")
    with pytest.raises(UsageError, match=r"e.toml cannot be read as TOML .*nested deeper"):
        read(file)
    file.write_text('store = "s"\nteacher = "10x"\nstudents = ["5x"]\n[train]\nlr = nan\n')
    with pytest.raises(UsageError, match=r"e.toml cannot be read as TOML .*holds nan"):
        read(file)
    (tmp_path / RECORD).write_text(DEEP)
    with pytest.raises(UsageError, match=r"cannot be read .*nested deeper"):
        _recorded(tmp_path)


def test_deep_targets_are_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "zarr.json").write_text(DEEP)
    assert not is_targets(tmp_path)
    with pytest.raises(TargetsError, match="nested deeper"):
        TargetsReader(tmp_path)


@pytest.mark.parametrize("value", [0, -0.5, True, "0.5", None])
def test_the_mpp_of_targets_is_above_0(tmp_path: Path, value: object) -> None:
    good = TargetsMetadata(
        "10x", 1.0, "2.5x", 32, ["a", "b"], None, None, [], True, False, "main", "0", "0"
    )
    about: dict[str, Any] = {**asdict(good), "format": 1, "mpp": value}
    (tmp_path / "zarr.json").write_text(json.dumps({"attributes": {KEY: about}}))
    with pytest.raises(TargetsError, match=r"mpp is .*, not (a finite number above 0|a number)"):
        TargetsReader(tmp_path)


def test_weights_come_back(tmp_path: Path) -> None:
    assert read_weights(weights(tmp_path)) == WEIGHTS


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"mpp": 0}, "mpp is 0"),
        ({"mpp": -8.1}, "mpp is -8.1"),
        ({"mpp": True}, "mpp is True"),
        ({"mpp": float("nan")}, "holds NaN"),
        ({"mpp": float("inf")}, "holds Infinity"),
        ({"std": [0.1, 0, 0.1]}, "std is 0"),
        ({"std": [0.1, -1, 0.1]}, "std is -1"),
        ({"std": [0.1, 0.1, float("nan")]}, "holds NaN"),
        ({"mean": [float("inf")] * 3}, "holds Infinity"),
        ({"mean": ["0.1"] * 3}, "mean is '0.1'"),
    ],
)
def test_impossible_numbers_of_weights_are_one_sentence(
    tmp_path: Path, changes: dict[str, object], said: str
) -> None:
    with pytest.raises(DistillError, match=said) as caught:
        read_weights(weights(tmp_path, **changes))
    assert str(tmp_path / "weights.json") in str(caught.value)


@pytest.mark.parametrize("temperature", [0, -1, "hot", None, []])
def test_a_temperature_is_above_0(tmp_path: Path, temperature: object) -> None:
    from distill.evaluation.scores import FORMAT

    fitted = {"temperature": temperature, "crops": 3, "subset": "val"}
    file = tmp_path / "metrics.json"
    file.write_bytes(encode({"format": FORMAT, "weights_sha256": "x", "calibration": fitted}))
    with pytest.raises(RunError, match=r"metrics.json is damaged"):
        _fitted(file, "x")
    file.write_bytes(encode({"format": FORMAT}))
    with pytest.raises(RunError, match=r"metrics.json is damaged"):
        _fitted(file, "x")
