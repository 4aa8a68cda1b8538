"""A backbone's weights from a file that somebody else wrote: safetensors, or torch's without code.

Files differ in what they wrap the tensors in, and in what they put before their names. What was
found for each tensor of the backbone, and what was left, is returned, to be said and recorded.
"""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from distill.errors import RunError, UsageError
from distill.files import load, shortened
from distill.networks.backbones import Backbone

TORCH = (".pt", ".pth", ".bin", ".ckpt")
"""Endings of files that torch writes; they are read with `weights_only=True`: no code runs."""
_COUNTER = "num_batches_tracked"
"""Ends the name of a batch norm's count of what it has seen, which decides nothing here."""


@dataclass(frozen=True)
class WeightsMatch:
    """How a file's tensors became a backbone's.

    Attributes:
        by: one of `MATCHES`.
        prefix: what the file has before each name.
        matched: number of tensors taken.
        unused: names of the file's that are not the backbone's, such as a classifier's.
    """

    by: str
    prefix: str
    matched: int
    unused: tuple[str, ...]

    def record(self) -> dict[str, Any]:
        """Return it for config.json."""
        return {**asdict(self), "unused": list(self.unused)}

    def text(self, file: Path, network: str) -> str:
        """Return it in a sentence."""
        how = "in order" if self.by == "order" else "by name"
        how += f" behind {self.prefix!r}" if self.prefix else ""
        rest = f"; not used: {shortened(list(self.unused))}" if self.unused else ""
        return f"{file.name}: all {self.matched} tensors of {network} matched {how}{rest}"


