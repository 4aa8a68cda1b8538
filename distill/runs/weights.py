"""weights.json: what is known of the weights beside it."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distill.errors import RunError
from distill.files import encode, read_json

if TYPE_CHECKING:
    from distill.data import Channels

FORMAT = "distill-run/1"
LOWEST = "lowest validation loss"
"""Why an epoch was chosen: what `Weights.chosen` says where validation crops chose it."""


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
        epoch: the epoch the weights are from, counted from 1; 0 if no epoch was better than the
            trained weights that the training started from, and they are these.
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

    def metadata(self) -> dict[str, str]:
        """Return what weights.safetensors itself says, so that the two files hold together."""
        return {
            "network": self.network,
            "classes": json.dumps(self.classes),
            "epoch": str(self.epoch),
        }

    def to_json(self) -> bytes:
        """Return the content of weights.json."""
        return encode(asdict(self))


def read_weights(path: Path) -> Weights:
    """Return what a weights.json says.

    Raises:
        RunError: if it cannot be read, or says too little or too much.
    """
    value = read_json(path)
    wanted = {field.name for field in fields(Weights)}
    if value.keys() != wanted:
        odd = ", ".join(sorted(value.keys() ^ wanted))
        raise RunError(f"{path} is not of {FORMAT}: missing or unexpected {odd}")
    try:
        return Weights(
            network=str(value["network"]),
            classes=[str(name) for name in value["classes"]],
            level=str(value["level"]),
            mpp=_number("mpp", value["mpp"], above=0),
            mean=_channels("mean", value["mean"]),
            std=_channels("std", value["std"], above=0),
            epoch=int(value["epoch"]),
            chosen=str(value["chosen"]),
        )
    except (TypeError, ValueError) as error:
        raise RunError(f"{path} is damaged ({error})") from error


def _channels(name: str, value: Any, above: float = -math.inf) -> Channels:
    red, green, blue = (_number(name, one, above) for one in value)
    return red, green, blue


def _number(name: str, value: Any, above: float = -math.inf) -> float:
    found = float(value)
    if isinstance(value, bool | str) or not math.isfinite(found) or found <= above:
        wanted = "a finite number" if above == -math.inf else f"a finite number above {above:g}"
        raise ValueError(f"{name} is {value!r}, not {wanted}")
    return found
