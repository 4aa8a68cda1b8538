"""Groups of crops: an epoch's order cut into updates, and the updates into batches and shares.

An update is one step of the optimiser, made by a group of crops. A group is a list of batches; a
batch goes through the network at once. Groups decide the result; batches and shares only how the
work is laid out, for the gradient of a group is the mean over its crops however they are cut.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from distill.data.padding import WASTE, batch_by_size

Batch = tuple[int, ...]
Update = list[Batch]


class Extent(NamedTuple):
    """How large a crop is: (height, width) as the network will see it; bytes of all its levels."""

    size: tuple[int, int]
    held: int = 0


BatchingPolicy = Callable[[Sequence[int], int, Callable[[int], Extent]], list[Update]]
"""From an epoch's order, the crops in an update, and how large a crop is, to the epoch's groups:
every crop in exactly one batch of exactly one group."""


def one_by_one(
    order: Sequence[int], accumulate: int, extent: Callable[[int], Extent]
) -> list[Update]:
    """Cut an order into groups of `accumulate` crops, the last what is left; batches of one."""
    return [[(index,) for index in group] for group in updates(order, accumulate)]


def by_size(limit: int, most: int, held: int = 2**30, waste: float = WASTE) -> BatchingPolicy:
    """Return a policy whose batches hold crops of like sizes; see `distill.data.padding`.

    Args:
        limit: most pixels of a padded batch.
        most: most crops of a batch.
        held: most bytes of all levels of a batch's crops.
        waste: less than this fraction of a batch is padding; 0 batches crops of one size alone.
    """

    def cut(order: Sequence[int], accumulate: int, extent: Callable[[int], Extent]) -> list[Update]:
        groups = []
        for group in updates(order, accumulate):
            sizes, bytes_ = zip(*(extent(index) for index in group), strict=True)
            batches = batch_by_size(sizes, limit, most, bytes_, held, waste)
            groups.append([tuple(group[place] for place in batch.places) for batch in batches])
        return groups

    return cut


def updates(order: Sequence[int], accumulate: int) -> list[Sequence[int]]:
    """Return the crops of each update: `accumulate` in the epoch's order, then what is left."""
    return [order[start : start + accumulate] for start in range(0, len(order), accumulate)]


def shard(group: Update, rank: int, world: int) -> Update:
    """Return the batches of one process out of `world`: every world-th, from its rank on."""
    return group[rank::world]


def crops_in(groups: Sequence[Update]) -> list[int]:
    """Return the crops of some groups, in order."""
    return [index for group in groups for batch in group for index in batch]
