"""Balanced sampling: as many crops of each class in an epoch, whatever there are."""

from __future__ import annotations

from collections.abc import Sequence

from distill.data.rng import RandomStream, rng_for


def balanced_order(seed: int, epoch: int, labels: Sequence[int]) -> list[int]:
    """Return the samples of an epoch in their order, a pure function of the arguments.

    An epoch has as many samples as there are crops, n. Each of the K classes has ⌊n / K⌋ of them; n
    mod K classes, drawn in each epoch, have one more. The crops of a class are passed over in an
    order that is new in each pass, until the class has its share. So of a class with more crops
    than its share some are left out, others in each epoch; of one with fewer, each crop comes
    equally often, or once more than others. At last all samples are put in a random order.

    A sample's number is its crop's place for the first pass; each further pass adds n. A crop that
    comes again has thus a number, and with it an augmentation, of its own.

    Args:
        seed: the run's seed.
        epoch: number of the epoch, from 1.
        labels: class number of each crop.
    """
    rng, count = rng_for(seed, RandomStream.SAMPLING, epoch, 0), len(labels)
    classes = sorted(set(labels))
    larger = set(rng.permutation(len(classes))[: count % len(classes)].tolist())
    numbers: list[int] = []
    for place, label in enumerate(classes):
        own = [index for index, one in enumerate(labels) if one == label]
        left = count // len(classes) + (place in larger)
        passes = 0
        while left > 0:
            passed = rng.permutation(own)[:left]
            numbers += [int(index) + passes * count for index in passed]
            left -= len(passed)
            passes += 1
    return [numbers[place] for place in rng.permutation(len(numbers))]
