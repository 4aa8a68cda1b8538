"""Which crops of an update share a batch, so that little of it is padding.

An update uses the mean gradient of a group of `accumulate` crops that follow each other in the
epoch's order. A mean does not depend on how the group is cut into batches, and a padded batch gives
what its crops would give one by one (`distill.masked`). So batching changes the time and nothing
else: crops never move to another group, since groups of like sizes would be another training.
"""

from collections.abc import Sequence
from dataclasses import dataclass

WASTE = 0.15


@dataclass(frozen=True)
class Batch:
    """Crops that are padded to one size.

    Attributes:
        indices: the crops, by their place in the data set, largest area first.
        height: of the padded batch.
        width: of the padded batch.
        area: pixels that are not padding, summed over the crops.
    """

    indices: tuple[int, ...]
    height: int
    width: int
    area: int

    @property
    def pixels(self) -> int:
        """Pixels of the padded batch."""
        return len(self.indices) * self.height * self.width

    @property
    def waste(self) -> float:
        """Fraction of the padded batch that is padding."""
        return 1 - self.area / self.pixels

    def joined(self, index: int, size: tuple[int, int]) -> "Batch":
        """Return this batch with one more crop of (height, width) `size`."""
        return Batch(
            (*self.indices, index),
            max(self.height, size[0]),
            max(self.width, size[1]),
            self.area + size[0] * size[1],
        )


def plan(
    sizes: Sequence[tuple[int, int]],
    order: Sequence[int],
    accumulate: int,
    limit_pixels: int,
    *,
    waste: float = WASTE,
) -> list[list[Batch]]:
    """Cut an epoch into updates, and each update into batches.

    Within an update the crops are taken from the largest area to the smallest; each joins the batch
    in which it leaves the least padding, and opens one of its own where that would be `waste` or
    more, or more than `limit_pixels`. The result is a pure function of the arguments; the order is
    one of (seed, epoch), see `distill.pairs.order`.

    Args:
        sizes: (height, width) of every crop of the data set, after augmentation: a quarter turn
            exchanges them.
        order: places in the data set in the order of the epoch.
        accumulate: crops of an update; the last has what is left.
        limit_pixels: most pixels of a padded batch. A crop that has more makes a batch alone.
        waste: each batch has less than this fraction of padding.

    Returns:
        A list of batches for each update. The gradient of the update is the sum over its batches of
        the summed gradients of their crops, divided by the number of crops of the update.

    Raises:
        ValueError: if `accumulate` is less than 1 or `waste` is not in 0 < waste ≤ 1.
    """
    if accumulate < 1 or not 0 < waste <= 1:
        raise ValueError(f"accumulate {accumulate} must be 1 or more, waste {waste} in 0 … 1")
    groups = [order[start : start + accumulate] for start in range(0, len(order), accumulate)]
    return [_cut(sizes, group, limit_pixels, waste) for group in groups]


def _cut(
    sizes: Sequence[tuple[int, int]], group: Sequence[int], limit: int, waste: float
) -> list[Batch]:
    batches: list[Batch] = []
    for index in sorted(group, key=lambda i: (-sizes[i][0] * sizes[i][1], i)):
        height, width = sizes[index]
        choices = [(batch.joined(index, sizes[index]), n) for n, batch in enumerate(batches)]
        fitting = [(b.waste, n, b) for b, n in choices if b.waste < waste and b.pixels <= limit]
        if fitting:
            _, number, batch = min(fitting, key=lambda choice: choice[:2])
            batches[number] = batch
        else:
            batches.append(Batch((index,), height, width, height * width))
    return batches
