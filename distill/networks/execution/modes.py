"""How to run a network on a crop: with all activations in memory, some, or almost none.

Each part of the network (the stem, each block) runs in one of three ways, with the same result:

    plain          every map that the backward pass needs is kept
    checkpointed   the part's input is kept; the backward pass computes the part again
    tiled          likewise, but in strips (`distill.networks.execution.tiled`): no map inside the
    part ever exists

Later parts have smaller maps. So the choice is plain for all, then checkpointed for all, then the
first 1, 2, … parts tiled and the rest checkpointed, whichever is first to fit in the memory.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor
from torch.utils.checkpoint import checkpoint

from distill.networks import Output, ResNet
from distill.networks.execution.precision import recomputed
from distill.networks.execution.tiled import STRIP, Source, run

Mode = Literal["plain", "checkpointed", "tiled"]
ExecutionPlan = tuple[Mode, ...]
"""The mode of each of `network.parts()`."""


def forward(
    network: ResNet, x: Tensor | Source, way: ExecutionPlan, *, strip: int = STRIP
) -> Output:
    """Run a network the given way; the result and every gradient are those of `network(x)`.

    Args:
        network: the network.
        x: (B, 3, H, W) standardised float, or a source of (1, 3, H, W), which only a tiled stem
            reads row by row.
        way: the mode of each part.
        strip: see `distill.networks.execution.tiled.run`.

    Raises:
        ValueError: if `way` has not one mode for each part, or the input is too small.
    """
    parts = network.parts()
    if len(way) != len(parts):
        raise ValueError(f"{len(way)} modes for {len(parts)} parts")
    for part, mode in zip(parts, way, strict=True):
        if mode == "tiled":
            x = run(part, x, strip)
            continue
        whole = x if isinstance(x, Tensor) else x.rows(0, x.shape[2])
        if mode == "checkpointed":
            x = checkpoint(part, whole, use_reentrant=False, context_fn=recomputed)
        else:
            x = part(whole)
    assert isinstance(x, Tensor)
    return Output(network.classify(x), x)


def execution_plans(network: ResNet) -> list[ExecutionPlan]:
    """Return the ways to run a network, the quickest first."""
    count = len(network.parts())
    return [
        tiled_prefix(0, count, "plain"),
        *(tiled_prefix(tiled, count) for tiled in range(count + 1)),
    ]


def tiled_prefix(tiled: int, count: int, rest: Mode = "checkpointed") -> ExecutionPlan:
    """Return the way of `count` parts of which the first `tiled` are tiled."""
    first: list[Mode] = ["tiled"] * tiled
    return (*first, *[rest] * (count - tiled))


def plan_name(way: ExecutionPlan) -> str:
    """Return a way in words, as "plain" or "3 parts tiled, 2 checkpointed"."""
    modes = [mode for mode in ("plain", "tiled", "checkpointed") if mode in way]
    if len(modes) == 1:
        return modes[0]
    counts = [sum(mode == other for other in way) for mode in modes]
    parts = "part" if counts[0] == 1 else "parts"
    rest = [f"{n} {mode}" for n, mode in zip(counts[1:], modes[1:], strict=True)]
    return ", ".join([f"{counts[0]} {parts} {modes[0]}", *rest])
