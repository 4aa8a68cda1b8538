"""Layers: images that lie over a crop in a viewer, such as where a network looked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.codecs import ZstdCodec

from wsistore.files import atomic
from wsistore.levels import PixelGrid
from wsistore.store.ome import AXES, layer_attributes

ARRAY = "0"
"""Path of a layer's one array."""
CHUNK = 512
"""Side of a chunk, as of a level's."""


def write_layer(
    path: Path,
    values: NDArray[Any],
    grid: PixelGrid,
    *,
    name: str,
    channels: Sequence[str],
    window: tuple[float, float],
) -> None:
    """Write an OME-Zarr 0.5 image at its true place and scale; it appears whole or not at all.

    Args:
        path: the image's folder, which must not exist; its parents are made.
        values: (C, h, w), axes c, y, x, of any real type.
        grid: where its pixels are, in µm on the slide; see `Crop.grid` for those of a level.
        name: what the image shows.
        channels: C names.
        window: the values that a viewer is to show darkest and brightest.

    Raises:
        FileExistsError: something is there already.
        ValueError: the values, the grid and the names disagree.
        OSError: it cannot be written.
    """
    wanted = (len(channels), grid.y.count, grid.x.count)
    if values.shape != wanted:
        raise ValueError(f"a layer of shape {values.shape}, and {wanted} is described")
    if path.exists():
        raise FileExistsError(f"{path} exists")
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic.aside(path) as whole:
        attributes = layer_attributes(name, grid, ARRAY, channels, window)
        group = zarr.create_group(store=str(whole), zarr_format=3, attributes=attributes)
        array = group.create_array(
            ARRAY,
            shape=values.shape,
            dtype=values.dtype,
            chunks=(values.shape[0], min(CHUNK, values.shape[1]), min(CHUNK, values.shape[2])),
            compressors=[ZstdCodec(level=1, checksum=True)],
            fill_value=np.zeros((), values.dtype).item(),
            dimension_names=AXES,
            config={"write_empty_chunks": True},
        )
        array[:] = values
        whole.rename(path)
