"""Our own networks, by name: plain data, of which `distill.networks.build` makes modules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Network:
    """What is known of a network without building it.

    Attributes:
        block: of two 3 × 3 convolutions, or a bottleneck.
        blocks: how many in each stage.
        planes: of the first stage; each later stage has twice as many.
        smallest: the smallest height and width it can take, in pixels.
        stride: pixels of the input per cell of the last feature map; ⌈n / stride⌉ cells of n.
    """

    block: Literal["basic", "bottleneck"]
    blocks: tuple[int, int, int, int]
    planes: int
    smallest: int
    stride: int = 32

    @property
    def channels(self) -> int:
        """Channels of the last feature map."""
        return 8 * self.planes * (4 if self.block == "bottleneck" else 1)


NETWORKS: dict[str, Network] = {
    # the authors' "thin" network. Its first 32 planes are groups of one: a map of 1 × 1 fails.
    "resnet10": Network("basic", (1, 1, 1, 1), 32, 5),
    # torchvision's, with GroupNorm(32, planes) for its batch norms
    "resnet18": Network("basic", (2, 2, 2, 2), 64, 1),
    "resnet34": Network("basic", (3, 4, 6, 3), 64, 1),
    "resnet50": Network("bottleneck", (3, 4, 6, 3), 64, 1),
}
