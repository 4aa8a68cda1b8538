"""Random numbers from a counter: the same (seed, purpose, epoch, index) gives the same stream."""

from enum import IntEnum

import numpy as np


class RandomStream(IntEnum):
    """What a stream is for; streams of different purposes never overlap."""

    ORDER = 1
    AUGMENTATION = 2
    STUDENT_COLORS = 3
    SAMPLING = 4
    STAINS = 5
    STUDENT_STAINS = 6


def rng_for(seed: int, purpose: RandomStream, epoch: int, index: int) -> np.random.Generator:
    """Return a fresh generator, a pure function of its arguments.

    Philox is a keyed function of a 256-bit counter. The seed is the key; purpose, epoch and index
    fill three of the counter's four words, and the draws themselves count in the first, so two
    streams meet only after 2⁶⁴ blocks.

    Args:
        seed: 0 to 2¹²⁸ - 1.
        purpose: what the numbers are for.
        epoch: 0 to 2⁶⁴ - 1.
        index: 0 to 2⁶⁴ - 1, the crop's place in its data set.
    """
    counter = np.array([0, int(purpose), epoch, index], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=seed, counter=counter))
