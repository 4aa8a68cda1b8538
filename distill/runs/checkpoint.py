"""The state of a training in one file: networks, optimiser, and which epoch is kept."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import wsistore
from distill.errors import RunError
from distill.files import fill, load, save, shortened

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.optim import Optimizer

Modules: TypeAlias = "Mapping[str, nn.Module]"
AVERAGE = "average_"
"""Before the name of a module: the moving average of its weights."""
ADAM = "Adam"
STATES: Mapping[str, frozenset[str]] = {
    ADAM: frozenset({"step", "exp_avg", "exp_avg_sq"}),
    "AdamW": frozenset({"step", "exp_avg", "exp_avg_sq"}),
    "SGD": frozenset({"momentum_buffer"}),
}
"""What an optimiser of torch.optim keeps of each parameter that it has moved. SGD without momentum
keeps nothing."""


@dataclass(frozen=True)
class TrainingState:
    """How far a training is. Order and augmentation come from counters: the epoch says all.

    Attributes:
        epoch: the last complete epoch, from 1; 0 before the first.
        best: the lowest validation loss so far.
        best_epoch: the first epoch that had it; 0 without validation, or where it is the start's.
        kept: the epoch whose weights are kept; 0 before the first, or where they are the start's.
        ended: why the training is over, or None while it is not.
        first: the first epoch on record: 0 where the start was validated, before any update.
    """

    epoch: int = 0
    best: float = float("inf")
    best_epoch: int = 0
    kept: int = 0
    ended: str | None = None
    first: int = 1


def modules(task: Any) -> Modules:
    """Return what a task trains, by name: its network, and what learns beside it.

    A task whose optimised parameters are not all its network's names the others in `beside`,
    a mapping of names to modules. They go into the checkpoint, never into the weights.
    """
    return {"network": task.network, **getattr(task, "beside", {})}


def published(parts: Modules) -> nn.Module:
    """Return the network whose weights a run publishes: the average, where one is kept."""
    return parts.get(f"{AVERAGE}network", parts["network"])


def save_checkpoint(
    path: Path, parts: Modules, optimizer: Optimizer, progress: TrainingState
) -> None:
    """Write everything needed to go on: modules, optimiser state, progress.

    Tensors are named `MODULE/NAME` and `optimiser/MODULE/NAME/KEY`, with NAME the parameter's. The
    metadata name the optimiser, unless it is Adam, which the first checkpoints did not say.

    Raises:
        ValueError: if the optimiser has a parameter that is in no module; see `modules`.
    """
    tensors: dict[str, Tensor] = {}
    for part, module in parts.items():
        tensors |= {f"{part}/{name}": tensor for name, tensor in module.state_dict().items()}
    for name, parameter in _parameters(parts).items():
        for key, value in optimizer.state.get(parameter, {}).items():
            tensors[f"optimiser/{name}/{key}"] = value
    metadata = {
        "unreached": json.dumps(sorted(_unreached(parts, optimizer))),
        "epoch": str(progress.epoch),
        "best": repr(progress.best),
        "best_epoch": str(progress.best_epoch),
        "kept": str(progress.kept),
    }
    metadata |= {"ended": progress.ended} if progress.ended else {}
    metadata |= {"first": str(progress.first)} if progress.first != 1 else {}
    kind = type(optimizer).__name__
    metadata |= {"optimiser": kind} if kind != ADAM else {}
    save(path, tensors, metadata)


def read_progress(path: Path) -> TrainingState:
    """Return the progress of a checkpoint alone.

    Raises:
        RunError: if the file is missing, damaged, or no checkpoint.
    """
    return _progress(path, load(path)[1])


def load_checkpoint(path: Path, parts: Modules, optimizer: Optimizer) -> TrainingState:
    """Put modules and optimiser back where `save_checkpoint` found them; return the progress.

    Raises:
        RunError: if the file is missing, damaged, or of other modules or another optimiser.
    """
    tensors, metadata = load(path)
    progress = _progress(path, metadata)
    if odd := {name.split("/", 1)[0] for name in tensors} - parts.keys() - {"optimiser"}:
        raise RunError(f"{path} holds {shortened(sorted(odd))}, which this training does not have")
    states = _states(path, tensors, metadata, parts, optimizer)
    for part, module in parts.items():
        held = {
            name.removeprefix(f"{part}/"): tensor
            for name, tensor in tensors.items()
            if name.startswith(f"{part}/")
        }
        count = sum(tensor.numel() for tensor in held.values())
        fill(module, held, str(path), f"the {part} of {count} values")
    wanted, names = STATES[type(optimizer).__name__], {p: n for n, p in _parameters(parts).items()}
    for parameter, state in states.items():
        _require_state(path, names[parameter], state, parameter, wanted)
        optimizer.state[parameter] = {
            key: value if key == "step" else value.to(parameter.device)
            for key, value in state.items()
        }
    return progress


def _states(
    path: Path,
    tensors: Mapping[str, Tensor],
    metadata: Mapping[str, str],
    parts: Modules,
    optimizer: Optimizer,
) -> dict[nn.Parameter, dict[str, Tensor]]:
    """Return the optimiser's state of each parameter, if they are those that it optimises."""
    parameters = _parameters(parts)
    states: dict[str, dict[str, Tensor]] = {}
    for full, tensor in tensors.items():
        if full.startswith("optimiser/"):
            name, key = full.removeprefix("optimiser/").rsplit("/", 1)
            if name not in parameters:
                raise RunError(f"{path} has optimiser state for {name}, which does not exist")
            states.setdefault(name, {})[key] = tensor
    try:
        unreached = set(wsistore.parse_json(metadata.get("unreached", "[]")))
    except (TypeError, ValueError) as error:
        raise RunError(f"{path} is no checkpoint ({error})") from error
    wanted = _optimized(parts, optimizer) - unreached
    if wanted != states.keys():
        odd = shortened(sorted(wanted ^ states.keys()))
        raise RunError(f"{path} and the optimiser do not hold the same parameters: {odd}")
    kind = type(optimizer).__name__
    if (held := metadata.get("optimiser", ADAM)) != kind:
        raise RunError(f"{path} holds the state of {held}, and the optimiser is {kind}")
    return {parameters[name]: state for name, state in states.items()}


