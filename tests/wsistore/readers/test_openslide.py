"""OpenSlide against tiffslide on real slides; its transparency, and its handle after an error."""

from pathlib import Path

import numpy as np
import pytest
import tifffile

from wsistore.errors import SlideError
from wsistore.readers import Reader, open_slide
from wsistore.readers.base import composite_over
from wsistore.readers.openslide import OpenSlideReader

SLIDES = ["CMU-1-Small-Region.svs", "tcga-cr-7395-01a-01-ts1.svs", "CMU-1-Small-Region.jpeg.tiff"]


def whole(slide: Reader, level: int) -> np.ndarray:
    return slide.read(level, 0, 0, *slide.level_sizes[level])


@pytest.mark.parametrize("name", SLIDES)
def test_it_reads_what_tiffslide_reads(shared: Path, name: str) -> None:
    path = shared / "slides" / name
    with open_slide(path, "tiffslide") as one, open_slide(path, "openslide") as other:
        assert one.level_sizes == other.level_sizes
        assert one.tile_rows == other.tile_rows
        assert one.properties == other.properties
        for level in range(len(one.level_sizes)):
            # JPEG and JPEG 2000 alike, the decoders agree to the last bit
            assert np.array_equal(whole(one, level), whole(other, level))
        for x, y, width, height in ((101, 203, 333, 417), (1, 1, 1, 1), (2000, 2900, 219, 66)):
            region = other.read(0, x, y, width, height)
            assert np.array_equal(region, one.read(0, x, y, width, height))


def test_a_level_of_broken_scale_is_placed_within_half_a_pixel(shared: Path) -> None:
    path = shared / "slides" / "tcga-cr-7395-01a-01-ts1.svs"
    with open_slide(path, "tiffslide") as one, open_slide(path, "openslide") as other:
        here = other.read(1, 601, 703, 256, 256).astype(int)
        steps = [(x, y) for x in (-1, 0, 1) for y in (-1, 0, 1)]
        error = {
            (x, y): np.abs(one.read(1, 601 + x, 703 + y, 256, 256) - here).mean() for x, y in steps
        }
    nearest, next_best = sorted(error.values())[:2]
    assert error[0, 0] == nearest < 0.5 * next_best


def test_one_bad_tile_does_not_poison_the_rest(tmp_path: Path) -> None:
    pixels = np.full((256, 256, 3), 200, np.uint8)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, pixels, tile=(128, 128), photometric="rgb", compression="jpeg")
    with tifffile.TiffFile(path) as file:
        start, length = file.pages.first.dataoffsets[3], file.pages.first.databytecounts[3]
    data = bytearray(path.read_bytes())
    data[start : start + length] = bytes(length)
    path.write_bytes(data)
    with OpenSlideReader(path) as slide:
        with pytest.raises(SlideError, match="cannot be decoded at x 128, y 128"):
            slide.read(0, 128, 128, 128, 128)
        assert np.abs(slide.read(0, 0, 0, 128, 128).astype(int) - 200).max() <= 2


def test_what_no_reader_opens_gets_a_reason_from_each(shared: Path) -> None:
    with pytest.raises(SlideError) as caught:
        open_slide(shared / "broken" / "histolab_broken.svs")
    reasons = str(caught.value).removeprefix("it cannot be opened (").split("; ")
    assert [reason.split(":")[0] for reason in reasons] == [
        "tiffslide", "openslide", "vips", "wsidicom",
    ]  # fmt: skip
    assert len(str(caught.value)) < 300


def test_laying_over_a_color() -> None:
    rgb = np.array([[[10, 20, 30], [10, 20, 30], [10, 20, 30]]], np.uint8)
    opacity = np.array([[255, 0, 128]], np.uint8)
    mixed = composite_over(rgb, opacity, (240, 241, 242))
    assert mixed.tolist() == [[[10, 20, 30], [240, 241, 242], [125, 130, 136]]]
    assert composite_over(rgb, None, (0, 0, 0)) is rgb
