"""Reading vectors, strictly: what is damaged, or of other pixels, is an error, never a vector."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import zarr
from numpy.typing import NDArray
from torch import Tensor

import wsistore
from distill.embeddings import schema
from distill.embeddings.choices import VIEWS
from distill.embeddings.schema import EmbeddedCrop, EmbeddingsMetadata
from distill.errors import EmbeddingsError, UsageError

_ZARR = (OSError, ValueError, RuntimeError, TypeError, KeyError, AttributeError)
"""All that zarr raises where metadata is damaged."""
HELD_BYTES = 256 * 2**20
"""Vectors that have no more bytes, decoded, are held in memory from their first use."""


class EmbeddingsReader:
    """Embeddings, opened for reading.

    Attributes:
        path: the folder.
        about: what is true of all vectors.
    """

    def __init__(self, path: Path, held: int = HELD_BYTES) -> None:
        """Open the embeddings at `path`; as many bytes of vectors, at most, are held in memory.

        Raises:
            EmbeddingsError: if there are none, or they are not finished, newer, or damaged.
        """
        self.path = path
        self.about = _about(path)
        self._places = _places(path, self.about)
        self._held = held
        # what `require` has found to be here
        self._required: tuple[dict[str, str], tuple[str, ...]] | None = (
            None  # what was found to be here
        )
        self._vectors: zarr.Array[Any] | NDArray[Any] | None = None

    @property
    def views(self) -> int:
        """Number of views of each crop."""
        return VIEWS[self.about.views]

    def size(self, crops: Sequence[str]) -> int:
        """Return how many numbers the vectors of one view of some crops are."""
        return sum(self._place(crop).cells for crop in crops) * self.about.channels

    def require(self, store: wsistore.Store, crops: Sequence[str]) -> None:
        """Refuse crops that have no vectors here, or whose pixels are not those of the vectors.

        Raises:
            EmbeddingsError: naming the first of them.
        """
        asked = store.tables_sha256(), tuple(crops)
        if asked == self._required:
            return
        digests = schema.crop_digests(store.levels, crops, self.about.level)
        lacking = [crop for crop in crops if crop not in self._places]
        if lacking:
            more = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
            raise EmbeddingsError(
                f"{self.path} has no vectors of crop {lacking[0]}{more} of {store.url}; make "
                "embeddings that hold them with distill embed, and give those with --embeddings"
            )
        for crop in crops:
            if digests.get(crop) != self._places[crop].pixels_sha256:
                raise EmbeddingsError(
                    f"{self.path} was made of other pixels than {store.url} has of crop {crop} at "
                    f"{self.about.level}: the store has changed; make them again with distill "
                    "embed, and give those with --embeddings"
                )
        self._required = asked

    def grid(self, crop: str, view: int = 0) -> Tensor:
        """Return the map of a crop's view, (1, D, rows, columns) float32.

        Raises:
            EmbeddingsError: if there is none, or it is damaged.
        """
        place = self._place(crop)
        rows, columns = (place.rows, place.columns)[:: -1 if view % 2 else 1]
        return self.bag(crop, view).view(1, rows, columns, -1).permute(0, 3, 1, 2).contiguous()

    def bag(self, crop: str, view: int = 0) -> Tensor:
        """Return the vectors of a crop's view in reading order, (n, D) float32.

        Raises:
            EmbeddingsError: if there are none, or they are damaged.
        """
        place = self._place(crop)
        if view >= self.views:
            raise EmbeddingsError(f"{self.path} has {self.about.views} views, not view {view}")
        start = place.first + view * place.cells
        try:
            values = np.asarray(self._opened()[start : start + place.cells])
        except (OSError, RuntimeError, ValueError) as error:
            raise self._damaged(str(error)) from error
        if not np.isfinite(values).all():
            raise self._damaged(f"a vector of crop {crop} is not finite")
        return torch.from_numpy(values.copy())

    def _place(self, crop: str) -> EmbeddedCrop:
        if crop not in self._places:
            raise EmbeddingsError(f"{self.path} has no vectors of crop {crop}")
        return self._places[crop]

    def _opened(self) -> zarr.Array[Any] | NDArray[Any]:
        if self._vectors is None:
            wanted = (sum(p.cells for p in self._places.values()) * self.views, self.about.channels)
            try:
                array = zarr.open_array(store=str(self.path / schema.VECTORS), mode="r")
                if array.shape != wanted or array.dtype != np.float32:
                    raise ValueError(f"it is {array.dtype} {array.shape}, not float32 {wanted}")
                self._vectors = np.asarray(array[:]) if array.nbytes <= self._held else array
            except _ZARR as error:
                raise self._damaged(repr(error)) from error
        return self._vectors

    def _damaged(self, why: str) -> EmbeddingsError:
        return EmbeddingsError(
            f"{self.path / schema.VECTORS} is damaged ({why}); make it again with distill embed "
            "--overwrite"
        )


def require_kind(vectors: EmbeddingsReader, wanted: dict[str, Any], who: str) -> None:
    """Refuse vectors of another kind than a head learnt from.

    Args:
        vectors: what was given.
        wanted: `EmbeddingsMetadata.identity` of what the head learnt from.
        who: the run, for the message.

    Raises:
        UsageError: naming the first difference.
    """
    for key, value in vectors.about.identity().items():
        if wanted.get(key) != value:
            raise UsageError(
                f"--embeddings {vectors.path} is of {key} {value}, and {who} learnt from "
                f"{key} {wanted.get(key)}; give embeddings of the same kind"
            )


def _about(path: Path) -> EmbeddingsMetadata:
    file = path / schema.METADATA
    try:
        metadata = wsistore.parse_json(file.read_text(encoding="utf-8"))
        value = wsistore.json_value(dict[str, Any], metadata["attributes"][schema.KEY], schema.KEY)
    except FileNotFoundError as error:
        raise EmbeddingsError(
            f"{path} holds no embeddings (it has no {schema.METADATA})"
        ) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EmbeddingsError(f"{file} is not of embeddings ({error})") from error
    if (path / schema.PROGRESS).exists():
        raise EmbeddingsError(f"{path} is not finished; run distill embed again to go on")
    number = value.pop("format", None)
    if type(number) is not int or number > schema.FORMAT:
        raise EmbeddingsError(f"{path} is of format {number}; this version reads {schema.FORMAT}")
    wanted = {field.name for field in fields(EmbeddingsMetadata)}
    if odd := sorted(wanted ^ value.keys()):
        raise EmbeddingsError(f"{file}: missing or unexpected {', '.join(odd)}")
    try:
        about = wsistore.json_record(EmbeddingsMetadata, value)
        schema.require_views(about.views)
        _ = about.spec, about.rule  # which say so where there are no such
    except (TypeError, ValueError, UsageError) as error:
        raise EmbeddingsError(f"{file} is damaged ({error})") from error
    figures = (about.mpp, *about.std)
    if not all(0 < one < math.inf for one in figures) or not np.isfinite(about.mean).all():
        raise EmbeddingsError(f"{file} is damaged (mpp, mean and std are no such figures)")
    return about


def _places(path: Path, about: EmbeddingsMetadata) -> dict[str, EmbeddedCrop]:
    file = path / schema.CROPS_CSV
    text = {"crop": str, "pixels_sha256": str}
    names = [field.name for field in fields(EmbeddedCrop)]
    try:
        table = pd.read_csv(file, dtype=text, keep_default_na=False)[names]
        table = table.astype({name: "int64" for name in names if name not in text})
        found = {str(row[0]): EmbeddedCrop(*row) for row in table.itertuples(index=False)}
    except (OSError, ValueError, KeyError) as error:
        raise EmbeddingsError(f"{file} cannot be read ({error})") from error
    first = 0
    for place in found.values():
        if place.first != first or (place.rows, place.columns) != about.rule.cells(
            place.height, place.width
        ):
            raise EmbeddingsError(f"{file} is damaged: crop {place.crop} is not where it must be")
        first += place.cells * VIEWS[about.views]
    if len(found) != len(table):
        raise EmbeddingsError(f"{file} lists a crop twice")
    return found
