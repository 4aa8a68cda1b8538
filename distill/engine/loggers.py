"""Experiment trackers, each an optional package: TensorBoard, Weights & Biases, MLflow.

They get the figures of each epoch and what the run tells them of its configuration. No path and no
crop's name is among it: a file name can hold a patient's, and two of the three may send what they
get to a server.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from distill.errors import UsageError
from distill.runs import curve_columns


class Tracker(Protocol):
    """An observer that has to be told when the training is over."""

    def crop(self, epoch: int, subset: str) -> None:
        """Take no note: trackers count epochs."""
        ...

    def epoch(self, record: Mapping[str, Any]) -> None:
        """Log the figures of an epoch."""
        ...

    def close(self) -> None:
        """Send what is left."""
        ...


class _Tracker:
    def crop(self, epoch: int, subset: str) -> None:
        """Take no note: trackers count epochs."""


class TensorBoard(_Tracker):
    """Scalars in RUN/tensorboard."""

    def __init__(self, out: Path, run: str, told: Mapping[str, Any], last: int | None) -> None:
        writing = _load("torch.utils.tensorboard", "tensorboard")
        following = 0 if last is None else last + 1
        self._writer = writing.SummaryWriter(out / "tensorboard", purge_step=following)
        if last is None:
            lines = [f"    {name}: {value}" for name, value in told.items()]
            self._writer.add_text("config", "\n".join(lines))

    def epoch(self, record: Mapping[str, Any]) -> None:
        """Log the figures of an epoch."""
        for name, value in _scalars(record).items():
            self._writer.add_scalar(name.replace(".", "/"), value, record["epoch"])
        self._writer.flush()

    def close(self) -> None:
        """Close the file."""
        self._writer.close()


class WandB(_Tracker):
    """A Weights & Biases run, which a resumed training continues."""

    def __init__(self, out: Path, run: str, told: Mapping[str, Any], last: int | None) -> None:
        self._run = _load("wandb", "wandb").init(
            project="distill", name=out.name, id=run, resume="allow", config=dict(told)
        )

    def epoch(self, record: Mapping[str, Any]) -> None:
        """Log the figures of an epoch."""
        self._run.log(_scalars(record), step=record["epoch"])

    def close(self) -> None:
        """Send what is left."""
        self._run.finish()


class MLflow(_Tracker):
    """An MLflow run, where MLFLOW_TRACKING_URI says; a resumed training continues it by its tag."""

    def __init__(self, out: Path, run: str, told: Mapping[str, Any], last: int | None) -> None:
        self._mlflow = _load("mlflow", "mlflow")
        self._mlflow.set_experiment("distill")
        query = f"tags.distill_id = '{run}'"
        found = []
        if last is not None:
            found = self._mlflow.search_runs(filter_string=query, output_format="list")
        if found:
            self._mlflow.start_run(run_id=found[0].info.run_id)
        else:
            self._mlflow.start_run(run_name=out.name, tags={"distill_id": run})
            self._mlflow.log_params(dict(told))

    def epoch(self, record: Mapping[str, Any]) -> None:
        """Log the figures of an epoch."""
        self._mlflow.log_metrics(_scalars(record), step=record["epoch"])

    def close(self) -> None:
        """Say that the run is over."""
        self._mlflow.end_run()


TRACKERS: dict[str, Callable[[Path, str, Mapping[str, Any], int | None], Tracker]] = {
    "tensorboard": TensorBoard,
    "wandb": WandB,
    "mlflow": MLflow,
}
"""Each is made of the run's folder, its id, what it tells of its configuration, and the last epoch
published before."""


def require(names: Iterable[str]) -> None:
    """Raise UsageError, with the command that installs it, for a tracker that is not installed."""
    modules = {"tensorboard": "torch.utils.tensorboard", "wandb": "wandb", "mlflow": "mlflow"}
    for name in names:
        _load(modules[name], name)


def _load(module: str, package: str) -> Any:
    try:
        return import_module(module)
    except ImportError as error:
        raise UsageError(
            f"--log {package} needs a package that is not installed; pip install {package}"
        ) from error


def _scalars(record: Mapping[str, Any]) -> dict[str, float]:
    flat = curve_columns(record)
    return {name: float(value) for name, value in flat.items() if name != "epoch"}
