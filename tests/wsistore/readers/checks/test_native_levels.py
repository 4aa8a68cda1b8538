"""Crops, glass, pictures and vendor crops of slides whose coarse levels are spoilt."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import wsistore
from tests.wsistore.coarse_levels import (
    PIECES,
    base_image,
    damage,
    leave_out,
    reduced,
    write_levels,
)
from wsistore.annotations.source import AnnotationSource
from wsistore.build.builder import build
from wsistore.build.settings import BuildSettings
from wsistore.errors import SlideError
from wsistore.readers import open_slide
from wsistore.readers.checks.native_levels import NativeLevels
from wsistore.regions.thumbnail import read_thumbnail
from wsistore.tables.records import SlideRecord

BASE = base_image()
QUARTER = reduced(BASE, 4)
SETTINGS = BuildSettings(("5x", "1.25x"))
OVER_PIECE = (0, 1, 4, 5)
"""Tiles of the 4× level over the first piece."""


def built(
    path: Path, reader: str = "auto", settings: BuildSettings = SETTINGS, folder: Path | None = None
) -> SlideRecord:
    source = AnnotationSource(folder)
    (result,) = build(
        [path], path.with_suffix(".store"), settings, reader=reader, workers=0, annotations=source
    )
    return result.record


def nothing(path: Path) -> None:
    pass


SPOILT: dict[str, tuple[np.ndarray, Callable[[Path], None], str]] = {
    "lacks": (QUARTER, lambda path: leave_out(path, 1, OVER_PIECE), "4 of its 16 tiles"),
    "lacks all": (QUARTER, lambda path: leave_out(path, 1, range(16)), "16 of its 16 tiles"),
    "damaged": (QUARTER, lambda path: damage(path, 1, 0), "level 1 cannot be decoded at x 0"),
    # far from what is sampled: found when the whole level is read
    "damaged glass": (QUARTER, lambda path: damage(path, 1, 3), "level 1 cannot be decoded"),
    "white": (np.full_like(QUARTER, 255), nothing, "does not show what level 0 shows"),
    "black": (np.zeros_like(QUARTER), nothing, "does not show what level 0 shows"),
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> SlideRecord:
    path = write_levels(tmp_path_factory.mktemp("whole") / "a.svs", (BASE, QUARTER))
    record = built(path)
    assert (record.slide.outcome, record.slide.warning) == ("ok", "")
    assert len(record.crops) == 2
    return record


@pytest.mark.parametrize("name", ["a.svs", "a.tif"])
@pytest.mark.parametrize("reader", ["tiffslide", "openslide"])
@pytest.mark.parametrize("how", SPOILT)
def test_both_pieces_are_found_whatever_the_level(
    tmp_path: Path, whole: SlideRecord, how: str, name: str, reader: str
) -> None:
    level, spoil, said = SPOILT[how]
    path = write_levels(tmp_path / name, (BASE, level))
    spoil(path)
    record = built(path, reader)
    assert record.slide.outcome == "ok"
    found = [(crop.x, crop.y, crop.width, crop.height) for crop in record.crops]
    assert len(found) == 2
    for box, (y, x) in zip(found, PIECES, strict=True):
        assert box[0] <= x
        assert box[1] <= y
        assert box[0] + box[2] >= x + 500
        assert box[1] + box[3] >= y + 500
    assert record.slide.glass == whole.slide.glass == "#f0f0f0"
    warning = record.slide.warning
    if not (reader == "openslide" and how.startswith("lacks")):
        # OpenSlide paints such holes from a finer level, or sees them as never scanned
        assert warning.startswith("vendor level 1 (512 × 512 pixels) is passed over for a finer")
    if reader == "tiffslide":
        assert said in warning


def test_the_next_finer_level_serves(tmp_path: Path) -> None:
    half = reduced(BASE, 2)
    path = write_levels(tmp_path / "a.tif", (BASE, half, QUARTER, reduced(QUARTER, 2)))
    leave_out(path, 3, (0,))
    damage(path, 2, 5)
    with open_slide(path) as reader:
        levels = NativeLevels(reader)
        overview = read_thumbnail(levels, 0.5, 8.0)
        assert overview.level == 1
        assert len(levels.notes) == 2
        np.testing.assert_array_equal(
            overview.image, read_thumbnail(NativeLevels(reader), 0.5, 8.0).image
        )
        base = read_thumbnail(NativeLevels(reader, base_only=True), 0.5, 8.0)
        assert base.level == 0
        assert np.abs(base.image.astype(int) - overview.image).max() <= 2


def test_an_empty_slide_is_empty_by_its_base(tmp_path: Path) -> None:
    glass = np.full_like(BASE, 240)
    record = built(write_levels(tmp_path / "a.tif", (glass, reduced(glass, 4))))
    assert (record.slide.outcome, record.slide.warning) == ("empty", "")


def test_a_piece_between_the_samples_is_not_lost_with_all_others(tmp_path: Path) -> None:
    # through OpenSlide nothing tells where the base has most in it
    base = np.full_like(BASE, 240)
    base[100:500, 900:1300] = BASE[250:650, 250:650]
    path = write_levels(tmp_path / "a.tif", (base, np.full_like(QUARTER, 240)))
    record = built(path, "openslide")
    assert (record.slide.outcome, len(record.crops)) == ("ok", 1)
    assert "level 0 does" in record.slide.warning


def test_a_damaged_base_still_fails_the_slide(tmp_path: Path) -> None:
    path = write_levels(tmp_path / "a.tif", (BASE, QUARTER))
    damage(path, 0, 34)
    record = built(path)
    assert record.slide.outcome == "failed"
    assert "level 0 cannot be decoded at x 256, y 256" in record.slide.reason


@pytest.mark.parametrize("regions", ["tissue", "whole"])
def test_a_picture_without_an_opaque_pixel_failed(tmp_path: Path, regions: str) -> None:
    pixels = np.dstack([BASE[:512, :512], np.zeros((512, 512), np.uint8)])
    Image.fromarray(pixels).save(tmp_path / "a.png")
    settings = BuildSettings(("5x",), regions=regions)
    (result,) = build([tmp_path / "a.png"], tmp_path / "st", settings, mpp=0.5, workers=0)
    assert result.record.slide.outcome == "failed"
    assert "no pixel of it was scanned" in result.record.slide.reason


def test_the_glass_of_annotated_crops_is_the_bases(tmp_path: Path) -> None:
    path = write_levels(tmp_path / "a.svs", (BASE, np.zeros_like(QUARTER)))
    ring = [[200, 200], [700, 200], [700, 700], [200, 700], [200, 200]]
    (tmp_path / "a.geojson").write_text(
        '{"type": "FeatureCollection", "features": [{"type": "Feature", "geometry": '
        f'{{"type": "Polygon", "coordinates": [{ring}]}}, '
        '"properties": {"classification": {"name": "Tumor"}}}]}'
    )
    record = built(path, settings=BuildSettings(("5x",), regions="annotations"), folder=tmp_path)
    assert (record.slide.outcome, record.slide.glass) == ("ok", "#f0f0f0")
    assert "vendor level 1" in record.slide.warning


@pytest.mark.parametrize("how", ["lacks", "damaged", "white"])
def test_crops_of_vendor_levels_come_from_a_sound_one(tmp_path: Path, how: str) -> None:
    level, spoil, said = SPOILT[how]
    path = write_levels(tmp_path / "a.svs", (BASE, level))
    spoil(path)
    with wsistore.open_slide(path, SETTINGS.record(), "5x") as slide:
        assert slide.vendor_factor("5x") == 1
        for number in range(2):
            pixels = slide.read_vendor(number, "5x")
            np.testing.assert_array_equal(pixels, slide.read(number, "5x"))
        assert said in slide.row.warning


def test_a_vendor_level_found_damaged_only_when_read_is_said(tmp_path: Path) -> None:
    # tissue is looked for on the 16× level; the 4× level is damaged where nothing is sampled
    path = write_levels(tmp_path / "a.tif", (BASE, QUARTER, reduced(QUARTER, 4)))
    with wsistore.open_slide(path, SETTINGS.record(), "5x") as slide:
        assert slide.vendor_factor("5x") == 4
        damage(path, 1, 0)
        assert slide.row.warning == ""
        np.testing.assert_array_equal(slide.read_vendor(0, "5x"), slide.read(0, "5x"))
        assert slide.vendor_factor("5x") == 1
        assert "vendor level 1" in slide.row.warning


def test_the_picture_of_a_slide_is_of_a_sound_level(tmp_path: Path) -> None:
    path = write_levels(tmp_path / "a.svs", (BASE, np.zeros_like(QUARTER)))
    with wsistore.open_slide(path, SETTINGS.record(), "5x") as slide:
        picture = slide.picture(256)
    expected = np.asarray(Image.fromarray(BASE).resize((256, 256), Image.Resampling.LANCZOS))
    assert np.abs(picture.astype(int) - expected).max() <= 2


def test_level_0_is_never_passed_over(tmp_path: Path) -> None:
    path = write_levels(tmp_path / "a.tif", (BASE,))
    damage(path, 0, 0)
    with open_slide(path) as reader:
        levels = NativeLevels(reader)
        with pytest.raises(SlideError, match="level 0 cannot be decoded at x 0, y 0"):
            read_thumbnail(levels, 0.5, 8.0)
        assert levels.notes == ()
