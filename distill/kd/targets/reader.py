"""Reading teacher targets, strictly: what is damaged is an error, never a target."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import zarr
from numpy.typing import NDArray
from torch import Tensor

import wsistore
from distill.data import AugmentationParams
from distill.errors import TargetsError
from distill.kd.targets import draws, schema
from distill.kd.targets.schema import TargetsMetadata

HELD_BYTES = 256 * 2**20
"""An array of maps that has no more bytes, decoded, is held in memory from its first use: to slice
a view from disk takes 1 to 2 ms, longer than a small student learns from it."""


@dataclass(frozen=True)
class _Place:
    """Where the targets of a crop are; columns of crops.csv."""

    rows: int
    columns: int
    views: int
    first_view: int
    first_cell: int


class TargetsReader:
    """An artifact of teacher targets, opened for reading.

    Attributes:
        path: the folder.
        about: what is true of all targets.
        draws: (V,), as `distill.kd.targets.draws.read_table` returns them.
    """

    def __init__(self, path: Path) -> None:
        """Open the targets at `path`.

        Raises:
            TargetsError: if there are none, or they are not finished, newer, or damaged.
        """
        self.path = path
        self.about, draws_sha256 = _about(path)
        self._places = _places(path)
        self._arrays: dict[str, zarr.Array[Any] | NDArray[Any]] = {}
        if draws_sha256 is None:
            self.draws = draws.read_array(path, self._small(draws.FORMAT_1_ARRAY))
        else:
            self.draws = draws.read_table(path, draws_sha256)
        if len(self.draws) != self.views:
            raise TargetsError(
                f"{path} is damaged: {len(self.draws)} draws of {self.views} views; teach again"
            )

    @property
    def metadata_file(self) -> Path:
        """The file that `about` is read from; its SHA-256 tells two artifacts apart."""
        return self.path / schema.METADATA

    @property
    def crops(self) -> tuple[str, ...]:
        """Ids of the crops, in the order of crops.csv."""
        return tuple(self._places)

    @property
    def views(self) -> int:
        """Number of views of all crops together."""
        return sum(place.views for place in self._places.values())

    def teaches(self, crops: Collection[str], *, plain: bool) -> set[str]:
        """Return those of the crops that have a view: a plain one, or one to train with."""
        return {crop for crop in crops if crop in self._places and self._choices(crop)[plain]}

    def augmented(self, crop: str) -> int:
        """Return how many views there are to train with."""
        return len(self._choices(crop)[False])

    def view(self, crop: str, epoch: int | None) -> tuple[int, AugmentationParams | None]:
        """Return number (from 0, among all views) and draw of the view for an epoch.

        With the crop's n augmented views in order, epoch e has view (e - 1) mod n; a crop that has
        plain views only is trained with those. No epoch means validation: the first plain view.

        Raises:
            TargetsError: if the crop has no such view.
        """
        choices = self._choices(crop)[epoch is None]
        if not choices:
            kind = "plain view" if epoch is None else "view"
            raise TargetsError(f"{self.path} has no {kind} of crop {crop}")
        number = choices[0 if epoch is None else (epoch - 1) % len(choices)]
        return number, draws.decode(self.draws[number], epoch or 0)

    def logits(self, number: int) -> Tensor:
        """Return the logits of a view, (1, K) float32."""
        return self._finite(self._logits[number][None], schema.LOGITS, number)

    def constant(self, number: int) -> Tensor:
        """Return the constant of a view's pixel loss, a float32 scalar."""
        return self._finite(self._constant[number], schema.CONSTANT, number).to(torch.float32)

    def hint(self, crop: str, number: int, draw: AugmentationParams | None) -> Tensor:
        """Return the hint of a view, (1, C, rows, columns) float32."""
        cells, (rows, columns) = self._cells(schema.HINT, crop, number, draw)
        return cells.view(1, rows, columns, -1).permute(0, 3, 1, 2).contiguous()

    def attention(self, crop: str, number: int, draw: AugmentationParams | None) -> Tensor:
        """Return the attention map of a view, (1, rows, columns) float32."""
        cells, (rows, columns) = self._cells(schema.ATTENTION, crop, number, draw)
        return cells.view(1, rows, columns)

    def shape(self, crop: str, draw: AugmentationParams | None) -> tuple[int, int]:
        """Return rows and columns of a view's maps."""
        place = self._places[crop]
        return schema.shape(place.rows, place.columns, draw)

    def _choices(self, crop: str) -> tuple[list[int], list[int]]:
        """Numbers of the views to train with, and of the plain ones."""
        place = self._places[crop]
        numbers = range(place.first_view, place.first_view + place.views)
        is_plain = self.draws["plain"]
        plain = [number for number in numbers if is_plain[number]]
        return [number for number in numbers if not is_plain[number]] or plain, plain

    def _cells(
        self, name: str, crop: str, number: int, draw: AugmentationParams | None
    ) -> tuple[Tensor, tuple[int, int]]:
        place = self._places[crop]
        count = place.rows * place.columns
        start = place.first_cell + (number - place.first_view) * count
        if name not in self._arrays:
            opened = self._open(name)
            held = opened.nbytes <= HELD_BYTES
            self._arrays[name] = self._small(name) if held else opened
        try:
            values = np.asarray(self._arrays[name][start : start + count])
        except (OSError, RuntimeError, ValueError) as error:
            raise TargetsError(f"{self.path / name} is damaged ({error}); teach again") from error
        if len(values) != count:
            raise TargetsError(f"{self.path / name} is damaged: it ends before crop {crop} does")
        return self._finite(values, name, number).to(torch.float32), self.shape(crop, draw)

    def _finite(self, values: Any, name: str, number: int) -> Tensor:
        held = np.asarray(values)
        if not np.isfinite(held).all():
            raise TargetsError(f"{self.path / name} is damaged: view {number} is not finite")
        return torch.from_numpy(held.copy())

    @cached_property
    def _logits(self) -> NDArray[Any]:
        return self._small(schema.LOGITS)

    @cached_property
    def _constant(self) -> NDArray[Any]:
        return self._small(schema.CONSTANT)

    def _small(self, name: str) -> NDArray[Any]:
        try:
            return np.asarray(self._open(name)[:])
        except (RuntimeError, ValueError, OSError) as error:
            raise TargetsError(f"{self.path / name} is damaged ({error}); teach again") from error

    def _open(self, name: str) -> zarr.Array[Any]:
        try:
            return zarr.open_array(store=str(self.path / name), mode="r")
        # all that zarr raises where metadata is damaged
        except (OSError, ValueError, RuntimeError, TypeError, KeyError, AttributeError) as error:
            deep = isinstance(error, RecursionError)
            why = "its metadata is nested too deep" if deep else repr(error)
            raise TargetsError(f"{self.path / name} cannot be opened ({why})") from error


