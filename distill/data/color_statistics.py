"""How far a slide's colours lie from those of the slides that a network was trained on.

A crop's *colour* is six numbers: mean and population standard deviation of R, G and B over its
pixels, in units where 255 is 1. A slide's is the mean over its crops. With the mean m and the
sample covariance S of n training slides, a slide v lies at the (Mahalanobis) distance

    d(v) = √((v − m)ᵀ (S + I / 255²)⁻¹ (v − m))

in standard deviations. The identity keeps a difference of one grey level from ever being notable,
and S invertible. The *threshold* is the 99 % quantile (the next higher value) of what the training
slides measure themselves, each by m and S of the others. A slide from where the training slides
are from exceeds their largest distance with a chance of about 1 / (n + 1).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from distill.data.subsets import rows_at
from distill.errors import RunError
from distill.types import Floats

MIN_CROPS = 8
"""Training slides below which nothing is said: the chance above would be over one in nine."""
QUANTILE = 0.99
FLOOR = 1 / 255**2
NAMES = ("mean_r", "mean_g", "mean_b", "std_r", "std_g", "std_b")


@dataclass(frozen=True)
class ColorStatistics:
    """Colours of training slides.

    Attributes:
        slides: how many there were.
        mean: (6,), in the order of `NAMES`.
        covariance: (6, 6).
        threshold: distance above which a slide is out of the ordinary.
    """

    slides: int
    mean: list[float]
    covariance: list[list[float]]
    threshold: float

    def distance(self, color: Floats) -> float:
        """Return how far a slide's colour, (6,), lies from the training slides'."""
        off = color - np.array(self.mean)
        return float(_distances(off[None], np.array(self.covariance)[None])[0])

    def record(self) -> dict[str, Any]:
        """Return what config.json holds."""
        return asdict(self)

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> ColorStatistics:
        """Return what `record` wrote.

        Raises:
            RunError: it is something else.
        """
        try:
            found = cls(**record)
            shapes = np.shape(found.mean), np.shape(found.covariance)
            if shapes != ((6,), (6, 6)) or not found.threshold > 0:
                raise ValueError(f"mean and covariance have the shapes {shapes}")
        except (TypeError, ValueError) as error:
            raise RunError(f"the colours in config.json are damaged ({error})") from error
        return found


def measure_colors(
    levels: pd.DataFrame, crops: Collection[str], level: str
) -> ColorStatistics | None:
    """Return the colours of the slides that some crops are of; None for fewer than `MIN_CROPS`.

    They come from the exact sums in the store, so that no pixel is read.

    Args:
        levels: `store.levels`.
        crops: ids, SLIDE/N.
        level: name of the level.
    """
    found = slide_colors(levels, crops, level)
    return None if len(found) < MIN_CROPS else summarize(found.to_numpy())


def slide_colors(levels: pd.DataFrame, crops: Collection[str], level: str) -> pd.DataFrame:
    """Return the colours of the slides that some crops are of, a row each, columns `NAMES`.

    Args:
        levels: `store.levels`.
        crops: ids, SLIDE/N.
        level: name of the level.
    """
    rows = rows_at(levels, crops, level)
    slides = rows["crop"].str.rpartition("/")[0].rename("slide")
    pixels = (rows["height"] * rows["width"]).to_numpy(np.float64)[:, None]
    total = rows[["sum_r", "sum_g", "sum_b"]].to_numpy(np.float64)
    squares = rows[["sumsq_r", "sumsq_g", "sumsq_b"]].to_numpy(np.float64)
    each = pd.DataFrame(_color(total, squares, pixels), columns=list(NAMES), index=rows.index)
    means: pd.DataFrame = each.groupby(slides).mean()
    return means


def summarize(slides: Floats) -> ColorStatistics:
    """Return what to keep of the colours of n ≥ 3 slides, (n, 6)."""
    n = len(slides)
    mean = slides.mean(0)
    off = slides - mean
    covariance = off.T @ off / (n - 1)
    # of the others: the mean moves away from the slide, and the slide's part leaves the sum
    products = off[:, :, None] * off[:, None, :]
    others = ((n - 1) * covariance - n / (n - 1) * products) / (n - 2)
    own = _distances(off * n / (n - 1), others)
    threshold = float(np.quantile(own, QUANTILE, method="higher"))
    return ColorStatistics(n, mean.tolist(), covariance.tolist(), threshold)


def crop_color(image: np.ndarray) -> Floats:
    """Return the colour of (3, H, W) uint8 pixels, (6,)."""
    flat = image.reshape(3, -1)
    total = flat.sum(1, dtype=np.uint64)
    squares = np.array([np.square(c, dtype=np.uint16).sum(dtype=np.uint64) for c in flat])
    return _color(total.astype(np.float64), squares.astype(np.float64), flat.shape[1])


def _color(total: Floats, squares: Floats, pixels: Floats | int) -> Floats:
    """Σ v and Σ v² of channels, (…, 3), and the number of pixels → colours (…, 6)."""
    mean = total / pixels
    spread = np.sqrt(np.maximum(squares / pixels - mean**2, 0))
    return np.concatenate([mean, spread], axis=-1) / 255


def _distances(off: Floats, covariances: Floats) -> Floats:
    """Differences (n, 6) and covariances (n, 6, 6) → distances (n,)."""
    solved = np.linalg.solve(covariances + FLOOR * np.eye(len(NAMES)), off[:, :, None])[:, :, 0]
    distances: Floats = np.sqrt(np.maximum((off * solved).sum(1), 0))
    return distances
