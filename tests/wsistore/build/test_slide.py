"""A slide's crops straight from its file are those of a build, bit for bit."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

import wsistore
from wsistore.annotations.source import AnnotationSource
from wsistore.build.builder import build
from wsistore.build.native_level import fine_enough, native_level_rows
from wsistore.build.settings import BuildSettings
from wsistore.errors import StoreError
from wsistore.levels.box import Box
from wsistore.levels.lanczos import downsample
from wsistore.levels.magnification import Level
from wsistore.readers import open_slide
from wsistore.regions.settings import AnnotationSettings, TissueSettings
from wsistore.synthetic.cohort import write_cohort

LEVELS = ("5x", "2.5x", "0.625x")


@pytest.fixture(scope="module")
def slide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A synthetic slide of 1024 × 1024 pixels of about 0.5 µm, with levels of 4× and 16×."""
    (path,) = write_cohort(tmp_path_factory.mktemp("cohort"), patients=1, size=1024, pieces=2)
    return path


def drawn(slide: Path) -> AnnotationSource:
    """Two triangles, as GeoJSON in a folder of their own."""
    folder = slide.parent / "drawn"
    folder.mkdir(exist_ok=True)
    rings = [[[[100, 90], [700, 120], [300, 500], [100, 90]]], [[[5, 600], [5, 900], [400, 5]]]]
    features = [
        {
            "type": "Feature",
            "geometry": {"type": "Polygon", "coordinates": [ring[0] + [ring[0][0]]]},
            "properties": {"classification": {"name": "a"}},
        }
        for ring in rings
    ]
    (folder / f"{slide.stem}.geojson").write_text(json.dumps(features))
    return AnnotationSource(folder, (3, -2))


SETTINGS: dict[str, Any] = {
    "tissue": BuildSettings(LEVELS),
    "pieces": BuildSettings(LEVELS, tissue=TissueSettings(min_area_mm2=0.001, margin_um=7.0)),
    "exact": BuildSettings(LEVELS, exact_mpp=True),
    "whole": BuildSettings(LEVELS, regions="whole"),
    "drawn": BuildSettings(
        LEVELS, regions="annotations", annotations=AnnotationSettings(5.0, "glass")
    ),
}


@pytest.mark.parametrize("kind", SETTINGS)
@pytest.mark.parametrize("level", LEVELS)
def test_rows_and_pixels_are_those_of_a_build(
    slide: Path, tmp_path: Path, kind: str, level: str
) -> None:
    settings, source = SETTINGS[kind], drawn(slide)
    (result,) = build([slide], tmp_path / "store", settings, annotations=source, workers=0)
    assert result.record.slide.outcome == "ok"
    store = wsistore.open(tmp_path / "store")
    with wsistore.open_slide(
        slide, store.settings, level,
        annotations=source.folder, annotation_offset=source.offset,
    ) as found:  # fmt: skip
        assert found.row == result.record.slide
        assert found.crops == result.record.crops
        stored = {(row.crop, row.level): row for row in result.record.levels}
        for number, crop in enumerate(found.crops):
            row = stored[crop.crop, level]
            assert found.size(number, level) == (row.height, row.width)
            assert (found.level(level).factor, found.level(level).mpp) == (row.factor, row.mpp)
            pixels = found.read(number, level)
            assert pixels.flags.c_contiguous
            np.testing.assert_array_equal(pixels, store[crop.crop][level][:])


def test_the_real_slide_gives_what_its_store_holds(cmu: Path, tmp_path: Path) -> None:
    settings = BuildSettings(("10x", "5x", "2.5x", "1.25x", "0.625x"))
    (result,) = build([cmu], tmp_path / "store", settings, workers=0)
    store = wsistore.open(tmp_path / "store")
    for level in store.level_names:
        with wsistore.open_slide(cmu, store.settings, level) as found:
            assert found.crops == result.record.crops
            for number, crop in enumerate(found.crops):
                stored = store[crop.crop][level][:]
                np.testing.assert_array_equal(found.read(number, level), stored)


def test_settings_survive_a_store_and_json(tmp_path: Path, slide: Path) -> None:
    for kind, settings in SETTINGS.items():
        list(build([], tmp_path / kind, settings))
        stored = wsistore.open(tmp_path / kind).settings
        assert BuildSettings.of(json.loads(json.dumps(stored))) == settings
    other = {**stored, "tissue": {**stored["tissue"], "method": "luck-1"}}
    with (
        pytest.raises(StoreError, match="luck-1, not optical-density"),
        wsistore.open_slide(slide, other, "5x"),
    ):
        pass
    with (
        pytest.raises(StoreError, match=r"no level 10x; they have 5x, 2\.5x"),
        wsistore.open_slide(slide, stored, "10x"),
    ):
        pass
    with pytest.raises(StoreError, match="another wsistore"):
        BuildSettings.of({"levels": ["5x"]})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"regions": "wholewhole"}, "regions of kind 'wholewhole', not tissue or whole or anno"),
        ({"regions": ["whole"]}, "regions is a list"),
        ({"levels": "5x"}, "levels is a text"),
        ({"levels": ["2.5x", "5x"]}, r"levels 2\.5x, 5x"),
        ({"levels": ["fine"]}, "'fine' is not a magnification"),
        ({"levels": []}, "no level is given"),
        ({"exact_mpp": "no"}, "exact_mpp is a text"),
        ({"tissue": {"mpp": 0.0}}, "mpp is 0.0, not a finite number above 0"),
        ({"tissue": {"gap_um": -1}}, "gap_um is -1, not a finite number of at least 0"),
        ({"tissue": {"min_density": 1.0}}, "min_density 1.0 is above 0.08"),
        ({"tissue": {"luck": 1}}, "unknown luck"),
        ({"annotations": {"outside": "black"}}, "outside is 'black', not keep or glass"),
        ({"annotations": {"margin_um": "1"}}, "margin_um is a text"),
    ],
)
def test_settings_that_nobody_wrote_are_refused(change: dict[str, Any], said: str) -> None:
    whole = BuildSettings(LEVELS).record()
    wsistore.check_settings(whole, "5x")
    with pytest.raises(StoreError, match=f"^build settings of another wsistore: .*{said}"):
        wsistore.check_settings({**whole, **change}, "5x")


