"""Named tensors in files: safetensors, written aside and renamed, read back strictly."""

import os
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialise
from torch import Tensor, nn
from torch.optim import Optimizer

from distill.errors import RunError


def publish(path: Path, content: bytes) -> None:
    """Write a file so that it is never seen half-written: aside, to the disk, then renamed."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with aside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def save(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write named tensors, moved to the CPU, with their metadata, in one rename."""
    held = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    publish(path, serialise(held, metadata=dict(metadata)))


def load(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return the named tensors of a file, on the CPU, and its metadata.

    Raises:
        RunError: if the file is missing or damaged.
    """
    try:
        with safe_open(path, framework="pt") as file:
            names = file.keys()
            return {name: file.get_tensor(name) for name in names}, dict(file.metadata() or {})
    except FileNotFoundError as error:
        raise RunError(f"{path} does not exist; is the run complete?") from error
    except (OSError, SafetensorError) as error:
        raise RunError(f"{path} is not a whole safetensors file ({error})") from error


def fill(network: nn.Module, tensors: Mapping[str, Tensor], source: str, target: str) -> None:
    """Copy tensors into a network, if they are exactly the tensors that it has.

    Args:
        network: receives the values; unchanged when they do not fit.
        tensors: every entry of the network's state, by name.
        source: where the tensors come from, for the message.
        target: what the network is, for the message.

    Raises:
        RunError: if a tensor is missing, unexpected, or of another shape or type.
    """
    wanted = network.state_dict()
    faults = []
    if missing := sorted(wanted.keys() - tensors.keys()):
        faults.append(f"missing {_some(missing)}")
    if unexpected := sorted(tensors.keys() - wanted.keys()):
        faults.append(f"unexpected {_some(unexpected)}")
    for name in sorted(wanted.keys() & tensors.keys()):
        ours, theirs = wanted[name], tensors[name]
        if ours.shape != theirs.shape or ours.dtype != theirs.dtype:
            faults.append(f"{name} is {_kind(theirs)} where {_kind(ours)} is wanted")
    if faults:
        shown = "; ".join(faults[:4]) + (f"; {len(faults) - 4} more" if len(faults) > 4 else "")
        raise RunError(f"{source} does not fit {target}: {shown}")
    network.load_state_dict(dict(tensors), strict=True)


def save_checkpoint(path: Path, network: nn.Module, optimiser: Optimizer, epoch: int) -> None:
    """Write everything needed to go on after `epoch`: network, optimiser state, epoch number.

    Tensors are named `network/NAME` and `optimiser/NAME/KEY`, with NAME the parameter's.
    """
    tensors = {f"network/{name}": tensor for name, tensor in network.state_dict().items()}
    for name, parameter in network.named_parameters():
        for key, value in optimiser.state.get(parameter, {}).items():
            tensors[f"optimiser/{name}/{key}"] = value
    save(path, tensors, {"epoch": str(epoch)})


def load_checkpoint(path: Path, network: nn.Module, optimiser: Optimizer) -> int:
    """Put network and optimiser back where `save_checkpoint` found them; return the epoch.

    Raises:
        RunError: if the file is missing, damaged, or of another network or optimiser.
    """
    tensors, metadata = load(path)
    held = {
        name.removeprefix("network/"): tensor
        for name, tensor in tensors.items()
        if name.startswith("network/")
    }
    fill(network, held, str(path), f"the network of {sum(map(torch.numel, held.values()))} values")
    parameters = dict(network.named_parameters())
    states: dict[str, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith("optimiser/"):
            parameter, key = name.removeprefix("optimiser/").rsplit("/", 1)
            if parameter not in parameters:
                raise RunError(f"{path} has optimiser state for {parameter}, which does not exist")
            states.setdefault(parameter, {})[key] = tensor
    optimised = {id(p) for group in optimiser.param_groups for p in group["params"]}
    wanted = {name for name, parameter in parameters.items() if id(parameter) in optimised}
    if wanted != states.keys():
        odd = _some(sorted(wanted ^ states.keys()))
        raise RunError(f"{path} and the optimiser do not hold the same parameters: {odd}")
    for name, state in states.items():
        parameter_device = parameters[name].device
        optimiser.state[parameters[name]] = {
            key: value if key == "step" else value.to(parameter_device)
            for key, value in state.items()
        }
    return int(metadata["epoch"])


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _kind(tensor: Tensor) -> str:
    return f"{tuple(tensor.shape)} {str(tensor.dtype).removeprefix('torch.')}"
