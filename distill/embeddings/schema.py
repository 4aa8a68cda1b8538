"""The parts of stored embeddings, as docs/reference/embeddings-format.md has them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

import wsistore
from distill.data import rows_at
from distill.embeddings.choices import VIEWS
from distill.embeddings.tiles import TileRule
from distill.errors import UsageError
from distill.networks import MAP, NetworkSpec

FORMAT = 2
"""Version of the format that is read; a reader refuses a newer one. See `format_of`."""
KEY = "distill_embeddings"
METADATA = "zarr.json"
CROPS_CSV = "crops.csv"
VECTORS = "vectors"
PROGRESS = "progress"
"""Folder that is there as long as vectors are being written; it holds those that are there."""
IDENTITY = (
    "network", "network_settings", "weights_sha256", "pool", "level", "tile", "overlap", "mean",
    "std", "precision", "channels",
)  # fmt: skip
"""What must be the same for vectors to be of one kind: a head learns from one kind."""


@dataclass(frozen=True)
class EmbeddingsMetadata:
    """What is true of all vectors; kept in the root group's attributes.

    Attributes:
        network: name of the network; see `distill.networks.NetworkSpec`.
        network_settings: what of it is not as its name says.
        weights_sha256: of the file that its weights are from.
        weights: how the file's tensors became the network's; see `WeightsMatch`. Or, of a run,
            "by": "run", and what `Run.origin` says.
        pool: one of `distill.networks.POOLINGS`, or `MAP` for the network of a run.
        level: the level that was looked at.
        mpp: µm per pixel of that level, the median over the crops.
        tile: pixels a side of a tile; 0 where each crop is one, whole.
        overlap: pixels that it shares with the next one.
        mean: of R, G and B in 0..1 units, that the input was standardised with.
        std: of R, G and B in 0..1 units.
        precision: "fp32", or "bf16" for autocast; vectors are float32 all the same.
        views: a key of `distill.embeddings.choices.VIEWS`.
        channels: D, the length of a vector.
        batch_size: tiles that passed through the network together; decides no value but by
            rounding.
        split: name of the split and of its set that were embedded; None for all crops.
        subset: see `split`.
    """

    network: str
    network_settings: Mapping[str, Any]
    weights_sha256: str
    weights: Mapping[str, Any]
    pool: str
    level: str
    mpp: float
    tile: int
    overlap: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    precision: str
    views: str
    channels: int
    batch_size: int
    split: str | None = None
    subset: str | None = None

    @property
    def spec(self) -> NetworkSpec:
        """The network."""
        return NetworkSpec.from_settings(self.network, self.network_settings)

    @property
    def rule(self) -> TileRule:
        """How crops were cut into tiles."""
        return TileRule(self.tile, self.overlap)

    def identity(self) -> dict[str, Any]:
        """Return what says of which kind the vectors are, for JSON."""
        values = {name: getattr(self, name) for name in IDENTITY}
        return {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}


@dataclass(frozen=True)
class EmbeddedCrop:
    """A crop whose tiles have vectors.

    Attributes:
        crop: its id.
        height: pixels at the level.
        width: pixels at the level.
        rows: of tiles, of the crop as it is.
        columns: of tiles.
        pixels_sha256: see `crop_digests`.
        first: its first row among the vectors.
    """

    crop: str
    height: int
    width: int
    rows: int
    columns: int
    pixels_sha256: str
    first: int = field(default=0)

    @property
    def cells(self) -> int:
        """Tiles of one view; a turned crop has as many."""
        return self.rows * self.columns


def format_of(about: EmbeddingsMetadata) -> int:
    """Return the earliest version that has such embeddings: those of a run came with the second."""
    return 2 if about.pool == MAP else 1


def crop_digests(levels: pd.DataFrame, crops: Sequence[str], level: str) -> dict[str, str]:
    """Return a hash of each crop's pixels at a level, from the store's exact sums.

    SHA-256 of the line `crop,level,height,width,sum_r,sum_g,sum_b,sumsq_r,sumsq_g,sumsq_b` and a
    newline. Crops that lack the level are left out.

    Args:
        levels: `store.levels`.
        crops: ids.
        level: name of the level.
    """
    columns = ["crop", "height", "width"]
    columns += [f"{kind}_{channel}" for kind in ("sum", "sumsq") for channel in "rgb"]
    rows = rows_at(levels, crops, level)[columns]
    return {
        str(crop): hashlib.sha256(
            f"{crop},{level},{','.join(str(int(one)) for one in numbers)}\n".encode()
        ).hexdigest()
        for crop, *numbers in rows.itertuples(index=False, name=None)
    }


def embedded_crops(
    store: wsistore.Store, crops: Sequence[str], level: str, rule: TileRule, views: str
) -> list[EmbeddedCrop]:
    """Return the places of the vectors of some crops that have the level, in their order."""
    rows = store.levels[store.levels["level"] == level].set_index("crop")
    sizes = {str(c): (int(h), int(w)) for c, h, w in rows[["height", "width"]].itertuples()}
    digests = crop_digests(store.levels, crops, level)
    found, first = [], 0
    for crop in crops:
        cells = rule.cells(*sizes[crop])
        found.append(EmbeddedCrop(crop, *sizes[crop], *cells, digests[crop], first))
        first += VIEWS[views] * found[-1].cells
    return found


def crops_csv(crops: Sequence[EmbeddedCrop]) -> bytes:
    """Return the content of crops.csv: the fields of `EmbeddedCrop`, a row a crop."""
    table = pd.DataFrame([vars(crop) for crop in crops])
    return table.to_csv(index=False, lineterminator="\n").encode()


def count(crops: Sequence[EmbeddedCrop], views: str) -> int:
    """Return the number of vectors of some crops."""
    return int(np.sum([crop.cells for crop in crops], dtype=np.int64)) * VIEWS[views]


def require_views(views: str) -> str:
    """Return a kind of views, if there is such a kind.

    Raises:
        UsageError: if there is not.
    """
    if views not in VIEWS:
        raise UsageError(f"--views {views} is none of {', '.join(VIEWS)}")
    return views
