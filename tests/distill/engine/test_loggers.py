import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from distill.engine.loggers import MLflow, WandB, require
from distill.training import tracked

CONFIG: dict[str, Any] = {
    "id": "abc",
    "lr": 0.1,
    "network": "resnet10",
    "store": "/patients/smith",
    "left_out": {},
}
TOLD = tracked(CONFIG)
RECORD = {"epoch": 3, "train": {"loss": 0.5}, "val": {"loss": 0.25}, "kept": True, "seconds": 1.5}
SCALARS = {"train.loss": 0.5, "val.loss": 0.25, "kept": 1.0, "seconds": 1.5}


def test_tensorboard_gets_the_figures_of_every_epoch(
    real_store: Path, tmp_path: Path, train
) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    out = tmp_path / "run"
    train("baseline", real_store, out, "--level", "2.5x", "--log", "tensorboard")
    events = EventAccumulator(str(out / "tensorboard"))
    events.Reload()
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert len(lines) == 2
    for subset in ("train", "val"):
        for figure in ("loss", "accuracy"):
            found = [(e.step, e.value) for e in events.Scalars(f"{subset}/{figure}")]
            wanted = [(n["epoch"], pytest.approx(n[subset][figure], rel=1e-6)) for n in lines]
            assert found == wanted


class FakeRun:
    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def log(self, values: dict[str, float], step: int) -> None:
        self.calls.append((values, step))

    def finish(self) -> None:
        self.calls.append(("finish",))


def test_wandb_gets_figures_and_no_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module, run, given = ModuleType("wandb"), FakeRun(), {}

    def init(**arguments: Any) -> FakeRun:
        given.update(arguments)
        return run

    module.init = init  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "wandb", module)
    tracker = WandB(tmp_path / "kd", CONFIG["id"], TOLD, 2)
    tracker.epoch(RECORD)
    tracker.close()
    assert run.calls == [(SCALARS, 3), ("finish",)]
    assert given["config"] == {"lr": 0.1, "network": "resnet10"}
    assert (given["id"], given["resume"], given["name"]) == ("abc", "allow", "kd")


@pytest.mark.parametrize("last", [None, 0, 2])
def test_mlflow_starts_a_run_or_goes_on_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, last: int | None
) -> None:
    calls: list[tuple[str, Any]] = []
    module = ModuleType("mlflow")
    for name in ("set_experiment", "log_params", "end_run"):
        setattr(module, name, lambda *a, name=name: calls.append((name, a)))
    module.start_run = lambda **given: calls.append(("start_run", given))  # type: ignore[attr-defined]
    module.log_metrics = lambda *a, **k: calls.append(("log_metrics", (a, k)))  # type: ignore[attr-defined]
    there = [SimpleNamespace(info=SimpleNamespace(run_id="r1"))]
    module.search_runs = lambda **given: there  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "mlflow", module)
    tracker = MLflow(tmp_path / "kd", CONFIG["id"], TOLD, last)
    tracker.epoch(RECORD)
    tracker.close()
    named = dict(calls)
    if last is not None:
        assert named["start_run"] == {"run_id": "r1"}
        assert "log_params" not in named
    else:
        assert named["start_run"] == {"run_name": "kd", "tags": {"distill_id": "abc"}}
        assert named["log_params"] == ({"lr": 0.1, "network": "resnet10"},)
    assert named["log_metrics"] == ((SCALARS,), {"step": 3})
    assert calls[-1][0] == "end_run"


@pytest.mark.parametrize("package", ["tensorboard", "wandb", "mlflow"])
def test_a_missing_package_is_one_sentence_before_anything_is_made(
    package: str, tmp_path: Path, real_store: Path, distill, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "torch.utils.tensorboard" if package == "tensorboard" else package
    monkeypatch.setitem(sys.modules, name, None)
    out = tmp_path / "run"
    result = distill(
        "train", "teacher", real_store, "--level", "10x", "--out", out, "--log", package
    )
    assert result.exit_code == 2
    assert f"--log {package} needs a package" in result.output
    assert f"pip install {package}" in result.output
    assert not out.exists()
    require([])