def read_tensors(file: Path, key: str | None = None) -> dict[str, Tensor]:
    """Return the named tensors of a weights file, on the CPU; no code of the file is run.

    Args:
        file: .safetensors, or one of `TORCH`.
        key: which of several groups of tensors to take, such as "teacher"; None where there is one.

    Raises:
        RunError: if it is missing, damaged, or would run code.
        UsageError: if it is of another kind, or the key is not there, or one is needed.
    """
    if file.suffix == ".safetensors":
        return load(file)[0]
    if file.suffix not in TORCH:
        raise UsageError(f"--weights {file} is none of .safetensors, {', '.join(TORCH)}")
    try:
        with warnings.catch_warnings():  # that the file's pickle is of a protocol that it refuses
            warnings.simplefilter("ignore", UserWarning)
            value = torch.load(file, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise RunError(f"--weights {file} does not exist") from error
    except pickle.UnpicklingError as error:
        raise RunError(
            f"--weights {file} holds more than tensors, or is damaged; it is not loaded, since it "
            "could run code: save its state_dict as .safetensors"
        ) from error
    except Exception as error:  # what is no such file makes torch raise nearly anything
        raise RunError(
            f"--weights {file} is damaged, or no file of weights ({type(error).__name__}: {error})"
        ) from error
    return _tensors(value, file, key)


def fill_backbone(
    backbone: Backbone, tensors: Mapping[str, Tensor], file: Path, network: str, by: str = "name"
) -> WeightsMatch:
    """Copy a file's tensors into a backbone; every one that the backbone has must be there.

    By name: the names may all have one prefix. In order: the file's names are of another program
    and of no use, and its tensors have the shapes of the backbone's, one after the other; what is
    left at the end is not used.

    Args:
        backbone: receives them; unchanged when they do not fit.
        tensors: of the file, in its order.
        file: for the message.
        network: what the backbone is, for the message.
        by: one of `MATCHES`.

    Raises:
        RunError: if they do not fit.
    """
    wanted = backbone.network.state_dict()
    needed = [name for name in wanted if not name.endswith(_COUNTER)]
    if by == "order":
        prefix, pairs = "", _in_order(wanted, tensors, file, network)
    else:
        prefix = _prefix(needed, tensors)
        pairs = {name: prefix + name for name in wanted if prefix + name in tensors}
        _require_all(needed, pairs, wanted, tensors, file, network)
    _require_shapes(pairs, wanted, tensors, file, network)
    taken = {name: tensors[theirs].to(wanted[name].dtype) for name, theirs in pairs.items()}
    backbone.network.load_state_dict({**wanted, **taken}, strict=True)
    used = set(pairs.values())
    unused = tuple(name for name in tensors if name not in used)
    return WeightsMatch(by, prefix, len(pairs), unused)


def _tensors(value: Any, file: Path, key: str | None) -> dict[str, Tensor]:
    """Return the mapping of names to tensors that lies in what was loaded."""
    if not isinstance(value, Mapping):
        raise RunError(f"--weights {file} holds no named tensors")
    if key is not None:
        if not isinstance(value.get(key), Mapping):
            there = ", ".join(str(k) for k, v in value.items() if isinstance(v, Mapping))
            raise UsageError(f"--weights-key {key}: {file} holds {there or 'no such group'}")
        return _tensors(value[key], file, None)
    found = {str(k): v for k, v in value.items() if isinstance(v, Tensor)}
    if found:
        return found
    groups = {str(k): v for k, v in value.items() if isinstance(v, Mapping) and _deep(v)}
    if len(groups) > 1:
        raise UsageError(
            f"--weights {file} holds several networks; name one with --weights-key: "
            f"{', '.join(groups)}"
        )
    if not groups:
        raise RunError(f"--weights {file} holds no named tensors")
    return _tensors(next(iter(groups.values())), file, None)


def _deep(value: Mapping[Any, Any]) -> bool:
    """Say whether a mapping leads to tensors that have names (an optimizer's have numbers)."""
    return any(
        (isinstance(v, Tensor) and isinstance(k, str)) or (isinstance(v, Mapping) and _deep(v))
        for k, v in value.items()
    )


def _prefix(needed: list[str], tensors: Mapping[str, Tensor]) -> str:
    """Return what must stand before the names so that most are the file's; "" if none are."""
    ends: dict[str, None] = {"": None}
    for name in needed[:3]:
        for theirs in tensors:
            if theirs.endswith(f".{name}"):
                ends[theirs.removesuffix(name)] = None
    return max(ends, key=lambda prefix: sum(prefix + name in tensors for name in needed))


def _require_all(
    needed: list[str],
    pairs: Mapping[str, str],
    wanted: Mapping[str, Tensor],
    tensors: Mapping[str, Tensor],
    file: Path,
    network: str,
) -> None:
    missing = [name for name in needed if name not in pairs]
    if not missing:
        return
    hint = "choose the network that they are of, with its --network-option"
    if len(missing) == len(needed) and _alike(wanted, tensors):
        hint = "its tensors have the network's shapes in order: --weights-match order takes them so"
    raise RunError(
        f"--weights {file} does not fit {network}: {len(missing)} of {len(needed)} tensors are "
        f"missing, {shortened(missing)}; it has {shortened(list(tensors))}; {hint}"
    )


def _require_shapes(
    pairs: Mapping[str, str],
    wanted: Mapping[str, Tensor],
    tensors: Mapping[str, Tensor],
    file: Path,
    network: str,
) -> None:
    for name, theirs in pairs.items():
        ours, given = tuple(wanted[name].shape), tuple(tensors[theirs].shape)
        if ours != given or wanted[name].is_floating_point() != tensors[theirs].is_floating_point():
            hint = ""
            if "pos_embed" in name:
                hint = "; --network-option img_size=N is the size that it was trained at"
            raise RunError(
                f"--weights {file} does not fit {network}: {theirs} is {given} where {ours} is "
                f"wanted{hint}"
            )


def _alike(wanted: Mapping[str, Tensor], tensors: Mapping[str, Tensor]) -> bool:
    ours, theirs = list(wanted.values()), list(tensors.values())
    shapes = [tuple(tensor.shape) for tensor in theirs]
    return [tuple(tensor.shape) for tensor in ours] == shapes[: len(ours)]


def _in_order(
    wanted: Mapping[str, Tensor], tensors: Mapping[str, Tensor], file: Path, network: str
) -> dict[str, str]:
    if not _alike(wanted, tensors):
        raise RunError(
            f"--weights {file} does not fit {network}: its {len(tensors)} tensors do not have the "
            f"shapes of the network's {len(wanted)} in order; leave out --weights-match order"
        )
    return dict(zip(wanted, tensors, strict=False))