def _about(path: Path) -> tuple[TargetsMetadata, str | None]:
    """Return what is true of all targets, and the SHA-256 of draws.csv; None in format 1."""
    try:
        metadata = wsistore.parse_json((path / schema.METADATA).read_text(encoding="utf-8"))
        value = wsistore.json_value(dict[str, Any], metadata["attributes"][schema.KEY], schema.KEY)
    except FileNotFoundError as error:
        raise TargetsError(f"{path} holds no targets (it has no {schema.METADATA})") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TargetsError(
            f"{path / schema.METADATA} is not of teacher targets ({error})"
        ) from error
    if (path / schema.PROGRESS).exists():
        raise TargetsError(f"{path} is not finished; run distill teach again to go on")
    number = value.pop("format", None)
    if type(number) is not int or number not in schema.FORMATS:
        known = " and ".join(map(str, schema.FORMATS))
        raise TargetsError(f"{path} is of format {number}; this version reads {known}")
    wanted = {field.name for field in fields(TargetsMetadata)}
    wanted |= {schema.DRAWS_SHA256} if number > 1 else set()
    if odd := sorted(wanted ^ value.keys()):
        raise TargetsError(f"{path / schema.METADATA}: missing or unexpected {', '.join(odd)}")
    try:
        sha256 = wsistore.json_value(
            str | None, value.pop(schema.DRAWS_SHA256, None), f"the record's {schema.DRAWS_SHA256}"
        )
        about = wsistore.json_record(TargetsMetadata, value)
    except ValueError as error:
        raise TargetsError(f"{path / schema.METADATA} is damaged: {error}") from error
    if number > 1 and sha256 is None:
        raise TargetsError(f"{path / schema.METADATA} is damaged: {schema.DRAWS_SHA256} is null")
    if not 0 < about.mpp < math.inf:
        raise TargetsError(
            f"{path / schema.METADATA}: mpp is {about.mpp}, not a finite number above 0"
        )
    if about.stride < 1:
        raise TargetsError(f"{path / schema.METADATA}: stride is {about.stride}, not at least 1")
    return about, sha256


def _places(path: Path) -> dict[str, _Place]:
    file = path / schema.CROPS_CSV
    try:
        table = pd.read_csv(file, dtype={"crop": str}, keep_default_na=False)
        if not isinstance(table.index, pd.RangeIndex):
            # pandas has taken the first column for an index: cells are one column to the left
            raise ValueError("its rows have more cells than its header")
        columns = [field.name for field in fields(_Place)]
        rows = table.set_index("crop")[columns].astype("int64")
    except (OSError, ValueError, KeyError) as error:
        raise TargetsError(f"{file} cannot be read ({error})") from error
    if not rows.index.is_unique:
        raise TargetsError(f"{file} lists a crop twice")
    values = rows.itertuples(index=True, name=None)
    return {str(crop): _Place(*(int(one) for one in numbers)) for crop, *numbers in values}
