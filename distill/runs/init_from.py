"""`--init-from`: a new run that starts from existing weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

import wsistore
from distill.errors import RunError, UsageError
from distill.files import fill, load
from distill.networks import NetworkSpec
from distill.runs.provenance import sha256
from distill.runs.run import is_run
from distill.runs.weights import SETTINGS


def start_from(
    source: Path, network: nn.Module, spec: NetworkSpec, classes: list[str]
) -> dict[str, Any]:
    """Fill a new network with the weights of a run, or of a safetensors file.

    Args:
        source: a run folder, or a file.
        network: receives the weights.
        spec: what it is.
        classes: the classes of the new run, in order.

    Returns:
        What config.json records: the run they are of ("run", None for a file of its own), "file",
        and its "weights_sha256".

    Raises:
        UsageError: if the source is neither.
        RunError: if the weights are of another network or other classes, or damaged.
    """
    file = source / "weights.safetensors" if source.is_dir() else source
    if source.is_dir() and not is_run(source):
        raise UsageError(f"--init-from {source} is not a run folder")
    if file.suffix != ".safetensors":
        raise UsageError(
            f"--init-from {source} is not a .safetensors file, the only kind that is loaded: other "
            "kinds can run code; convert it first"
        )
    tensors, metadata = load(file)
    theirs = _network(file, metadata, spec)
    if theirs != spec:
        raise RunError(
            f"{file} is of network {theirs.text}, and this run's is {spec.text}; choose --network "
            f"{theirs.text}"
        )
    of = _classes(file, metadata["classes"]) if "classes" in metadata else classes
    if of != classes:
        raise RunError(
            f"{file} is of classes {', '.join(of)}, and this run's are {', '.join(classes)}; "
            "choose another --init-from"
        )
    fill(network, tensors, str(file), f"network {spec.name} with {len(classes)} classes")
    run = file.parent if is_run(file.parent) else None
    return {
        "run": str(run.resolve()) if run else None,
        "file": str(file.resolve()),
        "weights_sha256": sha256(file),
    }


def _network(file: Path, metadata: Mapping[str, str], default: NetworkSpec) -> NetworkSpec:
    if "network" not in metadata:
        return default
    try:
        settings = wsistore.parse_json(metadata.get(SETTINGS, "{}"))
        return NetworkSpec.from_settings(metadata["network"], settings)
    except (TypeError, ValueError, UsageError) as error:
        raise RunError(f"{file}: its network is damaged ({error})") from error


def _classes(file: Path, text: str) -> list[str]:
    try:
        return [str(name) for name in wsistore.parse_json(text)]
    except (TypeError, ValueError) as error:
        raise RunError(f"{file}: its classes are damaged ({error})") from error
