"""A backbone's weights from a file that somebody else wrote: safetensors, or torch's without code.

Files differ in what they wrap the tensors in, and in what they put before their names. What was
found for each tensor of the backbone, and what was left, is returned, to be said and recorded.
"""

from __future__ import annotations

import pickle
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from distill.errors import RunError, UsageError
from distill.files import load, shortened
from distill.networks.backbones import Backbone
from distill.networks.dinov2_names import dinov2_names

TORCH = (".pt", ".pth", ".bin", ".ckpt")
"""Endings of files that torch writes; they are read with `weights_only=True`: no code runs."""
_HOW = {"name": "by name", "order": "in order", "dinov2": "by the names of transformers"}
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
        how = {"order": "in order", "dinov2": "by the names of transformers"}.get(
            self.by, "by name"
        )
        how += f" behind {self.prefix!r}" if self.prefix else ""
        rest = f"; not used: {shortened(list(self.unused))}" if self.unused else ""
        return f"{file.name}: all {self.matched} tensors of {network} matched {how}{rest}"


def read_tensors(file: Path, key: str | None = None) -> dict[str, Tensor]:
    """Return the named tensors of a weights file, on the CPU; no code of the file is run.

    They are mapped from the file, so that memory holds a network once it is filled and not its file
    too; but for what torch wrote before version 1.6.

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
            value = torch.load(
                file, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(file)
            )
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

    By name: the names may all have one prefix. As dinov2: likewise, with the names of
    `distill.networks.dinov2_names`. In order: the file's names are of another program and of no
    use, and its tensors have the shapes of the backbone's, one after the other; what is left at
    the end is not used.

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
        theirs = {name: dinov2_names(name) if by == "dinov2" else (name,) for name in wanted}
        prefix = _prefix([one for name in needed for one in theirs[name]], tensors)
        pairs = {
            name: tuple(prefix + part for part in parts)
            for name, parts in theirs.items()
            if parts and all(prefix + part in tensors for part in parts)
        }
        _require_all(needed, pairs, wanted, tensors, file, network)
    _require_shapes(pairs, wanted, tensors, file, network)
    for name, parts in pairs.items():  # one by one: a network and its copy may not both fit
        given = [tensors[part] for part in parts]
        wanted[name].copy_(given[0] if len(given) == 1 else torch.cat(given))
    used = {part for parts in pairs.values() for part in parts}
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
    pairs: Mapping[str, tuple[str, ...]],
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
    elif any(name.endswith(dinov2_names("norm.weight")) for name in tensors):
        hint = "if its names are those of transformers' Dinov2Model, give --weights-match dinov2"
    raise RunError(
        f"--weights {file} does not fit {network}: {len(missing)} of {len(needed)} tensors are "
        f"missing, {shortened(missing)}; it has {shortened(list(tensors))}; {hint}"
    )


def _require_shapes(
    pairs: Mapping[str, tuple[str, ...]],
    wanted: Mapping[str, Tensor],
    tensors: Mapping[str, Tensor],
    file: Path,
    network: str,
) -> None:
    for name, parts in pairs.items():
        ours, theirs = wanted[name], [tensors[part] for part in parts]
        # what is joined is so along the first axis, and of equal parts
        share = (ours.shape[0] // len(parts), *ours.shape[1:]) if len(parts) > 1 else ours.shape
        for part, tensor in zip(parts, theirs, strict=True):
            if tensor.shape == share and tensor.is_floating_point() == ours.is_floating_point():
                continue
            hint = ""
            if "pos_embed" in name:
                hint = "; --network-option img_size=N is the size that it was trained at"
            raise RunError(
                f"--weights {file} does not fit {network}: {part} is {tuple(tensor.shape)} where "
                f"{tuple(share)} is wanted{hint}"
            )


def _alike(wanted: Mapping[str, Tensor], tensors: Mapping[str, Tensor]) -> bool:
    ours, theirs = list(wanted.values()), list(tensors.values())
    shapes = [tuple(tensor.shape) for tensor in theirs]
    return [tuple(tensor.shape) for tensor in ours] == shapes[: len(ours)]


def _in_order(
    wanted: Mapping[str, Tensor], tensors: Mapping[str, Tensor], file: Path, network: str
) -> dict[str, tuple[str, ...]]:
    if not _alike(wanted, tensors):
        raise RunError(
            f"--weights {file} does not fit {network}: its {len(tensors)} tensors do not have the "
            f"shapes of the network's {len(wanted)} in order; leave out --weights-match order"
        )
    return {ours: (theirs,) for ours, theirs in zip(wanted, tensors, strict=False)}