def test_a_slide_without_tissue_is_empty_and_one_too_coarse_fails(tmp_path: Path) -> None:
    path = tmp_path / "glass.tif"
    tifffile.imwrite(path, np.full((600, 600, 3), 242, np.uint8), photometric="rgb")
    settings = BuildSettings(LEVELS).record()
    with wsistore.open_slide(path, settings, "2.5x", mpp=0.5) as found:
        assert (found.row.outcome, found.row.reason) == ("empty", "no tissue was found")
        assert found.crops == ()
    with (
        pytest.raises(wsistore.ResolutionError, match=r"too coarse for level 2\.5x"),
        wsistore.open_slide(path, settings, "2.5x", mpp=9.0),
    ):
        pass


def test_a_vendor_level_is_read_where_the_crop_lies(slide: Path) -> None:
    """Crop 0 from the 4× level, against that level resampled as an image of its own."""
    settings = BuildSettings(LEVELS).record()
    with (
        wsistore.open_slide(slide, settings, "2.5x") as found,
        open_slide(slide) as reader,
    ):
        factor = found.level("2.5x").factor
        assert [w for w, _ in reader.level_sizes] == [1024, 256, 64]
        assert factor == 8
        assert found.vendor_factor("2.5x") == 4
        assert found.vendor_factor("0.625x") == 16
        for number, crop in enumerate(found.crops):
            height, width = found.size(number, "2.5x")
            x, y = round(crop.x / 4), round(crop.y / 4)
            part = reader.read(1, x, y, min(2 * width, 256 - x), min(2 * height, 256 - y))
            pixels = found.read_vendor(number, "2.5x")
            np.testing.assert_array_equal(pixels, downsample(part, 2).transpose(2, 0, 1))
            exact = found.read(number, "2.5x")
            assert np.abs(np.array(exact.shape) - pixels.shape).max() <= 1
            both = np.s_[:, : min(height, pixels.shape[1]), : min(width, pixels.shape[2])]
            off = np.abs(exact[both].astype(int) - pixels[both])
            assert 0 < off.mean() < 6


def test_the_vendor_level_chosen_is_the_coarsest_that_is_fine_enough() -> None:
    sizes = [(4443, 3567), (2221, 1783), (1110, 891)]
    assert [fine_enough(sizes, f)[0] for f in (1, 1.9, 2, 3.9, 4, 32)] == [0, 0, 1, 1, 2, 2]
    assert fine_enough(sizes, 3.9) == [1, 0]


def test_a_box_at_the_border_of_a_vendor_level_stays_inside(tmp_path: Path) -> None:
    """A level that is cut to whole pixels ends before the slide does."""
    path = tmp_path / "odd.tif"
    rng = np.random.default_rng(0)
    base = rng.integers(0, 256, (515, 517, 3), np.uint8)
    with tifffile.TiffWriter(path) as file:
        file.write(base, tile=(64, 64), photometric="rgb", subifds=1)
        file.write(base[:514:2, :516:2], tile=(64, 64), photometric="rgb", subfiletype=1)
    with open_slide(path) as reader:
        assert reader.level_sizes == ((517, 515), (258, 257))
        for x, y in ((0, 0), (5, 3)):
            (rows,) = list(native_level_rows(reader, Box(x, y, 512, 512), Level("2.5x", 8, 4.0), 1))
            assert rows.shape in ((64, 64, 3), (63, 64, 3), (63, 63, 3))


def test_the_picture_is_the_slide_and_nothing_else(slide: Path) -> None:
    with wsistore.open_slide(slide, BuildSettings(LEVELS).record(), "5x") as found:
        picture = found.picture(256)
        assert picture.shape == (256, 256, 3)
        with open_slide(slide) as reader:
            np.testing.assert_array_equal(picture, reader.read(1, 0, 0, 256, 256))
        assert found.picture(5000).shape == (1024, 1024, 3)


def test_readers_are_named() -> None:
    assert wsistore.reader_names()[0] == "tiffslide"
    assert "auto" not in wsistore.reader_names()
