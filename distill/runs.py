"""A run folder: one trained network, with everything that produced it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from distill.errors import RunError, UsageError
from distill.networks import NETWORKS, build
from distill.standardise import Channels
from distill.tensors import fill, load, publish, save, save_checkpoint

FORMAT = "distill-run/1"


@dataclass(frozen=True)
class Weights:
    """What weights.json says about weights.safetensors.

    Attributes:
        network: name of the network, a key of `distill.networks.NETWORKS`.
        classes: names of the classes, in the order of the logits.
        level: the level it takes.
        mpp: µm per pixel of that level, the median over the training crops.
        mean: of R, G and B in 0..1 units, to standardise with.
        std: of R, G and B in 0..1 units, to standardise with.
        epoch: the epoch the weights are from, counted from 1.
        chosen: why that epoch.
    """

    network: str
    classes: list[str]
    level: str
    mpp: float
    mean: Channels
    std: Channels
    epoch: int
    chosen: str


class Run:
    """A run that has weights, opened for reading.

    Attributes:
        path: the folder.
        config: the resolved configuration, from config.json.
        weights: what is known of the weights, from weights.json.
    """

    def __init__(self, path: Path, config: dict[str, Any], weights: Weights) -> None:
        self.path = path
        self.config = config
        self.weights = weights

    @classmethod
    def open(cls, path: Path | str) -> Run:
        """Open a run folder.

        Raises:
            RunError: if it is not a run folder, or has no weights yet, or is damaged.
        """
        path = Path(path)
        if not is_run(path):
            raise RunError(f"{path} is not a run folder (it has no config.json of {FORMAT})")
        if not (path / "weights.json").exists():
            raise RunError(f"{path} has no weights: its training ended before the first epoch did")
        return cls(path, _read_json(path / "config.json"), _read_weights(path / "weights.json"))

    def load_network(self, device: torch.device | str = "cpu") -> nn.Module:
        """Return the network with its trained weights, in evaluation mode, on `device`.

        Raises:
            RunError: if the weights are missing, damaged, of another network, or of another epoch
                than weights.json says.
        """
        file = self.path / "weights.safetensors"
        about = self.weights
        if about.network not in NETWORKS:
            known = ", ".join(NETWORKS)
            raise RunError(f"{self.path} is of network {about.network}; known networks: {known}")
        tensors, metadata = load(file)
        target = f"network {about.network} with {len(about.classes)} classes"
        made = f"{file} (network {metadata.get('network')}, epoch {metadata.get('epoch')})"
        if metadata != _metadata(about):
            raise RunError(
                f"{made} does not belong to weights.json ({target}, epoch {about.epoch})"
            )
        network = build(about.network, len(about.classes))
        fill(network, tensors, made, target)
        return network.to(device).eval()


class RunWriter:
    """A run folder while its network is in training.

    The files of an epoch are published in the order metrics, weights, checkpoint: when the
    checkpoint says epoch n, the others hold epoch n too.

    Args:
        path: the folder, which is made; see `check_out` for what may be in the way.
        config: the resolved configuration.
        weights: what will be true of the weights, but for the epoch.
        overwrite: whether a run in that folder is removed first.

    Raises:
        UsageError: if the folder is not empty and may not be replaced.
    """

    def __init__(
        self, path: Path, config: Mapping[str, Any], weights: Weights, *, overwrite: bool = False
    ) -> None:
        check_out(path, overwrite)
        self.path = path
        self._weights = weights
        self._lines: list[str] = []
        if path.exists():
            shutil.rmtree(path)
        path.mkdir(parents=True)
        publish(path / "config.json", _json({"format": FORMAT, **config}))

    def epoch(
        self,
        record: Mapping[str, Any],
        network: nn.Module,
        optimiser: Optimizer,
        *,
        number: int,
        keep: bool,
    ) -> None:
        """Publish an epoch: its line of metrics, its weights if `keep`, and the checkpoint."""
        self._lines.append(json.dumps(record, allow_nan=False) + "\n")
        publish(self.path / "metrics.jsonl", "".join(self._lines).encode())
        if keep:
            about = replace(self._weights, epoch=number)
            save(self.path / "weights.safetensors", network.state_dict(), _metadata(about))
            publish(self.path / "weights.json", _json(asdict(about)))
        save_checkpoint(self.path / "checkpoint.safetensors", network, optimiser, number)


def is_run(path: Path) -> bool:
    """Say whether a folder is a run folder, complete or not."""
    try:
        return bool(_read_json(path / "config.json").get("format") == FORMAT)
    except RunError:
        return False


def check_out(path: Path, overwrite: bool) -> None:
    """Refuse an output folder that holds something, unless it is a run that may be replaced.

    Raises:
        UsageError: if `path` is a file or a link, or is not empty and may not be replaced.
    """
    if path.is_symlink() or (path.exists() and not path.is_dir()):
        raise UsageError(f"{path} is not a folder; choose another --out")
    if not path.exists() or not any(path.iterdir()):
        return
    if not is_run(path):
        raise UsageError(f"{path} is not empty and is not a run folder; choose another --out")
    if not overwrite:
        raise UsageError(
            f"{path} already holds a run; choose another --out, or replace it with --overwrite"
        )


def _metadata(weights: Weights) -> dict[str, str]:
    return {
        "network": weights.network,
        "classes": json.dumps(weights.classes),
        "epoch": str(weights.epoch),
    }


def _json(value: Mapping[str, Any]) -> bytes:
    text = json.dumps(value, indent=2, allow_nan=False, ensure_ascii=False)
    return (text + "\n").encode()


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunError(f"{path} cannot be read ({error})") from error
    if not isinstance(value, dict):
        raise RunError(f"{path} does not hold a JSON object")
    return value


def _read_weights(path: Path) -> Weights:
    value = _read_json(path)
    wanted = {field.name for field in fields(Weights)}
    if value.keys() != wanted:
        odd = ", ".join(sorted(value.keys() ^ wanted))
        raise RunError(f"{path} is not of {FORMAT}: missing or unexpected {odd}")
    try:
        return Weights(
            network=str(value["network"]),
            classes=[str(name) for name in value["classes"]],
            level=str(value["level"]),
            mpp=float(value["mpp"]),
            mean=_channels(value["mean"]),
            std=_channels(value["std"]),
            epoch=int(value["epoch"]),
            chosen=str(value["chosen"]),
        )
    except (TypeError, ValueError) as error:
        raise RunError(f"{path} is damaged ({error})") from error


def _channels(value: Any) -> Channels:
    red, green, blue = value
    return float(red), float(green), float(blue)
