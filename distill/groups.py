"""Groups of crops: an epoch's order cut into updates, and the updates into batches and shares.

An update is one step of the optimiser, made by a group of crops. A group is a list of batches; a
batch goes through the network at once. Groups decide the result; batches and shares only how the
work is laid out, for the gradient of a group is the mean over its crops however they are cut.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

Batch = tuple[int, ...]
Group = list[Batch]
Cut = Callable[[Sequence[int], int], list[Group]]
"""From an epoch's order and the crops in an update to its groups, every crop in exactly one."""


def one_by_one(order: Sequence[int], accumulate: int) -> list[Group]:
    """Cut an order into groups of `accumulate` crops, the last what is left; batches of one."""
    return batches_of(1)(order, accumulate)


def batches_of(size: int) -> Cut:
    """Return a cut whose batches hold `size` crops (fewer at the end of a group)."""

    def cut(order: Sequence[int], accumulate: int) -> list[Group]:
        starts = range(0, len(order), accumulate)
        groups = (order[start : start + accumulate] for start in starts)
        return [
            [tuple(group[at : at + size]) for at in range(0, len(group), size)] for group in groups
        ]

    return cut


def share(group: Group, rank: int, world: int) -> Group:
    """Return the batches of one process out of `world`: every world-th, from its rank on."""
    return group[rank::world]


def crops_in(groups: Sequence[Group]) -> list[int]:
    """Return the crops of some groups, in order."""
    return [index for group in groups for batch in group for index in batch]
