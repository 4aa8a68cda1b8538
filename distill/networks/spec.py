"""How a network is named: everything that makes it, but for its classes and its weights."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from distill.errors import UsageError
from distill.networks.registry import NETWORKS

LIBRARIES = ("timm", "torchvision")
NORMS = ("batch", "group")
"""What normalises inside: as its library makes it, or group norms in place of batch norms."""
_SETTINGS = ("options", "enlarge", "stem_stride", "norm_to")


@dataclass(frozen=True)
class NetworkSpec:
    """A network without classes and weights; `distill.networks.build` makes it.

    Attributes:
        name: a key of `NETWORKS`, "timm/NAME" or "torchvision/NAME".
        options: what the library's function takes beside, by name.
        enlarge: the input is enlarged so many times, bilinearly, before its first layer.
        stem_stride: pixels per cell after the first layer that has a stride; None as it comes.
        norm_to: one of `NORMS`.

    Raises:
        UsageError: if there is no such network, or a setting does nothing for it.
    """

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    enlarge: int = 1
    stem_stride: int | None = None
    norm_to: str = "batch"

    def __post_init__(self) -> None:
        check_name(self.name)
        if self.library is None and self.options:
            raise UsageError(f"--network-option is for timm/NAME and torchvision/NAME: {self.name}")
        if self.library is None and self.norm_to != "batch":
            raise UsageError(f"--norm-to {self.norm_to}: {self.name} has group norms already")

    @property
    def library(self) -> str | None:
        """The library that the network is of, one of `LIBRARIES`; None of ours."""
        return self.name.partition("/")[0] if "/" in self.name else None

    @property
    def plain(self) -> bool:
        """Whether it is one of `NETWORKS` as it stands there."""
        return self == NetworkSpec(self.name) and self.library is None

    @property
    def text(self) -> str:
        """The network in one line, as one would type it."""
        said = [self.name]
        said += [
            f"--network-option {key}={json.dumps(value)}" for key, value in self.options.items()
        ]
        said += [f"--enlarge {self.enlarge}"] if self.enlarge != 1 else []
        said += [f"--stem-stride {self.stem_stride}"] if self.stem_stride is not None else []
        said += [f"--norm-to {self.norm_to}"] if self.norm_to != "batch" else []
        return " ".join(said)

    def settings(self) -> dict[str, Any]:
        """Return what is not as it comes, for JSON; see `from_settings`."""
        plain = NetworkSpec(self.name)
        values = {name: getattr(self, name) for name in _SETTINGS}
        return {k: v for k, v in values.items() if v != getattr(plain, k)}

    @classmethod
    def from_settings(cls, name: str, settings: Mapping[str, Any]) -> NetworkSpec:
        """Return the network of which `settings` says what is not as it comes.

        Raises:
            ValueError: if they hold what is no setting, or a value of another type.
            UsageError: if there is no such network.
        """
        if odd := sorted(settings.keys() - set(_SETTINGS)):
            raise ValueError(f"unexpected {', '.join(odd)}")
        spec = cls(name, **settings)
        stride = spec.stem_stride
        if not isinstance(spec.options, Mapping) or spec.norm_to not in NORMS:
            raise ValueError(f"network settings {dict(settings)!r}")
        if any(
            type(v) is not int or v < 1 for v in (spec.enlarge, 1 if stride is None else stride)
        ):
            raise ValueError(f"network settings {dict(settings)!r}")
        return spec


def check_name(name: str) -> str:
    """Return a network's name, if it can be one; the library says whether it is, when it is made.

    Raises:
        UsageError: if it cannot.
    """
    library, slash, model = name.partition("/")
    if name in NETWORKS or (slash and library in LIBRARIES and re.fullmatch(r"[\w.\-]+", model)):
        return name
    known = ", ".join(NETWORKS)
    raise UsageError(f"network {name} is none of {known}, timm/NAME, torchvision/NAME")


def parse_options(given: Sequence[str]) -> dict[str, Any]:
    """Return "KEY=VALUE" texts as a mapping; a value is JSON where it can be, else text.

    Raises:
        UsageError: if one has no name or no "=", or a name is given twice.
    """
    found: dict[str, Any] = {}
    for text in given:
        key, sign, value = text.partition("=")
        if not sign or not key.isidentifier():
            raise UsageError(f"--network-option {text}: give it as KEY=VALUE")
        if key in found:
            raise UsageError(f"--network-option {key} is given twice")
        try:
            found[key] = json.loads(value)
        except ValueError:
            found[key] = value
    return found
