"""One tissue crop as analysis sees it: its levels as arrays, and parts of them by physical box."""

from __future__ import annotations

import math
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import zarr
from numpy.typing import NDArray

from wsistore.errors import StoreError, UsageError
from wsistore.files import parse_json
from wsistore.levels import (
    AxisGrid,
    Box,
    BoxUm,
    PixelGrid,
    box_um,
    format_box,
    levels_of,
    reason_outside,
)
from wsistore.storage import METADATA, StoreRoot

if TYPE_CHECKING:
    from dask.array import Array as DaskArray


Pixels = NDArray[np.uint8]


class Pair(NamedTuple):
    """Two levels of the same tissue.

    Attributes:
        fine: (3, h, w) uint8.
        coarse: (3, H, W) uint8.
        box_um: what the pixels of ``coarse`` cover, (x0, y0, x1, y1) in µm.
    """

    fine: Pixels
    coarse: Pixels
    box_um: BoxUm


class Crop:
    """One tissue crop; ``crop["1.25x"]`` is an array. Holds no open file, so it pickles."""

    def __init__(
        self,
        root: StoreRoot,
        name: str,
        levels: tuple[str, ...],
        box: tuple[int, int, int, int, float],
        exact_mpp: bool,
    ) -> None:
        """Name the crop whose group is at ``root``.

        ``box`` is x, y, width and height in level-0 pixels, and the µm of one; with ``exact_mpp``
        factors of levels are fractions.
        """
        self.root, self.name, self.levels = root, name, levels
        self._box, self._exact_mpp = box, exact_mpp

    @property
    def path(self) -> Path:
        """The folder of the OME-Zarr image.

        Raises:
            StoreError: the store is not on this machine; `url` names it anywhere.
        """
        return self.root.folder

    @property
    def url(self) -> str:
        """Path or URL of the OME-Zarr image."""
        return str(self.root)

    @property
    def box_um(self) -> BoxUm:
        """(x0, y0, x1, y1) of the crop on its slide in µm, outer edge to outer edge.

        The origin is the centre of the slide's level-0 pixel (0, 0): a crop in the slide's corner
        begins at −mpp / 2. See `wsistore.levels.grid`.
        """
        *box, mpp = self._box
        return box_um(Box(*box), mpp)

    def __getitem__(self, level: str) -> zarr.Array[Any]:
        """Return a level, (3, H, W) uint8, axes c, y, x.

        Raises:
            StoreError: the crop has no such level, or its array is missing or of another size.
        """
        if level not in self.levels:
            raise StoreError(f"crop {self.name} has no level {level}; it has {self._listed()}")
        array = (self.root / level).open_array()
        *_, width, height, mpp = self._box
        columns, rows = levels_of(mpp, (level,), self._exact_mpp)[0].size(width, height)
        # a damaged size could ask for any memory, or give pixels that were never there
        if array.shape != (3, rows, columns) or array.dtype != np.uint8:
            raise StoreError(
                f"{self.root / level}: is an array {array.shape} of {array.dtype}, not "
                f"{(3, rows, columns)} of uint8; see 'wsistore verify'"
            )
        return array

    def dask(self, level: str) -> DaskArray:
        """Return a level as a lazy dask array, (3, H, W) uint8; a block is a shard, one file.

        Raises:
            StoreError: the crop has no such level, or its array is missing.
        """
        # imported here: it takes half a second, which a build worker need not spend
        from dask.array import from_array

        array = self[level]
        lazy: DaskArray = from_array(array, chunks=array.shards)
        return lazy

    def read(self, level: str, box_um: BoxUm | None = None) -> Pixels:
        """Read the pixels of a level whose centres lie in a physical box.

        Pixel i of a level is centred on ``translation + i · scale`` of its OME metadata, along each
        axis. Centres on the left and upper edge are in the box, those on the right and lower edge
        are not; a millionth of a pixel decides nothing.

        Args:
            level: name of the level.
            box_um: (x0, y0, x1, y1) in µm on the slide, inside `Crop.box_um`; all of it by default.

        Returns:
            (3, h, w) uint8, axes c, y, x.

        Raises:
            StoreError: the crop has no such level, its pixels cannot be read, or the box is not
                inside the crop or holds the centre of no pixel.
        """
        array = self[level]
        if box_um is None:
            return self._pixels(level, array, (slice(None), slice(None)))
        self._require_inside(box_um)
        part = self._grid(level, array).centered_in(box_um)
        return self._pixels(level, array, self._filled(level, part, box_um))

    def pair(self, fine: str, coarse: str, box_um: BoxUm | None = None) -> Pair:
        """Read two levels over the same physical box.

        The box is grown to whole pixels of the coarse level, as far as that has pixels. Where the
        coarse factor is a multiple of the fine one, both arrays cover exactly that area. Where it
        is not (``--exact-mpp`` and levels such as 3x), the fine pixels are those whose centres lie
        in it: an edge differs by at most half a fine pixel, or by less than one at the crop's own
        right and lower edge.

        Args:
            fine: name of the finer level.
            coarse: name of the coarser level.
            box_um: (x0, y0, x1, y1) in µm on the slide, inside `Crop.box_um`; all of it by default.

        Raises:
            UsageError: the first level is coarser than the second.
            StoreError: the crop has no such level, its pixels cannot be read, or the box is not
                inside the crop or only in the strip that the coarse level has no pixel for.
        """
        arrays = self[fine], self[coarse]
        grids = self._grid(fine, arrays[0]), self._grid(coarse, arrays[1])
        if grids[0].x.step > grids[1].x.step:
            raise UsageError(f"crop {self.name}: {fine} is coarser than {coarse}; name it second")
        if box_um is not None:
            self._require_inside(box_um)
        wanted = self.box_um if box_um is None else box_um
        below = self._filled(coarse, grids[1].touched_by(wanted), wanted)
        area = grids[1].area(*below)
        above = self._filled(fine, grids[0].centered_in(area), area)
        return Pair(
            self._pixels(fine, arrays[0], above), self._pixels(coarse, arrays[1], below), area
        )

    def grid(self, level: str) -> PixelGrid:
        """Return where a level's pixels are on the slide: µm of the first, of a step, and how many.

        Raises:
            StoreError: the crop has no such level, or its array or scale is missing.
        """
        return self._grid(level, self[level])

    def picture(self, width: int, height: int) -> Pixels:
        """Return the whole crop as a picture, in the memory of a row of shards and the picture.

        It is made from the coarsest level that is at least as large, else from the finest.

        Args:
            width: of the picture in pixels, at least 1.
            height: of the picture in pixels, at least 1.

        Returns:
            (height, width, 3) uint8, RGB.

        Raises:
            StoreError: a level is missing or damaged.
        """
        # imported here: pictures need what a build worker does not
        from wsistore.store.crop_picture import fitted

        shapes = ((level, self[level].shape) for level in self.levels)
        large = [level for level, (_, h, w) in shapes if h >= height and w >= width]
        level = large[-1] if large else self.levels[0]
        return np.asarray(fitted(self[level], self.root / level, width, height))

    def _require_inside(self, box: BoxUm) -> None:
        why = reason_outside(box, self.box_um, self._box[4])
        if why:
            raise StoreError(f"crop {self.name}: the box {format_box(box)} {why}")

    def _filled(self, level: str, part: tuple[slice, slice], box: BoxUm) -> tuple[slice, slice]:
        if any(side.start >= side.stop for side in part):
            raise StoreError(
                f"crop {self.name}: the box {format_box(box)} holds no pixel of {level}"
            )
        return part

    def _pixels(self, level: str, array: zarr.Array[Any], part: tuple[slice, slice]) -> Pixels:
        try:
            return np.asarray(array[:, part[0], part[1]], np.uint8)
        except self.root.errors as error:
            raise StoreError(f"{self.root / level}: cannot be read: {error}") from error

    @cached_property
    def _transformations(self) -> dict[str, tuple[list[float], list[float]]]:
        """Level name to its OME scale and translation, each (c, y, x)."""
        metadata = self.root / METADATA
        try:
            (image,) = parse_json(metadata.read_text())["attributes"]["ome"]["multiscales"]
            found = {}
            for dataset in image["datasets"]:
                scale, translation = dataset["coordinateTransformations"]
                found[str(dataset["path"])] = (scale["scale"], translation["translation"])
            return found
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise StoreError(f"{metadata}: is not an image's metadata: {error!r}") from error

    def _grid(self, level: str, array: zarr.Array[Any]) -> PixelGrid:
        try:
            (_, sy, sx), (_, ty, tx) = self._transformations[level]
            if not (min(sy, sx) > 0 and all(map(math.isfinite, (sy, sx, ty, tx)))):
                raise ValueError("a scale is not above 0")
        except (KeyError, ValueError, TypeError) as error:
            raise StoreError(f"{self.root / METADATA}: has no usable scale of {level}") from error
        return PixelGrid(AxisGrid(tx, sx, array.shape[2]), AxisGrid(ty, sy, array.shape[1]))

    def _listed(self) -> str:
        return ", ".join(self.levels)

    def __repr__(self) -> str:
        return f"<Crop {self.name} {self._listed()}>"