def _require_state(
    path: Path,
    name: str,
    state: Mapping[str, Tensor],
    parameter: nn.Parameter,
    wanted: frozenset[str],
) -> None:
    """Refuse a state that is not what the optimiser keeps of a parameter."""
    if state.keys() != wanted:
        odd = shortened(sorted(state.keys() ^ wanted))
        raise RunError(f"{path}: the optimiser's state of {name} lacks or should not have {odd}")
    for key, value in state.items():
        if key != "step" and value.shape != parameter.shape:
            shapes = f"{tuple(value.shape)} where {tuple(parameter.shape)} is wanted"
            raise RunError(f"{path}: the optimiser's {key} of {name} is {shapes}")


def _parameters(parts: Modules) -> dict[str, nn.Parameter]:
    return {
        f"{part}/{name}": parameter
        for part, module in parts.items()
        for name, parameter in module.named_parameters()
    }


def _optimized(parts: Modules, optimizer: Optimizer) -> set[str]:
    """Return the names of the parameters that the optimiser moves."""
    parameters = _parameters(parts)
    optimized = {id(p) for group in optimizer.param_groups for p in group["params"]}
    if optimized - {id(parameter) for parameter in parameters.values()}:
        raise ValueError("the optimiser has parameters of no module; name theirs in Task.beside")
    return {name for name, parameter in parameters.items() if id(parameter) in optimized}


def _unreached(parts: Modules, optimizer: Optimizer) -> set[str]:
    """Return the names of those that no loss has reached so far, which have no state yet."""
    parameters = _parameters(parts)
    return {n for n in _optimized(parts, optimizer) if not optimizer.state.get(parameters[n])}


def _progress(path: Path, metadata: Mapping[str, str]) -> TrainingState:
    try:
        best = float(metadata["best"])
        if math.isnan(best):
            raise ValueError("its best loss is no number")
        return TrainingState(
            epoch=int(metadata["epoch"]),
            best=best,
            best_epoch=int(metadata["best_epoch"]),
            kept=int(metadata["kept"]),
            ended=metadata.get("ended"),
            first=int(metadata.get("first", "1")),
        )
    except (KeyError, ValueError) as error:
        raise RunError(f"{path} is no checkpoint ({error})") from error
