"""Which crops of an update share a batch, so that little of it is padding.

An update uses the mean gradient of a group of `accumulate` crops that follow each other in the
epoch's order. A mean does not depend on how the group is cut into batches, and a padded batch gives
what its crops would give one by one (`distill.networks.execution.masked`). So batching changes the
time and nothing
else: crops never move to another group, since groups of like sizes would be another training.
"""

from collections.abc import Sequence
from dataclasses import dataclass

WASTE = 0.15
"""Each batch has less than this fraction of padding."""


@dataclass(frozen=True)
class PaddedBatch:
    """Crops that are padded to one size.

    Attributes:
        places: the crops, by their place among the sizes given, largest area first.
        height: of the padded batch.
        width: of the padded batch.
        area: pixels that are not padding, summed over the crops.
        held: bytes of all that is read for the crops.
    """

    places: tuple[int, ...]
    height: int
    width: int
    area: int
    held: int = 0

    @property
    def pixels(self) -> int:
        """Pixels of the padded batch."""
        return len(self.places) * self.height * self.width

    @property
    def waste(self) -> float:
        """Fraction of the padded batch that is padding."""
        return 1 - self.area / self.pixels

    def joined(self, place: int, size: tuple[int, int], held: int) -> "PaddedBatch":
        """Return this batch with one more crop of (height, width) `size` and `held` bytes."""
        return PaddedBatch(
            (*self.places, place),
            max(self.height, size[0]),
            max(self.width, size[1]),
            self.area + size[0] * size[1],
            self.held + held,
        )


def batch_by_size(
    sizes: Sequence[tuple[int, int]],
    limit: int,
    most: int,
    held: Sequence[int] | None = None,
    most_held: int = 0,
    waste: float = WASTE,
) -> list[PaddedBatch]:
    """Cut crops into batches of like sizes.

    From the largest area to the smallest, each crop joins the batch in which it leaves the least
    padding, and opens one of its own where that would be `waste` or more, or past a limit. To cut
    one of these batches again gives that batch.

    Args:
        sizes: (height, width) of each crop as the network will see it: a quarter turn has
            exchanged the two.
        limit: most pixels of a padded batch. A crop that has more makes a batch alone.
        most: most crops of a batch.
        held: bytes that are read for each crop; None does not count them.
        most_held: most such bytes of a batch. A crop that has more makes a batch alone.
        waste: less than this fraction of a batch is padding; 0 batches crops of one size alone.

    Returns:
        Batches that hold every place of `sizes` once.
    """
    batches: list[PaddedBatch] = []
    for place in sorted(range(len(sizes)), key=lambda i: (-sizes[i][0] * sizes[i][1], i)):
        (height, width), own = sizes[place], held[place] if held else 0
        choices = [
            (batch.joined(place, sizes[place], own), number)
            for number, batch in enumerate(batches)
            if len(batch.places) < most
        ]
        fitting = [
            (b.waste, n, b)
            for b, n in choices
            if (b.waste < waste or b.area == b.pixels) and b.pixels <= limit and b.held <= most_held
        ]
        if fitting:
            _, number, batch = min(fitting, key=lambda choice: choice[:2])
            batches[number] = batch
        else:
            batches.append(PaddedBatch((place,), height, width, height * width, own))
    return batches
