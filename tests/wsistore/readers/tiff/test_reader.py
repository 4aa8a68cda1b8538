"""Tiled TIFFs: whole, with tiles left out, cut short, and those better left to others."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tifffile

from wsistore.errors import DamagedSlideError, SlideError
from wsistore.readers import READERS, open_slide
from wsistore.readers.tiff.reader import TiffReader

SIZE, TILE = 512, 128


def image(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(100, 250, (SIZE, SIZE, 3), dtype=np.uint8)


def write_sparse(path: Path, pixels: np.ndarray, without: set[tuple[int, int]]) -> None:
    """Write a tiled TIFF whose tiles at (y, x) in ``without`` have offset and length 0."""

    def tiles() -> Iterator[np.ndarray | None]:
        for y in range(0, SIZE, TILE):
            for x in range(0, SIZE, TILE):
                left_out = (y, x) in without
                yield None if left_out else pixels[y : y + TILE, x : x + TILE]

    tifffile.imwrite(
        path, tiles(), shape=pixels.shape, dtype=pixels.dtype, tile=(TILE, TILE),
        photometric="rgb", resolution=(20000, 20000), resolutionunit="CENTIMETER",
    )  # fmt: skip


@pytest.mark.parametrize("reader", ["tiffslide", "openslide"])
def test_missing_tiles_get_the_fill_and_nothing_else_does(tmp_path: Path, reader: str) -> None:
    pixels, path = image(), tmp_path / "sparse.tif"
    write_sparse(path, pixels, {(128, 256), (384, 384)})
    expected = pixels.copy()
    with open_slide(path, reader) as slide:
        for color in (255, 255, 255), (240, 241, 239):
            assert color == slide.fill or color != (255, 255, 255)
            slide.fill = color
            expected[128:256, 256:384] = color
            expected[384:, 384:] = color
            assert np.array_equal(slide.read(0, 0, 0, SIZE, SIZE), expected)
            assert np.array_equal(slide.read(0, 201, 97, 211, 301), expected[97:398, 201:412])


def test_missing_tiles_are_said(tmp_path: Path) -> None:
    write_sparse(tmp_path / "sparse.tif", image(), {(128, 256)})
    with TiffReader(tmp_path / "sparse.tif") as slide:
        assert slide.properties.notes == (
            "1 of its 16 tiles are missing and get the glass's colour",
        )
    write_sparse(tmp_path / "whole.tif", image(), set())
    with TiffReader(tmp_path / "whole.tif") as slide:
        assert slide.properties.notes == ()


def test_libvips_would_paint_them_black_and_is_not_let(tmp_path: Path) -> None:
    write_sparse(tmp_path / "sparse.tif", image(), {(128, 256)})
    with pytest.raises(SlideError, match="parts of it are missing"):
        open_slide(tmp_path / "sparse.tif", "vips")


@pytest.mark.parametrize("compression", [None, "jpeg", "zlib"])
def test_a_file_cut_short_is_refused_before_any_pixel(
    tmp_path: Path, compression: str | None
) -> None:
    # a decoder would make the end of a JPEG tile grey without a word
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, image(), tile=(TILE, TILE), photometric="rgb", compression=compression)
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(DamagedSlideError, match=r"cut short.*copy it again"):
        open_slide(path)


def test_a_damaged_tile_raises_and_the_others_still_read(tmp_path: Path) -> None:
    pixels, path = image(), tmp_path / "a.tif"
    tifffile.imwrite(path, pixels, tile=(TILE, TILE), photometric="rgb", compression="zlib")
    with tifffile.TiffFile(path) as file:
        page = file.pages.first
        start, length = page.dataoffsets[5], page.databytecounts[5]
    data = bytearray(path.read_bytes())
    data[start : start + length] = bytes(length)
    path.write_bytes(data)
    with open_slide(path, "tiffslide") as slide:
        with pytest.raises(SlideError, match="level 0 cannot be decoded at x 128, y 128"):
            slide.read(0, 128, 128, 128, 128)
        assert np.array_equal(slide.read(0, 0, 0, 512, 128), pixels[:128])


def test_a_region_outside_is_a_programming_error(tmp_path: Path) -> None:
    write_sparse(tmp_path / "a.tif", image(), set())
    with TiffReader(tmp_path / "a.tif") as slide, pytest.raises(ValueError, match="outside"):
        slide.read(0, 500, 0, 13, 1)


@pytest.mark.parametrize(
    ("pixels", "options", "reader"),
    [
        (image()[..., 0], {"photometric": "minisblack"}, "vips"),
        (np.dstack([image(), image()[..., :1]]), {"extrasamples": ["UNASSALPHA"]}, "vips"),
        (np.moveaxis(image(), 2, 0), {"planarconfig": "separate"}, "openslide"),
    ],
)
def test_tiles_that_are_not_plain_rgb_go_to_a_reader_that_knows(
    tmp_path: Path, pixels: np.ndarray, options: dict[str, object], reader: str
) -> None:
    options = {"photometric": "rgb", **options}
    tifffile.imwrite(tmp_path / "a.tif", pixels, tile=(TILE, TILE), **options)
    with open_slide(tmp_path / "a.tif") as slide:
        assert slide.name == reader
        read = slide.read(0, 0, 0, SIZE, SIZE)
    if pixels.ndim == 2:
        expected = np.repeat(pixels[..., None], 3, axis=2)
    elif pixels.shape[0] == 3:
        expected = np.moveaxis(pixels, 0, 2)
    else:
        alpha = pixels[..., 3:].astype(np.int64)
        expected = (pixels[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255
    assert np.array_equal(read, expected)


def test_sixteen_bits_have_one_clear_error_from_each_reader(tmp_path: Path) -> None:
    tifffile.imwrite(
        tmp_path / "a.tif", image().astype(np.uint16), tile=(TILE, TILE), photometric="rgb"
    )
    with pytest.raises(SlideError) as caught:
        open_slide(tmp_path / "a.tif")
    message = str(caught.value)
    assert "tiffslide: its pixels are 3 × uint16 RGB" in message
    # OpenSlide would open it and halve its depth silently
    assert "openslide: its pixels are 3 × uint16 RGB" in message
    assert "vips: its pixels are 3 × uint16 RGB" in message
    assert "; convert it to 8-bit RGB" in message
    assert "wsidicom: not DICOM" in message


def test_senseless_tags_are_an_error_of_the_slide(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, image(), tile=(TILE, TILE), photometric="rgb")
    with tifffile.TiffFile(path, mode="r+") as file:
        file.pages.first.tags["PhotometricInterpretation"].overwrite(99)
    for reader in ("auto", *READERS):
        with pytest.raises(SlideError, match="cannot be opened"):
            open_slide(path, reader)
