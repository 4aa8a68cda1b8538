"""Tiles derived anew from the slide: equal to the build bit for bit, and unequal where tampered."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import zarr
from click.testing import CliRunner

from tests.wsistore.verify.conftest import write_slide
from wsistore.cli.main import main
from wsistore.levels.box import Box
from wsistore.levels.lanczos import downsample
from wsistore.readers.base import BaseReader
from wsistore.verify import Report, verify
from wsistore.verify.slide.reference import Tile, derive, tile_at, tile_side, tiles_across

Broken = Callable[[Callable[[Path], object]], Path]


class Pixels(BaseReader):
    """A slide that is an array."""

    def __init__(self, image: np.ndarray) -> None:
        self._image = image
        self.level_sizes = ((image.shape[1], image.shape[0]),)

    def _pixels(
        self, level: int, x: int, y: int, width: int, height: int
    ) -> tuple[np.ndarray, None]:
        return self._image[y : y + height, x : x + width], None

    def close(self) -> None:
        pass


@pytest.mark.parametrize("factor", [1, 2, 3, 8, 31, 2.004, 3.7, 40.3])
def test_tiles_equal_the_build_bit_for_bit(factor: float) -> None:
    image = np.random.default_rng(3).integers(0, 256, (900, 1100, 3), dtype=np.uint8)
    image[:, 200:300] = 255
    box = Box(17, 5, 1050, 871)
    level = downsample(image[5:876, 17:1067], factor)
    height, width = level.shape[:2]
    side = tile_side(factor)
    covered = np.zeros((height, width), int)
    for number in range(tiles_across(height, factor) * tiles_across(width, factor)):
        tile = tile_at(number, height, width, factor)
        inside = slice(tile.top, tile.bottom), slice(tile.left, tile.right)
        covered[inside] += 1
        if factor > 1 or number % 7 == 0:
            derived = derive(Pixels(image), box, factor, tile)
            assert np.array_equal(derived, level[inside]), tile
    assert (covered == 1).all()
    assert 4 <= side <= 256


def test_a_tile_reads_no_more_than_it_needs() -> None:
    image = np.zeros((800, 800, 3), np.uint8)
    read = []

    class Watched(Pixels):
        def _pixels(
            self, level: int, x: int, y: int, width: int, height: int
        ) -> tuple[np.ndarray, None]:
            read.append((x, y, width, height))
            return super()._pixels(level, x, y, width, height)

    derive(Watched(image), Box(0, 0, 800, 800), 8, Tile(40, 44, 20, 30))
    # (i + ½ ± 3)·8: from pixel 40 − 2½ to 43 + 3½, and 20 − 2½ to 29 + 3½
    assert read == [(140, 300, 120, 72)]


def compare(store: Path, slides: Path, sample: int = 4, **options: object) -> Report:
    return verify(store, [slides], sample=sample, workers=0, **options)  # type: ignore[arg-type]


def test_every_tile_of_the_whole_store(whole: Path, slides: Path) -> None:
    report = compare(whole, slides, sample=1000)
    assert report.whole
    # a: 10x has 1050 × 650 pixels in tiles of 256, 2.5x 262 × 162 in tiles of 128; b and c one
    assert report.tiles == {"10x": 5 * 3 + 2, "2.5x": 3 * 2 + 2}
    assert report.not_compared == {}


def rewrite(store: Path, crop: str, level: str) -> None:
    """Change one pixel of a stored level, and all that repeats it: only the slide can tell."""
    array = zarr.open_array(str(store / "slides" / crop / level), mode="r+")
    pixels = array[:]
    old, pixels[0, 3, 5] = int(pixels[0, 3, 5]), pixels[0, 3, 5] ^ 2
    array[:] = pixels
    group = store / "slides" / crop.split("/")[0] / "zarr.json"
    metadata = json.loads(group.read_text())
    change = int(pixels[0, 3, 5]) - old, int(pixels[0, 3, 5]) ** 2 - old**2
    for row in metadata["attributes"]["wsistore"]["levels"]:
        if row["level"] == level:
            table = (store / "levels.csv").read_text()
            before = row["sum_r"], row["sumsq_r"], row["bytes"]
            now = before[0] + change[0], before[1] + change[1], array.nbytes_stored()
            row["sum_r"], row["sumsq_r"], row["bytes"] = now
            for cell, new in zip(before, now, strict=True):
                table = table.replace(f",{cell}", f",{new}", 1)
            (store / "levels.csv").write_text(table)
    group.write_text(json.dumps(metadata))


def test_a_pixel_changed_with_all_its_sums_is_found(broken: Broken, slides: Path) -> None:
    store = broken(lambda s: rewrite(s, "b/0", "2.5x"))
    assert verify(store, workers=0).whole
    (fault,) = compare(store, slides).faults
    assert fault.file == "slides/b/0/2.5x"
    assert fault.what == (
        "pixels from y 0, x 0 (37 × 50) are not the slide's: 1 differ, by up to 2"
    )


def test_the_sample_is_seeded_and_damaged_levels_are_left_out(broken: Broken, slides: Path) -> None:
    store = broken(lambda s: rewrite(s, "a/0", "10x"))
    seen = [compare(store, slides, sample=3, seed=seed).whole for seed in range(12)]
    again = [compare(store, slides, sample=3, seed=seed).whole for seed in range(12)]
    assert seen == again
    assert set(seen) == {True, False}  # three of fifteen tiles
    (store / "slides/a/0/10x/c/0/0/0").unlink()
    report = compare(store, slides)
    assert [fault.what for fault in report.faults] == ["is missing"]
    assert report.tiles == {"10x": 2, "2.5x": 6}


def test_what_is_not_at_hand_is_said(whole: Path, slides: Path, tmp_path: Path) -> None:
    shutil.copy(slides / "a.tiff", tmp_path / "a.tiff")
    write_slide(tmp_path / "b.tiff", 400, 300, 99)
    report = compare(whole, tmp_path)
    assert report.whole
    assert report.tiles == {"10x": 4, "2.5x": 4}
    assert report.not_compared == {
        "b": f"{tmp_path / 'b.tiff'} is another file than the one that was stored",
        "c": "not at hand",
    }


@pytest.mark.parametrize(
    "options",
    [("--exact-mpp",), ("--apply-icc",), ("--reader", "openslide"), ("--levels", "7x,0.3x")],
)
def test_builds_of_every_kind_compare(slides: Path, tmp_path: Path, options: tuple[str]) -> None:
    store = tmp_path / "s"
    arguments = ["build", str(slides), "--out", str(store), "--workers", "1", "--regions", "whole"]
    assert CliRunner().invoke(main, [*arguments, *options]).exit_code == 0
    report = compare(store, slides, sample=2)
    assert report.faults == ()
    assert not report.not_compared
    assert len(report.tiles) == (2 if "--levels" in options else 5)


def test_annotated_crops_compare_with_their_outlines(slides: Path, tmp_path: Path) -> None:
    shutil.copy(slides / "a.tiff", tmp_path / "a.tiff")
    ring = [[100, 120], [900, 200], [700, 1500], [100, 120]]
    drawn = {
        "type": "FeatureCollection",
        "features": [
            {"type": "Feature", "properties": {},
             "geometry": {"type": "Polygon", "coordinates": [ring]}},
        ],
    }  # fmt: skip
    folder = tmp_path / "drawn"
    folder.mkdir()
    (folder / "a.geojson").write_text(json.dumps(drawn))
    store = tmp_path / "s"
    arguments = [
        "build", str(tmp_path / "a.tiff"), "--out", str(store), "--regions", "annotations",
        "--outside", "glass", "--annotations", str(folder), "--annotation-offset", "30,-7",
    ]  # fmt: skip
    assert CliRunner().invoke(main, arguments).exit_code == 0
    slide = tmp_path / "a.tiff"
    report = compare(store, slide, sample=100, annotations=folder)
    assert report.faults == ()
    assert report.tiles["10x"] == 6
    assert report.not_compared == {}
    assert "no annotation file beside it" in compare(store, slide).not_compared["a"]
    (folder / "a.geojson").write_text(json.dumps(drawn | {"name": "moved"}))
    changed = compare(store, slide, annotations=folder)
    assert changed.not_compared == {"a": "its annotation file changed since it was stored"}
