"""Percentile bootstrap: how often each unit is drawn, and intervals of what follows.

Units are drawn with replacement, as many as there are. Units that count for the same (crops in one
cell of a confusion matrix, say) form a group, and a score only needs to know how often each group
is drawn. With n_g units in group g and n in all, those numbers are multinomial(n, n_g / n): drawing
them directly has exactly the distribution of drawing units, at a cost that does not depend on n.

*Crops*, scores of a confusion matrix: the groups are its cells. For runs compared on the same crops
they are the joint cells (truth, prediction of the first, of the second, …).

*Patients*: each is its own group (n_g = 1) and brings all of its crops; weights (draws, P)
times the patients' tables are the tables of the draws (`weighted`). Crops of one patient resemble
each other, so an interval over crops is too narrow if patients have several.

Draws come in blocks, so that memory stays near `BLOCK_BYTES` for any number of draws and units.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distill.types import Counts, Floats

Weights = NDArray[np.int64]

UNITS = ("patient", "crop")
DRAWS = 10_000
CONFIDENCE = 0.95
BLOCK_BYTES = 64 * 2**20
SERIAL = 2**18
"""Multiply-adds that BLAS does in one thread. For more it starts others, which wait by spinning: on
a machine with other work a small product took 20 ms with them and 0.1 ms without."""


def weights(
    sizes: NDArray[np.integer[Any]], rng: np.random.Generator, draws: int = DRAWS, row: int = 0
) -> Iterator[Weights]:
    """How often each group is drawn, in blocks (B, G) int64 whose B sum to `draws`.

    The generator alone decides: neither the size of the blocks nor `row` changes a number.

    Args:
        sizes: (G,) units in each group.
        rng: decides the draws.
        draws: number of resamples.
        row: 8-byte numbers that the caller makes of each draw; it counts towards a block's memory.

    Raises:
        ValueError: there is no group, or a group without a unit, or no draw is wanted.
    """
    if sizes.ndim != 1 or not sizes.size or (sizes < 1).any():
        raise ValueError("a bootstrap needs groups with at least one unit each")
    if draws < 1:
        raise ValueError(f"draws must be at least 1, not {draws}")
    groups, total = sizes.size, int(sizes.sum())
    most = max(1, BLOCK_BYTES // (8 * (3 * groups + row)))
    for start in range(0, draws, most):
        count = min(most, draws - start)
        if total > groups:
            yield rng.multinomial(total, sizes.astype(np.float64) / total, size=count)
        else:  # every unit is its own group: picking units takes a tenth of the time
            picked = rng.integers(groups, size=(count, groups))
            picked += np.arange(0, count * groups, groups)[:, None]
            times = np.bincount(picked.reshape(-1), minlength=count * groups)
            yield times.reshape(count, groups)


def cells(counts: Counts) -> tuple[NDArray[np.int64], Counts]:
    """Return a confusion matrix (K, K) as groups of crops: sizes (G,) and tables (G, K, K).

    Empty cells are no groups; each table holds one crop.
    """
    flat = np.asarray(counts, dtype=np.int64).reshape(-1)
    filled = np.flatnonzero(flat)
    tables = np.zeros((filled.size, flat.size), dtype=np.int64)
    tables[np.arange(filled.size), filled] = 1
    return flat[filled], tables.reshape(-1, *np.shape(counts))


def weighted(tables: Counts, weights: NDArray[np.integer[Any]]) -> Floats:
    """Sum of the groups' tables (G, …), each `weights` (B, G) times: (B, …) float64.

    Of whole numbers below 2⁵³ the sums are exact.
    """
    groups, *shape = tables.shape
    flat = tables.reshape(groups, -1).astype(np.float64)
    times = weights.astype(np.float64)
    rows = SERIAL // flat.size
    if rows < 64:  # one large product, which threads do speed up
        return (times @ flat).reshape(-1, *shape)
    sums = np.empty((len(times), flat.shape[1]))
    for start in range(0, len(times), rows):
        np.matmul(times[start : start + rows], flat, out=sums[start : start + rows])
    return sums.reshape(-1, *shape)


def percentiles(drawn: Floats, confidence: float = CONFIDENCE) -> Floats:
    """Return the ends of the percentile interval of (draws, …) values: (2, …).

    They are the (1 − confidence) / 2 and (1 + confidence) / 2 quantiles, interpolated linearly, of
    the draws in which the value is defined; NaN where it is in none.
    """
    tails = [(1 - confidence) / 2, (1 + confidence) / 2]
    if not np.isnan(drawn).any():
        return np.asarray(np.quantile(drawn, tails, axis=0), dtype=np.float64)
    columns = drawn.reshape(len(drawn), -1).T
    defined = [column[~np.isnan(column)] for column in columns]
    ends = [np.quantile(some, tails) if some.size else [np.nan, np.nan] for some in defined]
    return np.array(ends, dtype=np.float64).T.reshape(2, *drawn.shape[1:])
