"""Named tensors in safetensors files: written to a temporary name, renamed, read strictly."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError, safe_open

import wsistore
from distill.errors import RunError
from wsistore import texts

if TYPE_CHECKING:  # whoever reads JSON alone need not wait for torch
    from torch import Tensor, nn


def publish(path: Path, content: bytes) -> None:
    """Write a file so that it is never seen half-written: aside, to the disk, then renamed."""
    wsistore.atomic.write(path, content)


def save(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write named tensors, moved to the CPU, with their metadata, in one rename.

    Equal tensors and metadata make equal bytes.
    """
    from safetensors.torch import save as serialize

    held = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    publish(path, _in_order(serialize(held, metadata=dict(metadata))))


def _in_order(content: bytes) -> bytes:
    """Sort the metadata of a safetensors file, which its library writes in a random order.

    The file starts with the length of its JSON header, 8 bytes, little endian; spaces fill the
    header up to a multiple of 8.
    """
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + content[8 + length :]


@contextmanager
def _utf8_path(path: Path) -> Iterator[Path]:
    """Yield a path to the same file that safetensors can open: it takes UTF-8 alone."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        with tempfile.TemporaryDirectory(prefix="distill-") as folder:
            link = Path(folder) / "tensors.safetensors"
            link.symlink_to(path.absolute())
            yield link
        return
    yield path


def load(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return the named tensors of a file, on the CPU, and its metadata.

    Raises:
        RunError: if the file is missing or damaged.
    """
    try:
        with _utf8_path(path) as place, safe_open(place, framework="pt") as file:
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
        faults.append(f"missing {shortened(missing)}")
    if unexpected := sorted(tensors.keys() - wanted.keys()):
        faults.append(f"unexpected {shortened(unexpected)}")
    for name in sorted(wanted.keys() & tensors.keys()):
        ours, theirs = wanted[name], tensors[name]
        if ours.shape != theirs.shape or ours.dtype != theirs.dtype:
            faults.append(f"{name} is {_kind(theirs)} where {_kind(ours)} is wanted")
    if faults:
        shown = "; ".join(faults[:4]) + (f"; {len(faults) - 4} more" if len(faults) > 4 else "")
        raise RunError(f"{source} does not fit {target}: {shown}")
    network.load_state_dict(dict(tensors), strict=True)


def shortened(names: list[str]) -> str:
    """Return the first three names, and how many more there are."""
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _kind(tensor: Tensor) -> str:
    return f"{tuple(tensor.shape)} {str(tensor.dtype).removeprefix('torch.')}"


def encode(value: Mapping[str, Any]) -> bytes:
    """Return a mapping as the bytes of a JSON file: standard, indented, UTF-8, without NaN."""
    return (texts.json_text(value) + "\n").encode()


def read_json(path: Path) -> dict[str, Any]:
    """Return the object that a JSON file holds.

    Raises:
        RunError: if it cannot be read, or holds none.
    """
    try:
        value = wsistore.parse_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunError(f"{path} cannot be read ({error})") from error
    if not isinstance(value, dict):
        raise RunError(f"{path} does not hold a JSON object")
    return value
