"""Tables of tiles: left out on purpose, or damage; tiles not listed, in the header, none at all."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile

from wsistore.build.builder import build
from wsistore.build.settings import BuildSettings
from wsistore.errors import DamagedSlideError, SlideError
from wsistore.readers import open_slide

PIXELS = np.random.default_rng(0).integers(60, 250, (384, 512, 3), dtype=np.uint8)
TABLES = ("TileOffsets", "TileByteCounts")
Values = tuple[int, ...]


def write(
    path: Path, table: str = "", change: Callable[[Values], Values] = tuple, page: int = 0
) -> Path:
    """Write a slide of 48 tiles and a level of 12, one table of a page changed."""
    scale = {"resolution": (20000, 20000), "resolutionunit": "CENTIMETER"}
    with tifffile.TiffWriter(path) as file:
        for step in (1, 2):
            file.write(
                PIXELS[::step, ::step].copy(), tile=(64, 64), photometric="rgb",
                compression="zlib", metadata=None, subfiletype=step - 1, **scale,
            )  # fmt: skip
    if table:
        with tifffile.TiffFile(path, mode="r+b") as opened:
            tag = opened.pages[page].tags[table]
            tag.overwrite(change(tuple(tag.value)))
    return path


@pytest.mark.parametrize("reader", ["auto", "tiffslide", "openslide", "vips"])
@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("count", [47, 1])
def test_tiles_that_are_not_listed_are_damage(
    tmp_path: Path, reader: str, table: str, count: int
) -> None:
    path = write(tmp_path / "a.tif", table, lambda values: values[:count])
    with pytest.raises(SlideError, match=rf"has 48 tiles, and the file lists {count}|openslide: "):
        open_slide(path, reader)
    with pytest.raises(DamagedSlideError, match="its image of 512 × 384 pixels has 48 tiles"):
        open_slide(path)


def test_more_tiles_than_the_image_has_are_damage_unless_they_are_empty(tmp_path: Path) -> None:
    for table in TABLES:
        path = write(tmp_path / f"{table}.tif", table, lambda values: (*values, values[-1]))
        with pytest.raises(DamagedSlideError, match="has 48 tiles, and the file lists 49"):
            open_slide(path)
        with open_slide(write(tmp_path / "a.tif", table, lambda values: (*values, 0))) as slide:
            assert np.array_equal(slide.read(0, 0, 0, 512, 384), PIXELS)


def test_no_tile_lies_in_the_header(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", "TileOffsets", lambda values: (0, 4, *values[2:]))
    with pytest.raises(DamagedSlideError, match="2 of its 48 tiles in the file's header"):
        open_slide(path)


def test_a_length_of_nothing_leaves_a_tile_out(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", "TileByteCounts", lambda values: (0, *values[1:]))
    expected = PIXELS.copy()
    expected[:64, :64] = 255
    with open_slide(path) as slide:
        assert slide.properties.notes == (
            "1 of its 48 tiles are missing and get the glass's colour",
        )
        assert np.array_equal(slide.read(0, 0, 0, 512, 384), expected)


@pytest.mark.parametrize("reader", ["auto", "tiffslide", "openslide", "vips"])
def test_a_slide_of_nothing_but_holes_failed_and_is_not_empty(tmp_path: Path, reader: str) -> None:
    path = write(tmp_path / "a.tif", "TileByteCounts", lambda values: (0,) * len(values))
    settings = BuildSettings(("5x",))
    (result,) = build([path], tmp_path / "store", settings, reader=reader, workers=0)
    assert result.record.slide.outcome == "failed"
    assert "all of its 48 tiles are missing" in result.record.slide.reason


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda values: values[:5], "has 12 tiles, and the file lists 5"),
        (lambda values: (3, *values[1:]), "has 1 of its 12 tiles in the file's header"),
        (lambda values: (10**9, *values[1:]), "cut short"),
    ],
)
def test_a_level_with_a_damaged_table_is_left_out(
    tmp_path: Path, change: Callable[[Values], Values], said: str
) -> None:
    path = write(tmp_path / "a.tif", "TileOffsets", change, page=1)
    with open_slide(path) as slide:
        assert slide.level_sizes == ((512, 384),)
        assert np.array_equal(slide.read(0, 0, 0, 512, 384), PIXELS)
        (note,) = slide.properties.notes
        assert note.startswith("one of its smaller levels is not used: ")
        assert said in note


def test_strips_that_are_not_listed_are_damage(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, PIXELS, rowsperstrip=16, photometric="rgb", metadata=None)
    with tifffile.TiffFile(path, mode="r+b") as file:
        for table in ("StripOffsets", "StripByteCounts"):
            tag = file.pages.first.tags[table]
            tag.overwrite(tuple(tag.value)[:20])
    with pytest.raises(DamagedSlideError, match="has 24 tiles, and the file lists 20"):
        open_slide(path)
