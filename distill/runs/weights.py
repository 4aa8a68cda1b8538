"""weights.json: what is known of the weights beside it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distill.data import read_stains
from distill.errors import RunError, UsageError
from distill.files import encode, read_json
from distill.networks import NetworkSpec

if TYPE_CHECKING:
    from distill.data import Channels, StainFigures, Stains

FORMAT = "distill-run/1"
SETTINGS, STAINS = "network_settings", "stains"
LOWEST = "lowest validation loss"
"""Why an epoch was chosen: what `Weights.chosen` says where validation crops chose it."""


@dataclass(frozen=True)
class Weights:
    """What weights.json says about weights.safetensors.

    Attributes:
        network: name of the network; see `distill.networks.NetworkSpec`.
        classes: names of the classes, in the order of the logits.
        level: the level it takes.
        mpp: µm per pixel of that level, the median over the training crops.
        mean: of R, G and B in 0..1 units, to standardise with.
        std: of R, G and B in 0..1 units, to standardise with.
        epoch: the epoch the weights are from, counted from 1; 0 if no epoch was better than the
            trained weights that the training started from, and they are these.
        chosen: why that epoch.
        network_settings: what of the network is not as its name says; in the file only if any is.
        stains: what the stains of each crop are brought to, before it is standardised; None, and
            not in the file, where they stay as they are.
    """

    network: str
    classes: list[str]
    level: str
    mpp: float
    mean: Channels
    std: Channels
    epoch: int
    chosen: str
    network_settings: Mapping[str, Any] = field(default_factory=dict)
    stains: StainFigures | None = None

    @property
    def spec(self) -> NetworkSpec:
        """The network."""
        return NetworkSpec.from_settings(self.network, self.network_settings)

    @property
    def read_with(self) -> Stains:
        """What a crop is read with: see `distill.data.prefetch.read_crops`."""
        return {} if self.stains is None else {self.level: self.stains}

    def metadata(self) -> dict[str, str]:
        """Return what weights.safetensors itself says, so that the two files hold together."""
        told = {
            "network": self.network,
            "classes": json.dumps(self.classes),
            "epoch": str(self.epoch),
        }
        if self.network_settings:
            told[SETTINGS] = json.dumps(self.network_settings, sort_keys=True)
        return told

    def to_json(self) -> bytes:
        """Return the content of weights.json."""
        value = asdict(replace(self, stains=None))
        del value[STAINS]
        if self.stains is not None:
            value[STAINS] = self.stains.record()
        if not self.network_settings:
            del value[SETTINGS]
        return encode(value)


def read_weights(path: Path) -> Weights:
    """Return what a weights.json says.

    Raises:
        RunError: if it cannot be read, or says too little or too much.
    """
    value = read_json(path)
    may = {SETTINGS, STAINS}
    wanted = {one.name for one in fields(Weights)} - may
    if value.keys() - may != wanted:
        odd = ", ".join(sorted((value.keys() - may) ^ wanted))
        raise RunError(f"{path} is not of {FORMAT}: missing or unexpected {odd}")
    try:
        made = Weights(
            network=str(value["network"]),
            classes=[str(name) for name in value["classes"]],
            level=str(value["level"]),
            mpp=_number("mpp", value["mpp"], above=0),
            mean=_channels("mean", value["mean"]),
            std=_channels("std", value["std"], above=0),
            epoch=int(value["epoch"]),
            chosen=str(value["chosen"]),
            network_settings=dict(value.get(SETTINGS, {})),
            stains=read_stains(value[STAINS]) if STAINS in value else None,
        )
        assert made.spec  # which says so where there is no such network
        return made
    except (AttributeError, TypeError, ValueError, UsageError) as error:
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
