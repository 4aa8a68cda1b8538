"""The settings that name a network, as options of every command that makes one."""

from __future__ import annotations

import json
from dataclasses import dataclass

from distill.networks.registry import NETWORKS
from distill.networks.spec import NORMS, NetworkSpec, check_name, parse_options
from distill.settings import setting

NETWORK = "Network"
"""Group of `--help` for which network it is, and what it starts from."""


@dataclass(frozen=True, kw_only=True)
class NetworkSettings:
    """A network, as it is asked for; the fields' help says what each is."""

    network: str = setting(
        "resnet10",
        group=NETWORK,
        metavar="NAME",
        parse=check_name,
        help=f"{', '.join(NETWORKS)}, or a library's: timm/NAME, torchvision/NAME.",
        preset=True,
        tracked=True,
    )
    network_option: tuple[str, ...] = setting(
        (),
        group=NETWORK,
        metavar="KEY=VALUE",
        multiple=True,
        parse=tuple,
        help="What the library's function takes beside, such as img_size=224; may be repeated.",
        record=parse_options,
    )
    enlarge: int = setting(
        1,
        group=NETWORK,
        at_least=1,
        metavar="F",
        help="Enlarge the input F times, bilinearly, as the network's first layer.",
        tracked=True,
        recipe=True,
    )
    stem_stride: int | None = setting(
        None,
        group=NETWORK,
        at_least=1,
        metavar="S",
        help="Stride of the network's first layer that has one; a smaller one gives a finer map.",
        unset="as it comes",
        tracked=True,
        recipe=True,
    )
    norm_to: str = setting(
        "batch",
        group=NETWORK,
        choices=NORMS,
        help="group: group norms in place of a library network's batch norms, to train it from "
        "nothing; batch norms keep the running figures of --weights.",
        tracked=True,
        recipe=True,
    )

    @classmethod
    def of(cls, spec: NetworkSpec) -> NetworkSettings:
        """Return the settings that ask for a network."""
        return cls(
            network=spec.name,
            network_option=tuple(f"{key}={json.dumps(v)}" for key, v in spec.options.items()),
            enlarge=spec.enlarge,
            stem_stride=spec.stem_stride,
            norm_to=spec.norm_to,
        )

    @property
    def spec(self) -> NetworkSpec:
        """The network.

        Raises:
            UsageError: if there is no such network, or an option does nothing for it.
        """
        options = parse_options(self.network_option)
        return NetworkSpec(self.network, options, self.enlarge, self.stem_stride, self.norm_to)
