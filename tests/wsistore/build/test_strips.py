"""A box of a slide, read block by block and strip by strip."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import tifffile

from wsistore.build.strips import block_edges, level_rows
from wsistore.levels.box import Box
from wsistore.levels.lanczos import StreamingDownsampler, downsample
from wsistore.readers.tiff.reader import TiffReader

SIDE = 1500


def slide(path: Path, tile: int) -> np.ndarray:
    pixels = np.random.default_rng(tile).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    tifffile.imwrite(
        path, pixels, tile=(tile, tile), photometric="rgb",
        resolution=(20000, 20000), resolutionunit="CENTIMETER",
    )  # fmt: skip
    return pixels


@pytest.mark.parametrize("tile", [64, 240, 256, 512])
@pytest.mark.parametrize(
    "box", [Box(0, 0, 1500, 1500), Box(70, 333, 1207, 901), Box(511, 5, 2, 600)]
)
def test_levels_are_those_of_the_whole_and_each_tile_is_decoded_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tile: int, box: Box
) -> None:
    pixels = slide(tmp_path / "a.tif", tile)[box.y : box.bottom, box.x : box.right]
    decoded: Counter[int] = Counter()
    decode = TiffReader._tile

    def counted(self: TiffReader, level: int, index: int) -> np.ndarray:
        decoded[index] += 1
        return decode(self, level, index)

    monkeypatch.setattr(TiffReader, "_tile", counted)
    with TiffReader(tmp_path / "a.tif") as reader:
        cut = block_edges(reader, box)
        assert (cut is None) == (tile == 512)  # its rows are too many for the caches
        streams = StreamingDownsampler(box.width, box.height, [1, 2], cut)
        levels = [
            np.concatenate(rows) for rows in zip(*level_rows(reader, box, streams), strict=True)
        ]
    for factor, level in zip((1, 2), levels, strict=True):
        assert np.array_equal(level, downsample(pixels, factor))
    columns = -(-box.right // tile) - box.x // tile
    rows = -(-box.bottom // tile) - box.y // tile
    assert len(decoded) == columns * rows
    assert set(decoded.values()) == {1}


def test_what_changes_strips_sees_whole_rows(tmp_path: Path) -> None:
    pixels, box = slide(tmp_path / "a.tif", 256), Box(100, 100, 1300, 700)

    def cover(strip: np.ndarray, top: int) -> np.ndarray:
        assert np.array_equal(strip, pixels[top : top + len(strip), 100:1400])
        return 255 - strip

    with TiffReader(tmp_path / "a.tif") as reader:
        streams = StreamingDownsampler(box.width, box.height, [4], block_edges(reader, box))
        found = np.concatenate([rows for (rows,) in level_rows(reader, box, streams, cover)])
    assert np.array_equal(found, downsample(255 - pixels[100:800, 100:1400], 4))
