"""Vendor levels that lack tiles, are damaged or show something else are not believed."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter
from scipy import ndimage

from tests.wsistore.coarse_levels import (
    SIDE,
    TILE,
    base_image,
    damage,
    leave_out,
    reduced,
    write_levels,
)
from wsistore.readers import open_slide
from wsistore.readers.base import Tiles
from wsistore.readers.checks.level_pixels import level_fault, likely_tiles, lost_tiles

BASE = base_image()
QUARTER = reduced(BASE, 4)


def fault(path: Path, reader: str = "tiffslide", level: int = 1) -> str:
    with open_slide(path, reader) as slide:
        return level_fault(slide, level)


def test_a_whole_level_is_believed(tmp_path: Path) -> None:
    for name in ("a.svs", "a.tif"):
        path = write_levels(tmp_path / name, (BASE, QUARTER, reduced(QUARTER, 4)))
        for reader in ("tiffslide", "openslide"):
            assert [fault(path, reader, level) for level in (1, 2)] == ["", ""]


def test_missing_tiles_are_a_fault_where_the_base_has_pixels(tmp_path: Path) -> None:
    path = write_levels(tmp_path / "a.tif", (BASE, QUARTER))
    leave_out(path, 1, (0, 1, 4, 5))
    assert fault(path) == "4 of its 16 tiles are missing where level 0 has pixels"


def test_what_is_missing_from_both_was_never_scanned(tmp_path: Path) -> None:
    path = write_levels(tmp_path / "a.tif", (BASE, QUARTER))
    # the level's tile 3, at the top right, lies over 4 × 4 tiles of the base
    under = [row * (SIDE // TILE) + column for row in range(4) for column in range(12, 16)]
    leave_out(path, 0, under)
    leave_out(path, 1, (3,))
    assert fault(path) == ""
    leave_out(path, 1, (2,))
    assert fault(path) == "1 of its 16 tiles are missing where level 0 has pixels"


def _half_white(level: np.ndarray) -> np.ndarray:
    changed = level.copy()
    changed[: len(level) // 2] = 255
    return changed


@pytest.mark.parametrize("name", ["a.svs", "a.tif"])
@pytest.mark.parametrize(
    "spoil",
    [
        lambda level: np.full_like(level, 255),
        lambda level: np.zeros_like(level),
        lambda level: np.full_like(level, 240),
        _half_white,
        lambda level: level[:, ::-1].copy(),
        lambda level: level[..., ::-1] // 2,
    ],
)
def test_another_picture_than_the_bases_is_a_fault(
    tmp_path: Path, name: str, spoil: Callable[[np.ndarray], np.ndarray]
) -> None:
    path = write_levels(tmp_path / name, (BASE, spoil(QUARTER)))
    assert "it does not show what level 0 shows" in fault(path)


def test_one_white_tile_over_tissue_is_found_by_its_bytes(tmp_path: Path) -> None:
    for tile in (0, 10):
        level, (row, column) = QUARTER.copy(), divmod(tile, 4)
        level[row * TILE : (row + 1) * TILE, column * TILE : (column + 1) * TILE] = 240
        path = write_levels(tmp_path / f"{tile}.tif", (BASE, level))
        assert "it does not show what level 0 shows" in fault(path)


@pytest.mark.parametrize("reader", ["tiffslide", "openslide"])
def test_a_damaged_level_is_a_fault_and_a_damaged_base_is_not_the_levels(
    tmp_path: Path, reader: str
) -> None:
    path = write_levels(tmp_path / "a.tif", (BASE, QUARTER))
    for tile in (0, 17, 34, 181):
        damage(path, 0, tile)
    assert fault(path, reader) == ""
    for tile in range(16):
        damage(path, 1, tile)
    assert "level 1 cannot be decoded at" in fault(path, reader)


def test_filters_shifts_and_compression_of_scanners_are_no_fault(tmp_path: Path) -> None:
    picture = Image.fromarray(BASE)
    ways = {
        "nearest": BASE[::4, ::4].copy(),
        "shifted": ndimage.shift(QUARTER, (0.5, -0.5, 0), order=1, mode="nearest"),
        "sharpened": np.asarray(
            Image.fromarray(QUARTER).filter(ImageFilter.UnsharpMask(2, 150, 0))
        ),
        "bicubic": np.asarray(picture.resize((512, 512), Image.Resampling.BICUBIC)),
        "cut": np.asarray(picture.resize((511, 510), Image.Resampling.BILINEAR)),
    }
    for name, level in ways.items():
        assert fault(write_levels(tmp_path / f"{name}.tif", (BASE, level))) == "", name


def test_levels_of_a_real_slide_are_believed(shared: Path) -> None:
    path = shared / "slides" / "tcga-cr-7395-01a-01-ts1.svs"
    assert [fault(path, reader) for reader in ("tiffslide", "openslide")] == ["", ""]


def test_a_level_of_another_shape_is_a_fault(tmp_path: Path) -> None:
    # OpenSlide takes any reduced tiled image for a level
    path = write_levels(tmp_path / "a.tif", (BASE, QUARTER[:200]))
    expected = "its 512 × 200 pixels are no reduced copy of 2048 × 2048"
    assert fault(path, "openslide") == expected


@pytest.mark.parametrize("reader", ["tiffslide", "openslide"])
def test_a_check_reads_a_few_tiles_of_the_base(
    tmp_path: Path, reader: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_levels(tmp_path / "a.tif", (BASE, QUARTER))
    with open_slide(path, reader) as slide:
        read, pixels = slide.read, []

        def counted(level: int, x: int, y: int, width: int, height: int) -> np.ndarray:
            if level == 0:
                pixels.append(width * height)
            return read(level, x, y, width, height)

        monkeypatch.setattr(slide, "read", counted)
        assert level_fault(slide, 1) == ""
        assert 2 <= len(pixels) <= 4
        assert sum(pixels) <= SIDE * SIDE / 16


def test_tiles_are_chosen_by_their_bytes() -> None:
    stored = np.full((40, 60), 1000, np.int64)
    stored[5, 7], stored[33, 50], stored[20, 20] = 9000, 8000, 5000
    coarse = np.full((10, 15), 1000, np.int64)
    base, level = Tiles(256, 256, stored), Tiles(256, 256, coarse)
    chosen = likely_tiles(base, level, (4.0, 4.0))
    assert {(5, 7), (33, 50), (20, 20)} <= set(chosen)
    assert len(chosen) <= 40
    # a level's tile of few bytes over a base of many, as white over tissue
    stored[8:12, 40:44], coarse[2, 10] = 3000, 100
    assert any(8 <= y < 12 and 40 <= x < 44 for y, x in likely_tiles(base, level, (4.0, 4.0)))
    # what is missing from the base shows nothing
    nothing = Tiles(256, 256, np.zeros((40, 60), np.int64))
    assert likely_tiles(nothing, level, (4.0, 4.0)) == []


def test_holes_are_compared_by_place_at_any_scale() -> None:
    base = Tiles(240, 240, np.ones((15, 19), np.int64))  # 4443 × 3567
    coarse = Tiles(240, 240, np.ones((8, 10), np.int64))  # 2221 × 1783
    scales = (4443 / 2221, 3567 / 1783)
    coarse.bytes[2, 3] = 0
    assert lost_tiles(base, coarse, scales).sum() == 1
    base.bytes[4:6, 6:8] = 0
    assert lost_tiles(base, coarse, scales).sum() == 0
    base.bytes[5, 7] = 9
    assert np.argwhere(lost_tiles(base, coarse, scales)).tolist() == [[2, 3]]
