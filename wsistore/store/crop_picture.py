"""A level of a crop as a picture of any size."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from wsistore.errors import StoreError
from wsistore.levels import StreamingDownsampler

if TYPE_CHECKING:
    from typing import Any

    from zarr import Array

    from wsistore.storage import StoreRoot


def fitted(array: Array[Any], place: StoreRoot, width: int, height: int) -> Image.Image:
    """Return a level as a picture of exactly that size, in the memory of a row of shards.

    Args:
        array: of the level, (3, h, w) uint8.
        place: where it is.
        width, height: of the picture, in pixels; each at least 1.

    Raises:
        StoreError: the level is damaged.
    """
    _, rows, columns = array.shape
    # a whole factor first, row by row; what is left is less than 2 and done at once
    factor = max(min(rows // height, columns // width), 1)
    stream = StreamingDownsampler(columns, rows, [factor])
    step = (array.shards or array.chunks)[1]
    parts = []
    for top in range(0, rows, step):
        try:
            band = np.asarray(array[:, top : top + step])
        except place.errors as error:
            raise StoreError(f"{place}: cannot be read: {error}") from error
        parts += stream.push(np.ascontiguousarray(band.transpose(1, 2, 0)))
    image = Image.fromarray(np.concatenate(parts))
    return image.resize((width, height), Image.Resampling.LANCZOS)
