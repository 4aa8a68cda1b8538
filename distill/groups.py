"""Groups of crops: an epoch's order cut into updates, and the updates into batches and shares.

An update is one step of the optimiser, made by a group of crops. A group is a list of batches; a
batch goes through the network at once. Groups decide the result; batches and shares only how the
work is laid out, for the gradient of a group is the mean over its crops however they are cut.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from distill.batches import together

Batch = tuple[int, ...]
Group = list[Batch]
Size = tuple[int, int]
Cut = Callable[[Sequence[int], int, Callable[[int], Size]], list[Group]]
"""From an epoch's order, the crops in an update, and the (height, width) of a crop as the network
will see it, to the epoch's groups: every crop in exactly one batch of exactly one group."""


def one_by_one(order: Sequence[int], accumulate: int, size: Callable[[int], Size]) -> list[Group]:
    """Cut an order into groups of `accumulate` crops, the last what is left; batches of one."""
    return [[(index,) for index in group] for group in updates(order, accumulate)]


def by_size(limit: int, most: int) -> Cut:
    """Return a cut whose batches hold crops of like sizes; see `distill.batches.together`.

    Args:
        limit: most pixels of a padded batch.
        most: most crops of a batch.
    """

    def cut(order: Sequence[int], accumulate: int, size: Callable[[int], Size]) -> list[Group]:
        return [
            [
                tuple(group[place] for place in batch.places)
                for batch in together([size(index) for index in group], limit, most)
            ]
            for group in updates(order, accumulate)
        ]

    return cut


def updates(order: Sequence[int], accumulate: int) -> list[Sequence[int]]:
    """Return the crops of each update: `accumulate` in the epoch's order, then what is left."""
    return [order[start : start + accumulate] for start in range(0, len(order), accumulate)]


def share(group: Group, rank: int, world: int) -> Group:
    """Return the batches of one process out of `world`: every world-th, from its rank on."""
    return group[rank::world]


def crops_in(groups: Sequence[Group]) -> list[int]:
    """Return the crops of some groups, in order."""
    return [index for group in groups for batch in group for index in batch]
