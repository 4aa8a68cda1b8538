"""One crop as an OME-Zarr image, written in one pass over its pixels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import zarr

from wsistore.annotations import Cover
from wsistore.build.strips import block_edges, level_rows
from wsistore.levels import Box, Level, StreamingDownsampler
from wsistore.readers import Reader
from wsistore.store import LevelWriter, image_attributes
from wsistore.tables import LevelRow


def write_crop(
    reader: Reader,
    path: Path,
    name: str,
    box: Box,
    mpp: float,
    levels: Sequence[Level],
    cover: Cover | None = None,
) -> tuple[LevelRow, ...]:
    """Write all levels of a crop as one OME-Zarr 0.5 image.

    Args:
        reader: the open slide.
        path: the image's folder, which must not exist.
        name: the crop's id.
        box: in level-0 pixels.
        mpp: µm per level-0 pixel.
        levels: finest first.
        cover: changes level-0 pixels before they are downsampled.

    Returns:
        One row a level.

    Raises:
        SlideError: the pixels cannot be decoded.
    """
    zarr.create_group(store=str(path), attributes=image_attributes(name, box, mpp, levels))
    factors = [level.factor for level in levels]
    streams = StreamingDownsampler(box.width, box.height, factors, block_edges(reader, box))
    writers = [
        LevelWriter(path / level.name, *shape)
        for level, shape in zip(levels, streams.shapes, strict=True)
    ]
    for parts in level_rows(reader, box, streams, cover):
        for writer, finished in zip(writers, parts, strict=True):
            writer.push(finished)
        del parts, finished  # or they would be held while the next strip is decoded
    rows = []
    for level, shape, writer in zip(levels, streams.shapes, writers, strict=True):
        writer.close()
        height, width = shape
        (red, red2), (green, green2), (blue, blue2) = writer.sums.tolist()
        rows.append(
            LevelRow(
                name, level.name, height, width, level.factor, level.mpp,
                red, green, blue, red2, green2, blue2, writer.bytes,
            )
        )  # fmt: skip
    return tuple(rows)
