"""A run of random weights with an evaluation, and its export."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from click.testing import Result

from tests.distill.commands import distill
from tests.distill.evaluating import command, make_run, make_store, rows

TEACHER = {
    "run": "/secret/place/teach[er]",
    "weights_sha256": "ab" * 32,
    "level": "10x",
    "mpp": 1.01,
    "epoch": 7,
}


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_store(tmp_path_factory.mktemp("export") / "cohort", rows())


@pytest.fixture(scope="session")
def run(store: Path) -> Path:
    folder = make_run(
        store.parent / "student_1",
        store,
        command="train kd",
        subset="train",
        temperature=2.0,
        preset="dipalma2021",
        preset_departures={"lr": {"preset": 0.001, "used": 0.01}},
        crops={"train": 8},
        left_out={"train": {"s-secret/0": "has no label"}},
        teacher=TEACHER,
    )
    evaluated = command(folder, store, "--allow-training-patients", "--draws", 50, "--threads", 1)
    assert evaluated.exit_code == 0, evaluated.output
    return folder


@pytest.fixture(scope="session")
def export() -> Callable[..., Result]:
    """`distill export …` in this process."""

    def typed(*arguments: object) -> Result:
        torch.set_num_threads(1)
        return distill("export", *arguments)

    return typed


@pytest.fixture(scope="session")
def exported(run: Path, export: Callable[..., Result]) -> Path:
    """The .onnx file, made once."""
    file = run.parent / "out" / "model.onnx"
    result = export(run, "--onnx", "--out", file)
    assert result.exit_code == 0, result.output
    return file
